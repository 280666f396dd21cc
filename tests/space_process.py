"""Starts a rendered Space as its own process, as a person or the platform would."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from forked import Forked, forked_page
from prometheus_client.parser import text_string_to_metric_families

QUICK_START = Path(__file__).parent / "quick_start"
START_SECONDS = 120
STOP_SECONDS = 30


class Summary(NamedTuple):
    """The last line of a Space's log; `counts` says how many were invalid, failed, shared ..."""

    requests: int
    counts: dict[str, int]
    batches: int
    largest: int


def python_path(*folders: str | Path) -> str:
    """PYTHONPATH of processes that import Gradio: the folders, and what makes it quicker."""
    return os.pathsep.join(map(str, (QUICK_START, *folders)))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class RunningSpace:
    """`python app.py` in `folder`; a context manager that stops what it started.

    Args:
        variables: of the environment, beside those that keep the Space on this machine.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder.parent / f"{folder.name}-{self.port}.log"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GRADIO_", "GIT_", "SPACE", "HF_"))
        }
        self._environment = {
            **inherited,
            "HF_HUB_OFFLINE": "1",
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_TEMP_DIR": str(folder.parent / f"{folder.name}-temp"),
            **variables,
        }
        self.process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def log(self) -> str:
        """What the Space has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> RunningSpace:
        with self._log.open("wb") as log:
            self.process = self._begin(log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the Space did not start:\n{self.log[-4000:]}")
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _begin(self, log: IO[bytes]) -> subprocess.Popen[bytes] | Forked:
        """Start it, as a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=self.folder,
            env=self._environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self) -> int:
        """Ask the Space to stop, as the platform does; kill its process group if it does not."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode

    def summary(self) -> Summary:
        """What the stopped Space logged about its requests."""
        form = r"stopped; (\d+) requests \((.*)\) in (\d+) batches of up to (\d+)$"
        found = re.search(form, self.log, re.MULTILINE)
        assert found, self.log[-4000:]
        details = [part.split(" ", 1) for part in found[2].split(", ")]
        counts = {what: int(count) for count, what in details}
        return Summary(int(found[1]), counts, int(found[3]), int(found[4]))

    def counted(self, name: str, **labels: str) -> float:
        """One of the numbers at /metrics; 0 where there is none yet."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            return sum(
                sample.value
                for family in families
                for sample in family.samples
                if sample.name == name and labels.items() <= sample.labels.items()
            )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/config", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            return error.code == 401  # it asks for a password
        except OSError:
            return False


class QuickSpace(RunningSpace):
    """A Space that is forked, for tests that are not about how a Space starts and ends.

    Attributes:
        forks_model: whether the first process of the model is forked as well as the page.
    """

    forks_model = True

    def _begin(self, log: IO[bytes]) -> Forked:
        return forked_page(self.folder, self._environment, log, with_model=self.forks_model)
