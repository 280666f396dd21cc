"""A Space that is served on loopback while it is measured, in a process group of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.errors import UserError

START_SECONDS = 600  # a large model is loaded, perhaps downloaded
STOP_SECONDS = 30
LINES_OF_THE_LOG = 5


@dataclass(frozen=True)
class Served:
    """Where it listens, and its first process."""

    url: str
    pid: int

    def memory_mb(self) -> float:
        """Memory of all its processes; what they share counts once."""
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.pid)
            return sum(proportional(one) for one in [first, *first.children(recursive=True)])
        return 0.0


def proportional(process: psutil.Process) -> float:
    """MB of a process, its shared pages divided among those that share them."""
    try:
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    return float(getattr(memory, "pss", memory.rss)) / 2**20


@contextmanager
def served(
    space: Path,
    variables: Mapping[str, str],
    python: str = sys.executable,
    script: Sequence[str] = ("app.py",),
) -> Iterator[Served]:
    """Start a Space's app.py, wait until it answers, and stop it in the end.

    Args:
        script: what is run in place of app.py, and its arguments.

    Raises:
        UserError: it does not start; with the end of its log.
    """
    if not (space / "app.py").is_file():
        raise UserError(f"there is no {space / 'app.py'}")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as folder:
        log = Path(folder) / "log"
        environment = {
            **os.environ,
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": str(Path(folder) / "files"),
            "CACHE_EXAMPLES": "off",
            **variables,
        }
        process: subprocess.Popen[bytes] | None = None
        try:
            with log.open("wb") as output, signals_deferred():
                process = subprocess.Popen(
                    [python, *script],
                    cwd=space,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process, log)
            yield Served(url, process.pid)
        finally:
            if process is not None:
                stop(process)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let a signal that would end this wait, so that no process is started and then forgotten."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    come: list[int] = []
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {
        number: signal.signal(number, lambda number, _: come.append(number))
        for number in (getattr(signal, name) for name in names)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in come:
        signal.raise_signal(number)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a Space answers.

    Raises:
        UserError: it ends, or does not answer in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/config", timeout=10).status_code == 200:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            end = " / ".join(line.strip() for line in lines[-LINES_OF_THE_LOG:])
            raise UserError(f"the Space did not start: {end or 'it said nothing'}")
        time.sleep(0.2)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and whatever it started."""
    with suppress(ProcessLookupError):
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def free_port() -> int:
    """One on loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
