"""A real terminal: a command on a pseudo-terminal, what it shows, and the keys that are pressed."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

UP, DOWN, ENTER, CTRL_C = "\x1b[A", "\x1b[B", "\r", "\x03"
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]")
WHERE = b"\x1b[6n"  # what a program asks a terminal for the place of its cursor
WAIT_SECONDS = 60


class Terminal:
    """A command on a terminal of 30 lines and 120 columns.

    Attributes:
        raw: all bytes that it has shown so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.master = master
        self.raw = b""
        self.seen = 0  # characters of `text` up to which `until` has come

    @property
    def text(self) -> str:
        """What it has shown, without codes."""
        return CODES.sub("", self.raw.decode("utf-8", "replace"))

    def read(self, seconds: float) -> bool:
        """Take what is shown next; False at the end, or where nothing comes."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.raw += data
        for _ in range(data.count(WHERE)):
            os.write(self.master, b"\x1b[1;1R")
        return bool(data)

    def until(self, words: str) -> str:
        """Wait until some words are shown that were not before; returns what came up to them."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            text = self.text
            place = text.find(words, self.seen)
            if place >= 0:
                before, self.seen = text[self.seen : place], place + len(words)
                return before
            assert time.monotonic() < deadline, f"never shown: {words!r}\n{text[self.seen :]}"
            if not self.read(1) and self.process.poll() is not None:
                assert words in self.text[self.seen :], f"over without {words!r}\n{self.text}"

    def type(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            os.write(self.master, key.encode())

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.process.poll() is None:
            self.read(0.1)
            assert time.monotonic() < deadline, self.text
        while self.read(0.05):
            pass
        return self.process.returncode


@contextlib.contextmanager
def on_terminal(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None
) -> Iterator[Terminal]:
    """Start a command with a terminal as its input and both outputs."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={"TERM": "xterm-256color", "LINES": "30", "COLUMNS": "120", **environment},
        cwd=cwd,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)


def _take_terminal() -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C on it is a signal
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
