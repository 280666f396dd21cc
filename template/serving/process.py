"""One process of the model, as the page's process sees it: messages, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.errors import ModelError
from serving.messages import About, Chunk, Failed, Result, Stop

log = logging.getLogger("space")

FOLDER = Path(__file__).parent.parent
STOP_SECONDS = 10
LAST_WORDS_SECONDS = 1  # for what a process has said before its end


@dataclass(eq=False)
class Request:
    """One request until it is answered."""

    inputs: tuple[Any, ...]
    stream: bool
    arrived: float  # at the Space
    # of a stream all values, of others one; an exception ends both
    values: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    asked: float = field(default_factory=time.monotonic)
    started: bool = False
    alone: bool = False  # a process ended while it worked on it: one such at a time
    batch_size: int = 0  # the limit before that


@dataclass
class Call:
    """A worker's call of the model."""

    numbers: list[int]
    since: float


class Process:
    """One process with a copy of the model.

    Args:
        environment: variables beside those of this process.
        notes: path of the file where it says what it works on.
        max_batch_size: at most; 0 for that of the row.

    Raises:
        OSError: the system has no room for another process.
    """

    about: About  # once it is loaded

    def __init__(
        self, environment: dict[str, str], notes: Path, max_batch_size: int = 0
    ) -> None:
        self._notes = notes.open("w+b", buffering=0)
        command = [sys.executable, "-m", "serving.worker", str(max_batch_size)]
        command.append(str(notes))
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=FOLDER,
            env={**os.environ, **environment},
        )
        self._outgoing: deque[Any] = deque()
        self._wake = threading.Event()
        self._over = False
        self.isolated = False  # for one request at a time
        self.requests: dict[int, Request] = {}
        self.calls: dict[int, Call] = {}
        self.heard = self.flowed = time.monotonic()  # anything, and any stream
        self.out_of_memory = 0
        self.hung = False  # why it was ended
        # numbers of the requests that each of its threads worked on when it ended
        self.worked_on: list[set[int]] = []

    def load(self) -> None:
        """Wait until the model is loaded.

        Raises:
            ModelError: it cannot be loaded; the log says why.
        """
        try:
            about = self._receive()
        except ModelError:
            self.kill()
            raise
        assert isinstance(about, About)
        self.about = about
        self.heard = self.flowed = time.monotonic()

    def _receive(self) -> Any:
        """The next message.

        Raises:
            ModelError: the process has ended.
        """
        assert self._popen.stdout is not None
        try:
            return pickle.load(self._popen.stdout)
        except Exception as error:
            raise ModelError from error

    def listen(self, hear: Callable[[Process, Any], None]) -> None:
        """Call `hear` with each message, and with None at the end, from a thread."""
        listener = threading.Thread(target=self._listen, args=(hear,), daemon=True)
        listener.start()
        threading.Thread(target=self._write, daemon=True).start()
        threading.Thread(target=self._end, args=(listener, hear), daemon=True).start()

    def _listen(self, hear: Callable[[Process, Any], None]) -> None:
        with contextlib.suppress(ModelError):
            while True:
                hear(self, read(self._receive()))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_SECONDS)
        self.kill()

    def _end(
        self, listener: threading.Thread, hear: Callable[[Process, Any], None]
    ) -> None:
        """Tell the end; the pipe need not end with the process, its children hold it."""
        self._popen.wait()
        listener.join(LAST_WORDS_SECONDS)
        self.worked_on = self._read_notes()
        self._over = True
        self._wake.set()
        if not listener.is_alive():
            for pipe in (self._popen.stdin, self._popen.stdout):
                with contextlib.suppress(OSError):
                    assert pipe is not None
                    pipe.close()
        hear(self, None)

    def send(self, message: Any) -> None:
        """Send `message` soon; this never waits, even for a process that is stuck."""
        self._outgoing.append(message)
        self._wake.set()

    def _write(self) -> None:
        assert self._popen.stdin is not None
        while not self._over:
            self._wake.wait()
            self._wake.clear()
            try:
                while self._outgoing:
                    self._popen.stdin.write(self._outgoing.popleft())
                self._popen.stdin.flush()
            except (OSError, ValueError):  # it has ended, which the listener notices
                return

    def kill(self) -> None:
        """End it now."""
        self._popen.kill()
        self._popen.wait()
        self._wake.set()

    def stop(self) -> None:
        """Let it finish what it computes, then end it."""
        self.send(pickle.dumps(Stop()))
        try:
            self._popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _read_notes(self) -> list[set[int]]:
        with self._notes as file:
            file.seek(0)
            numbers = array("q", file.read())
        width = self.about.runtime.tier.max_batch_size
        parts = [numbers[at : at + width] for at in range(0, len(numbers), width)]
        return [set(part) - {0} for part in parts if any(part)]

    @property
    def killed(self) -> bool:
        """Whether somebody else killed it; most likely the system, for memory."""
        return not self.hung and self._popen.returncode == -signal.SIGKILL

    @property
    def fate(self) -> str:
        """Why it ended, for the log."""
        code = self._popen.returncode
        if self.hung:
            return "did not answer in time"
        if self.killed:
            return "was killed, probably for memory"
        return f"ended with exit code {code}"  # below 0 by a signal


def read(message: Any) -> Any:
    """The message with its value unpickled."""
    if not isinstance(message, (Result, Chunk)):
        return message
    try:
        return message._replace(value=pickle.loads(message.value))
    except BaseException as error:  # unpickling runs the answer's own code
        log.error("an answer cannot be read", exc_info=error)
        return Failed(message.number, "error", type(error).__name__)
