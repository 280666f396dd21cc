"""Lets the n-th step of a change fail, be killed or stop: `python faults.py ACTION N COMMAND…`.

A step is a call that makes, writes, moves or removes a file of the Space.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any, cast

MOVES = ((os, "replace"), (os, "unlink"))
STEPS = (
    *MOVES,
    (os, "mkdir"),
    (os, "rmdir"),
    (os, "fsync"),
    (shutil, "copy2"),
    (shutil, "copymode"),
    (io, "open"),
)


def arm(action: str, nth: int, steps: tuple[tuple[Any, str], ...] = STEPS) -> Callable[[], bool]:
    """Act at the n-th step from now on; returns what tells whether that has happened."""
    count = 0

    def act(name: object) -> None:
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        if action == "interrupt":
            raise KeyboardInterrupt
        if action == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(name))

    def step(name: object) -> None:
        nonlocal count
        count += 1
        if count == nth + 1:
            act(name)

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            step(arguments[0])
            result = real(*arguments, **options)
            if isinstance(result, io.IOBase) and cast(Any, result).writable():
                half_writing(result, arguments[0])
            return result

        return call

    def half_writing(file: Any, name: object) -> None:
        real = file.write

        def write(data: Any) -> int:
            real(data[: len(data) // 2])
            file.flush()
            step(name)
            real(data[len(data) // 2 :])
            return len(data)

        file.write = write

    for module, name in steps:
        setattr(module, name, counted(getattr(module, name)))
    return lambda: count > nth


def main() -> None:
    """Run a command of spaces-gen in which moving files over others is disturbed."""
    from spaces_gen import upgrade
    from spaces_gen.cli import main as command

    action, nth = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    module: Any = upgrade
    real = module.swap

    def swap(*arguments: Any) -> None:
        arm(action, nth, MOVES)
        real(*arguments)

    module.swap = swap
    command()


if __name__ == "__main__":
    main()
