"""ZeroGPU: a GPU only during a call, in its own process, on the visitor's quota."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

END = object()


def on_gpu(task: Callable[..., Any], seconds: int) -> Callable[..., Any]:
    """`task` as the platform runs it on a GPU, for which it asks `seconds` of quota."""
    import spaces

    return spaces.GPU(task, duration=seconds)


def in_own_loop(
    stream: Callable[..., AsyncGenerator[Any, None]],
) -> Callable[..., Iterator[Any]]:
    """An async generator as a plain one, the only kind that the platform takes."""

    def run(*inputs: Any) -> Iterator[Any]:
        values = stream(*inputs)
        loop = asyncio.new_event_loop()
        try:
            while True:
                yield loop.run_until_complete(anext(values))
        except StopAsyncIteration:
            return
        finally:
            loop.run_until_complete(values.aclose())
            loop.close()

    return run


async def in_thread(values: Iterator[Any]) -> AsyncGenerator[Any, None]:
    """Iterate without blocking the event loop.

    Threads inherit the context by which the platform knows the visitor.
    """
    while (value := await asyncio.to_thread(next, values, END)) is not END:
        yield value
