"""One process of the model, as the page's process sees it: messages, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import select
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
from serving.messages import LENGTH, About, Chunk, Failed, NotLoaded, Result, Stop

log = logging.getLogger("space")

FOLDER = Path(__file__).parent.parent
STOP_SECONDS = 10
READ_BYTES = 2**16  # as many as a pipe holds
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
            bufsize=0,
            cwd=FOLDER,
            env={**os.environ, **environment},
        )
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin, self._popen.stdout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._incoming = bytearray()
        self._outgoing: deque[memoryview] = deque()
        self._lock = threading.Lock()  # of what goes out: close() has its own thread
        self._silent = threading.Event()  # nothing more will come in
        self.isolated = False  # for one request at a time
        self.requests: dict[int, Request] = {}
        # what its threads work on, and when that was first seen
        self._works: dict[frozenset[int], float] = {}
        self.heard = self.flowed = time.monotonic()  # anything, and any stream
        self.out_of_memory = 0
        self.hung = False  # why it was ended
        # numbers of the requests that each of its threads worked on when it ended
        self.worked_on: list[set[int]] = []

    def load(self) -> None:
        """Wait until the model is loaded.

        Raises:
            ModelError: it cannot be loaded; the log says why, and perhaps its reason.
        """
        while not (messages := self._complete()):
            data = os.read(self._stdout.fileno(), READ_BYTES)
            if not data:
                self.kill()
                raise ModelError
            self._incoming += data
        if isinstance(messages[0], NotLoaded):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(LAST_WORDS_SECONDS)  # it writes into the log
            self.kill()
            error = ModelError()
            error.reason = messages[0].reason
            raise error
        assert isinstance(messages[0], About)
        self.about = messages[0]
        self.heard = self.flowed = time.monotonic()

    def listen(self, hear: Callable[[Process, list[Any]], None]) -> None:
        """Call `hear` in the running loop with messages, and with [None] at the end."""
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        for pipe in (self._stdin, self._stdout):
            os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(self._stdout, self._read)
        threading.Thread(target=self._wait, daemon=True).start()

    def _complete(self) -> list[Any]:
        """The messages that have come in whole."""
        messages = []
        while len(self._incoming) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._incoming)[0]
            if len(self._incoming) < end:
                break
            messages += pickle.loads(memoryview(self._incoming)[LENGTH.size : end])
            del self._incoming[:end]
        return messages

    def _read(self) -> None:
        """Called by the loop when something has come in."""
        assert self._loop is not None
        try:
            data = os.read(self._stdout.fileno(), READ_BYTES)
            self._incoming += data
            messages = list(map(read, self._complete()))
        except BlockingIOError:
            return
        except Exception as error:  # not what a worker writes
            log.error("the model's process cannot be understood", exc_info=error)
            data, messages = b"", []
        if messages:
            self._hear(self, messages)
        if not data:  # it ends, or has closed its side
            self._loop.remove_reader(self._stdout)
            self._silent.set()
            threading.Thread(target=self._end_soon, daemon=True).start()

    def _end_soon(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_SECONDS)
        self.kill()

    def _wait(self) -> None:
        """Tell the end; the pipe need not end with the process, its children hold it."""
        assert self._loop is not None
        self._popen.wait()
        self._silent.wait(LAST_WORDS_SECONDS)
        self.worked_on = self._read_notes()
        with contextlib.suppress(RuntimeError):  # the loop is closed, the page is gone
            self._loop.call_soon_threadsafe(self._over)

    def _over(self) -> None:
        assert self._loop is not None
        with self._lock:
            self._loop.remove_reader(self._stdout)
            self._loop.remove_writer(self._stdin)
            for file in (self._stdin, self._stdout, self._notes):
                file.close()
        self._hear(self, [None])

    def send(self, message: bytes) -> None:
        """Send `message`, or what fits now and the rest soon; this never waits."""
        with self._lock:
            self._outgoing.append(memoryview(message))
        if not self._write() and self._loop is not None:
            self._loop.add_writer(self._stdin, self._go_on)

    def _go_on(self) -> None:
        """Called by the loop when there is room in the pipe."""
        if self._write() and self._loop is not None:
            self._loop.remove_writer(self._stdin)

    def _write(self) -> bool:
        """Write what there is room for; whether nothing is left."""
        with self._lock:
            while self._outgoing and not self._stdin.closed:
                try:
                    sent = os.write(self._stdin.fileno(), self._outgoing[0])
                except BlockingIOError:
                    return False
                except OSError:  # it has ended, which will be noticed
                    self._outgoing.clear()
                    break
                self._outgoing[0] = self._outgoing[0][sent:]
                if not self._outgoing[0]:
                    self._outgoing.popleft()
            return True

    def kill(self) -> None:
        """End it now."""
        self._popen.kill()
        self._popen.wait()

    def stop(self) -> None:
        """Let it finish what it computes, then end it; called outside of the loop."""
        with self._lock:
            self._outgoing.append(memoryview(pickle.dumps(Stop())))
        deadline = time.monotonic() + STOP_SECONDS
        while self._popen.poll() is None and time.monotonic() < deadline:
            self._write()
            if self._loop is None or not self._loop.is_running():
                self._drain()
            time.sleep(0.02)
        self.kill()

    def _drain(self) -> None:
        """Take what nobody waits for any more: a full pipe would hold up its end."""
        with contextlib.suppress(OSError, ValueError):
            while select.select([self._stdout], [], [], 0)[0]:
                if not os.read(self._stdout.fileno(), READ_BYTES):
                    return

    def overdue(self, seconds: float) -> list[int]:
        """Numbers of the requests that a thread has worked on for longer.

        Wanted or not; and even where the process cannot say so, as it is stuck.
        """
        now = time.monotonic()
        works = map(frozenset, self._read_notes())
        self._works = {work: self._works.get(work, now) for work in works}
        late = [work for work, since in self._works.items() if now - since > seconds]
        return [number for work in late for number in work]

    def _read_notes(self) -> list[set[int]]:
        width = self.about.runtime.tier.max_batch_size
        file = self._notes.fileno()
        numbers = array("q", os.pread(file, os.fstat(file).st_size, 0))
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
