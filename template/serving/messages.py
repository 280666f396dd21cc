"""What the page's process and a model's process say to each other, pickled over pipes."""

from __future__ import annotations

from typing import Any, NamedTuple

from serving.machine import Runtime

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
    """What model.py is; it needs no weights to tell."""

    runtime: Runtime
    streams: bool
    deterministic: bool
    revision: str


class Starting(NamedTuple):
    """A worker calls the model with these requests."""

    worker: int
    numbers: list[int]


class Done(NamedTuple):
    """A worker's call ended well."""

    worker: int
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


class Hung(NamedTuple):
    """These requests have been prepared or computed for too long, wanted or not."""

    numbers: list[int]


class Alive(NamedTuple):
    """Nothing else to say; how often memory ran out so far."""

    out_of_memory: int
