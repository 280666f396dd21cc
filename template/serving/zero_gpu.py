"""ZeroGPU: a GPU only during a call, in its own process, on the visitor's quota.

The platform's own package makes that process, so the model is loaded in the page's, and
each request is a batch of its own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

import tuning
from serving.batcher import as_exception, out_of_memory
from serving.contract import Model, revision
from serving.errors import TooLarge
from serving.examples import code_hash
from serving.messages import About
from serving.metrics import Metrics
from serving.values import encode_pictures

END = object()


class ZeroGpu:
    """Answers as `Processes` does, with the platform's GPU."""

    def __init__(self, metrics: Metrics) -> None:
        import spaces

        from serving.runtime import runtime

        self._metrics = metrics
        self._model = model = Model()
        model.load()
        self.about = About(
            runtime,
            model.streams,
            model.deterministic,
            revision(runtime.model_id),
            code_hash(),
            copies=1,
        )
        typical = runtime.tier.gpu_seconds

        def seconds(items: Sequence[Any]) -> int:
            """That a request asks for: the visitor's quota must have as many left."""
            share = model.size(items) / tuning.TYPICAL_INPUT
            return math.ceil(typical * max(1, share))

        if model.streams:
            self._stream = spaces.GPU(in_own_loop(model.stream), duration=seconds)
        else:
            self._predict = spaces.GPU(model.predict, duration=seconds)

    def start(self) -> None:
        """Nothing is needed."""

    def close(self) -> None:
        """Release the model."""
        self._model.unload()

    def answers_as(self, version: tuple[str, ...]) -> bool:
        """Whether those that have just come are of this version: there is no other."""
        return True

    async def answer(self, inputs: tuple[Any, ...], arrived: float) -> Any:
        """The model's answer.

        Raises:
            Exception: what model.py or the platform raised.
        """
        prepared = await asyncio.to_thread(self._model.prepare, inputs)
        try:
            (result,) = await asyncio.to_thread(self._predict, [prepared.item])
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if out_of_memory(error):
                raise TooLarge from error
            raise as_exception(error) from None
        self._metrics.streaming(1)
        return await asyncio.to_thread(encode_pictures, result)

    async def stream(
        self, inputs: tuple[Any, ...], arrived: float
    ) -> AsyncGenerator[Any, None]:
        """The model's answer bit by bit; each value replaces the one before."""
        self._metrics.streaming(1)
        values, value = self._stream(inputs), None
        try:
            while value is not END:
                # threads inherit the context by which the platform knows the visitor
                step = asyncio.ensure_future(asyncio.to_thread(next, values, END))
                value = await asyncio.shield(step)
                if value is not END:
                    yield value
        finally:
            await asyncio.wait([step])  # who left may have left in the middle of it
            await asyncio.to_thread(values.close)


def in_own_loop(
    stream: Callable[..., AsyncGenerator[Any, None]],
) -> Callable[..., Iterator[Any]]:
    """An async generator as a plain one, the only kind that the platform takes."""

    def run(inputs: tuple[Any, ...]) -> Iterator[Any]:
        values = stream(inputs)
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
