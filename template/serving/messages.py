"""What the page's process and a model's process say to each other, pickled over pipes."""

from __future__ import annotations

from typing import Any, NamedTuple

from serving.machine import Runtime

# ---- from the page to the model


class Ask(NamedTuple):
    """Answer these inputs, in a batch of its own if `alone`."""

    number: int
    inputs: tuple[Any, ...]
    alone: bool = False


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
    """The answer to a request; the last value of a stream has been sent before."""

    number: int
    value: Any


class Chunk(NamedTuple):
    """The answer so far."""

    number: int
    value: Any


class Failed(NamedTuple):
    """No answer: `kind` is "input" (tell the visitor), "memory" or "error"."""

    number: int
    kind: str
    text: str


class Hung(NamedTuple):
    """These requests have been prepared for too long."""

    numbers: list[int]


class Alive(NamedTuple):
    """Nothing else to say; how often memory ran out so far."""

    out_of_memory: int
