"""The process that measures a Space's model, as `tune` sees it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces_gen.errors import UserError
from spaces_gen.load.served import signals_deferred, stop

SCRIPT = Path(__file__).with_name("probe.py")
LOAD_SECONDS = 600  # a large model is loaded, perhaps downloaded and exported
ANSWER_SECONDS = 300
LINES_OF_THE_LOG = 3


@dataclass(frozen=True)
class Point:
    """What batches within some limit are like, while a number of workers compute at once.

    Attributes:
        limit: of a batch: requests, or what they cost together.
        items: requests in a batch, in the mean.
        seconds: of a batch.
        memory_gb: beside the weights, of all workers together, at the highest.
        passes: what single calls cost (items x the longest), and their seconds.
    """

    limit: int
    items: float
    seconds: float
    memory_gb: float
    passes: tuple[tuple[int, float], ...] = ()

    def rate(self, workers: int) -> float:
        """Requests a second."""
        return workers * self.items / self.seconds


class Full(Exception):
    """Memory ran out, and the process may have been ended for it."""


class ModelFailed(UserError):
    """The model raised an error."""


class Probe:
    """A running probe; one that the system ended for its memory is started again when needed.

    Attributes:
        about: what it said of itself, see `probe.Probe.about`.
    """

    def __init__(
        self, command: Sequence[str], space: Path, variables: Mapping[str, str], log: Path
    ) -> None:
        self._command, self._space, self._log = command, space, log
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        self.about: Mapping[str, Any] = {}

    def start(self) -> None:
        """Load the model.

        Raises:
            Full: it does not fit the memory.
            UserError: it cannot be loaded.
        """
        with self._log.open("wb") as output, signals_deferred():
            self._process = subprocess.Popen(
                self._command,
                cwd=self._space,
                env={**os.environ, **self._variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                start_new_session=True,
            )
        self.about = read(self._process, LOAD_SECONDS, self._log)

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        stop(self._process)

    def measure(self, limit: int, workers: int, seconds: float) -> Point:
        """Measure batches within a limit.

        Raises:
            Full: memory ran out.
            UserError: the model fails, or does not answer.
        """
        found = self._ask(
            {"do": "measure", "limit": limit, "workers": workers, "seconds": seconds}
        )  # fmt: skip
        return Point(
            limit,
            found["items"],
            found["seconds"],
            found["memory_gb"],
            tuple((int(cost), float(took)) for cost, took in found["passes"]),
        )

    def answers(self, count: int) -> list[Any]:
        """The answers to the first requests, each computed alone.

        Raises:
            Full, UserError: see `measure`.
        """
        return list(self._ask({"do": "answers", "count": count})["answers"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended, which shows below
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
        return read(self._process, ANSWER_SECONDS, self._log)


@contextmanager
def probing(
    space: Path, inputs: Path, variables: Mapping[str, str], python: str = sys.executable
) -> Iterator[Probe]:
    """Load a Space's model in a process of its own, and end it afterwards.

    Args:
        inputs: what the recorder wrote down.
        variables: of the environment, such as DTYPE.

    Raises:
        Full: the model does not fit the memory.
        UserError: it cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as folder:
        command = (python, str(SCRIPT), str(inputs))
        probe = Probe(command, space, variables, Path(folder) / "log")
        try:
            probe.start()
            yield probe
        finally:
            probe.stop()


def read(process: subprocess.Popen[bytes], seconds: float, log: Path) -> dict[str, Any]:
    """The next answer of a probe.

    Raises:
        Full: memory ran out.
        UserError: the model failed, or nothing came in time.
    """
    line = read_line(process, seconds)
    if line is None:
        raise UserError(f"the model did not answer within {seconds:g} seconds")
    if not line.endswith(b"\n"):
        process.wait()
        if process.returncode == -9:  # as the system does where memory runs out
            raise Full
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        end = " / ".join(one.strip() for one in lines[-LINES_OF_THE_LOG:])
        raise ModelFailed(f"the model's process ended: {end or 'it said nothing'}")
    answer: dict[str, Any] = json.loads(line)
    if answer.get("full"):
        raise Full
    if "error" in answer:
        raise ModelFailed(f"the model failed: {answer['error']}")
    return answer


def read_line(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """A line of the process, or what it writes before its end; None if that takes longer."""
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return None
        part = os.read(process.stdout.fileno(), 2**20)
        if not part:
            break
        line += part
    return line


def variables_of(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The variables that set some values of a row, by the rules of the Space."""
    return {name.upper(): str(values[name]) for name in names}
