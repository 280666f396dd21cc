"""One copy of the model on Ray Serve.

It has the model's processes as on one machine: the same batcher, the same isolation of
bad requests, and a crash of the model is mended here, unseen by Ray.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from serving.errors import VisitorError
from serving.machine import write_log
from serving.messages import About
from serving.metrics import Metrics
from serving.processes import Processes
from serving.values import any_of, replaced

Count = tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Upload:
    """A file of a visitor's, which another machine has not."""

    name: str
    content: bytes


class Answer(NamedTuple):
    """What came of a request: a value, or why there is none.

    Attributes:
        version: of the model that answered, see `About`.
        counts: methods of `Metrics` and their arguments, for the page to call.
    """

    value: Any
    error: VisitorError | None
    version: tuple[str, ...]
    counts: list[Count]


class Counts(Metrics):
    """What the model's processes count, until the page is told with the next answer."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: list[Count] = []

    def waited(self, seconds: float) -> None:
        """As `Metrics` does."""
        self._counts.append(("waited", (seconds,)))

    def computed(self, items: int, seconds: float) -> None:
        """As `Metrics` does."""
        self._counts.append(("computed", (items, seconds)))

    def streaming(self, streams: int) -> None:
        """As `Metrics` does."""
        self._counts.append(("streaming", (streams,)))

    def restarted(self) -> None:
        """As `Metrics` does."""
        self._counts.append(("restarted", ()))

    def ran_out_of_memory(self, times: int) -> None:
        """As `Metrics` does."""
        self._counts.append(("ran_out_of_memory", (times,)))

    def taken(self) -> list[Count]:
        """All since the last time."""
        taken, self._counts = self._counts, []
        return taken


class Replica:
    """A deployment of Ray Serve; `serving.replicas` is how the page sees them all."""

    def __init__(self) -> None:
        write_log()
        self._counts = Counts()
        self._model = Processes(self._counts)

    async def about(self) -> About:
        """What model.py is."""
        return self._model.about

    async def check_health(self) -> None:
        """Ray replaces a replica whose model cannot be started again."""
        self._model.start()  # the end of its process is noticed before anybody asks
        if self._model.given_up:
            # at once: it would look idle and be given all the requests
            os._exit(1)

    async def answer(self, inputs: tuple[Any, ...], waited: float) -> Answer:
        """The model's answer; `waited` seconds have passed since the request came."""
        arrived = time.monotonic() - waited
        try:
            with unpacked(inputs) as here:
                value = await self._model.answer(here, arrived)
        except VisitorError as error:
            await self.check_health()
            return self._answer(None, error)
        return self._answer(value)

    async def stream(
        self, inputs: tuple[Any, ...], waited: float
    ) -> AsyncIterator[Answer]:
        """The model's answer bit by bit; an error ends it."""
        arrived = time.monotonic() - waited
        try:
            with unpacked(inputs) as here:
                async with aclosing(self._model.stream(here, arrived)) as values:
                    async for value in values:
                        yield self._answer(value)
        except VisitorError as error:
            await self.check_health()
            yield self._answer(None, error)

    def _answer(self, value: Any, error: VisitorError | None = None) -> Answer:
        return Answer(value, error, self._model.about.version, self._counts.taken())

    def __del__(self) -> None:
        """Ray calls it when no request is left."""
        if hasattr(self, "_model"):
            self._model.close()


async def packed(inputs: tuple[Any, ...], is_file: Any) -> tuple[Any, ...]:
    """The inputs with files in place of their paths."""

    def pack(part: Any) -> Any:
        if not is_file(part):
            return part
        return Upload(Path(part).name, Path(part).read_bytes())

    if not any_of(inputs, is_file):
        return inputs
    found: tuple[Any, ...] = await asyncio.to_thread(replaced, inputs, pack)
    return found


@contextmanager
def unpacked(inputs: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The inputs with paths in place of files, which are there meanwhile."""
    if not any_of(inputs, lambda part: isinstance(part, Upload)):
        yield inputs
        return
    with tempfile.TemporaryDirectory(prefix="space-uploads-") as folder:

        def unpack(part: Any) -> Any:
            if not isinstance(part, Upload):
                return part
            path = Path(tempfile.mkdtemp(dir=folder), part.name)
            path.write_bytes(part.content)
            return str(path)

        yield replaced(inputs, unpack)
