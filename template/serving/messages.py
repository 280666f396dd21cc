"""What the page's process and a model's process say to each other, pickled over pipes.

The page sends one message after the other. The model's process sends lists of them, each
with its length before it, so that nothing is read before it is whole.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from serving.machine import Runtime

LENGTH = struct.Struct("<Q")

# ---- from the page to the model


class Ask(NamedTuple):
    """Answer these inputs."""

    number: int
    inputs: tuple[Any, ...]


class AskStream(NamedTuple):
    """Answer these inputs bit by bit."""

    number: int
    inputs: tuple[Any, ...]


class Cancel(NamedTuple):
    """The visitor left."""

    number: int


class Stop(NamedTuple):
    """Finish what runs, then exit."""


# ---- from the model to the page


class About(NamedTuple):
    """What model.py is; it needs no weights to tell.

    Attributes:
        code: a hash of what decides the answers beside the model.
        copies: of the model, at most.
    """

    runtime: Runtime
    streams: bool
    deterministic: bool
    revision: str
    code: str
    copies: int

    @property
    def version(self) -> tuple[str, ...]:
        """What decides an answer, beside the inputs."""
        return self.runtime.model_id, self.runtime.dtype, self.revision, self.code


class NotLoaded(NamedTuple):
    """In place of `About`: why the model could not be loaded; "" where only the log says."""

    reason: str


class Starting(NamedTuple):
    """The model is called with these requests; `began` by time.monotonic()."""

    numbers: list[int]
    began: float


class Done(NamedTuple):
    """A call of the model ended well."""

    items: int
    seconds: float


class Result(NamedTuple):
    """The answer to a request; the last value of a stream has been sent before.

    On its way `value` is pickled by itself: one that cannot be read spoils no more.
    """

    number: int
    value: Any


class Chunk(NamedTuple):
    """The answer so far; on its way it is pickled by itself, too."""

    number: int
    value: Any


class Failed(NamedTuple):
    """No answer: `kind` is "input" (tell the visitor), "memory" or "error"."""

    number: int
    kind: str
    text: str


class Alive(NamedTuple):
    """Nothing else to say; how often memory ran out so far."""

    out_of_memory: int
