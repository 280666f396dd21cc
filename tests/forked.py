"""A process that runs the app.py of a Space and is forked, not started; so is that of its model.

That spares them the imports of Gradio, PyTorch and transformers, which are most of what it takes to
start a Space. Once the page serves, other processes of the model are started as always.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

TESTS = Path(__file__).parent
SLOW_TO_IMPORT = (
    *("gradio", "mcp.server", "cashews", "prometheus_client", "uvloop"),
    *("torch", "transformers.modeling_utils", "transformers.processing_utils"),
)


class Forked:
    """A forked process, with the part of subprocess.Popen that is used of it."""

    stdin: IO[bytes]
    stdout: IO[bytes]

    def __init__(self, number: int) -> None:
        self.pid = number
        self.returncode: int | None = None
        self._waiting = threading.Lock()  # one thread alone can be told how it ended

    def poll(self) -> int | None:
        """As that of Popen."""
        with self._waiting:
            if self.returncode is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
                self.returncode = os.waitstatus_to_exitcode(ended[1])
            return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        """As that of Popen."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("a fork", timeout)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """As that of Popen."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """As that of Popen."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As that of Popen."""
        self.send_signal(signal.SIGKILL)


def forked_page(
    folder: Path,
    environment: Mapping[str, str],
    log: IO[bytes],
    script: Sequence[str] = ("app.py",),
    with_model: bool = True,
) -> Forked:
    """What `python app.py` is, or another script there, in a process group of its own.

    Args:
        with_model: whether the first process of the model is forked as well.
    """
    for name in SLOW_TO_IMPORT:
        importlib.import_module(name)

    def work() -> None:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        path = [Path(place) for place in environment.get("PYTHONPATH", "").split(os.pathsep)]
        first = [str(place) for place in (folder, *path) if place.is_absolute()]
        own = {module.stem for place in first for module in Path(place).glob("*.py")} | {"serving"}
        for name in list(sys.modules):
            if name.partition(".")[0] in own:  # another test has imported it, or one like it
                del sys.modules[name]
        sys.argv = list(script)
        sys.path[:] = [*first, *(one for one in sys.path if not one.startswith(str(TESTS)))]
        importlib.reload(importlib.import_module("gradio.http_server"))  # it keeps name and port
        if with_model:
            subprocess.Popen = model_or(subprocess.Popen)  # type: ignore[misc]
        runpy.run_path(script[0], run_name="__main__")

    with open(os.devnull, "rb") as nothing:
        return forked(work, environment, nothing.fileno(), log.fileno(), log.fileno())


def model_or(start: Any) -> Any:
    """A Popen that forks the first process of the model: the page has no threads then."""
    first = True

    def popen(command: Sequence[str], **options: Any) -> Any:
        nonlocal first
        if not first or command[1:3] != ["-m", "serving.worker"]:
            return start(command, **options)
        first = False
        of_model, to_model = os.pipe()
        of_page, to_page = os.pipe()

        def work() -> None:
            os.close(to_model)
            os.close(of_page)
            sys.argv = ["-m", *command[3:]]
            runpy.run_module("serving.worker", run_name="__main__", alter_sys=True)

        process = forked(work, options["env"], of_model, to_page, 2)
        os.close(of_model)
        os.close(to_page)
        process.stdin, process.stdout = os.fdopen(to_model, "wb", 0), os.fdopen(of_page, "rb", 0)
        return process

    return popen


def forked(work: Callable[[], None], environment: Mapping[str, str], *streams: int) -> Forked:
    """A fork that does some work with its own environment, input, output and errors."""
    sys.stdout.flush()
    sys.stderr.flush()
    number = os.fork()
    if number:
        return Forked(number)
    gc.freeze()  # or collections would look through, and so copy, all that was here before
    code = 1
    try:
        for own, stream in enumerate(streams):
            os.dup2(stream, own)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout, sys.stderr = (os.fdopen(own, "w", 1, closefd=False) for own in (1, 2))
        os.environ.clear()
        os.environ.update(environment)
        atexit._clear()
        work()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if error.code and error.code != code:
            print(error.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)
