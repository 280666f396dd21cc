"""The server: what app.py talks to. It loads the model and answers one visitor."""

from __future__ import annotations

import asyncio
import html
import importlib
import logging
import threading
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Hashable,
    Sequence,
)
from contextlib import aclosing, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import gradio as gr

from serving.batcher import Batcher, Counters, out_of_memory
from serving.card import read_card
from serving.digest import digest
from serving.errors import InputError
from serving.examples import ExampleCache, load_examples
from serving.launch import launch
from serving.runtime import runtime
from serving.zero_gpu import in_own_loop, in_thread, on_gpu

log = logging.getLogger("space")

# In seconds, between two updates of a streamed answer; each costs about 0.6 ms of CPU.
STREAM_SECONDS = 0.05
SORRY = (
    "Something went wrong with this request. Please try again, or try another input."
)
TOO_LARGE = (
    "This request needs more memory than there is here. Please try a smaller one."
)

# The number of the example that is being answered ahead of the visitors.
current_example: ContextVar[int | None] = ContextVar("current_example", default=None)


class Request(NamedTuple):
    """One prepared request, as the batcher wants it."""

    item: Any
    cost: int
    group: Hashable
    key: bytes | None


class Server:
    """Serves `model.py`, which defines `load()` and one of:

    - `predict(...)`, a batch function as Gradio defines it: it gets one list per input
      and returns a list with one result per request, or a tuple of such lists, one per
      output;
    - `stream(...)`, an async generator that yields the answer so far, again and again.

    It may also define, each for one request:

    - `prepare(*inputs)`, which checks and converts the inputs while the model is busy
      with others; `predict` then gets one list of what it returned;
    - `cost(item)`, its length, so that requests of similar length share a batch;
    - `group(item)`, what must be equal within a batch.

    And `unload()`, called at the end.
    """

    def __init__(self) -> None:
        self._model = importlib.import_module("model")
        self._model.load()
        self.card = read_card()
        title, description = map(html.escape, self.card)
        self.heading = (
            f'<div style="overflow-wrap: anywhere"><h1>{title}</h1>\n'
            f"<p>{description}</p></div>"
        )
        self.examples = load_examples()
        self._cache = ExampleCache(runtime.model_id, runtime.dtype)
        self._example_numbers: dict[bytes, int] = {}
        self.counters = Counters()
        self._streams = 0
        self._batcher: Batcher | None = None
        tier = runtime.tier
        if not hasattr(self._model, "stream"):
            if runtime.zero_gpu:
                self._gpu_rows = on_gpu(self._rows, tier.gpu_seconds)
            else:
                self._batcher = Batcher(
                    self._rows, tier.max_batch_size, tier.max_batch_tokens
                )
                self.counters = self._batcher.counters
        elif runtime.zero_gpu:
            self._gpu_stream = on_gpu(in_own_loop(self._model.stream), tier.gpu_seconds)

    @property
    def concurrency_limit(self) -> int:
        """Requests beyond Gradio's queue: one batch that runs and one that forms."""
        at_once = runtime.tier.max_batch_size
        return at_once if hasattr(self._model, "stream") else 2 * at_once

    async def answer(self, *inputs: Any) -> Any:
        """Answer one visitor's inputs.

        Raises:
            gr.Error: with a sentence for the visitor.
        """
        try:
            request = await asyncio.to_thread(self._prepare, inputs)
            number = self._example(request.key)
            if number is not None and number in self._cache:
                with suppress(LookupError):  # damaged: computed and kept anew
                    return await asyncio.to_thread(self._cache.get, number)
            answer = await self._compute(request)
            if number is not None:
                await asyncio.to_thread(self._cache.put, number, answer)
            return answer
        except Exception as error:  # noqa: BLE001  # whatever it is, in plain words
            raise for_visitor(error) from None

    async def stream(self, *inputs: Any) -> AsyncIterator[Any]:
        """Answer one visitor bit by bit; each value replaces the one before.

        Raises:
            gr.Error: with a sentence for the visitor.
        """
        try:
            number = self._example(digest(inputs))
            latest = None
            if number is not None and number in self._cache:
                with suppress(LookupError):  # damaged: computed and kept anew
                    latest = await asyncio.to_thread(self._cache.get, number)
            if latest is not None:
                yield latest
                return
            async with aclosing(self._coalesced(inputs)) as values:
                async for latest in values:
                    yield latest
            if number is not None:
                await asyncio.to_thread(self._cache.put, number, latest)
        except Exception as error:  # noqa: BLE001  # whatever it is, in plain words
            raise for_visitor(error) from None

    def launch(
        self, demo: gr.Blocks, function: Callable[..., Any], **options: Any
    ) -> None:
        """Serve `demo` until the process is told to stop.

        Args:
            function: the one of app.py that answers; it is called with each example.
            options: for Gradio's `launch`.
        """
        know = threading.Thread(
            target=self._know_examples, args=(function,), daemon=True
        )
        summarize = threading.Thread(target=self._summarize, daemon=True)
        know.start()
        summarize.start()
        try:
            launch(demo, self.concurrency_limit, runtime.tier.max_size, options)
        finally:
            self.close()

    def close(self) -> None:
        """Stop the workers, release the model and say what was done."""
        if self._batcher is not None:
            self._batcher.close()
        if hasattr(self._model, "unload"):
            self._model.unload()
        log.info("stopped; %s", summary(self.counters))

    def _prepare(self, inputs: tuple[Any, ...]) -> Request:
        model = self._model
        item = model.prepare(*inputs) if hasattr(model, "prepare") else inputs
        cost = model.cost(item) if hasattr(model, "cost") else 0
        group = model.group(item) if hasattr(model, "group") else None
        return Request(item, cost, group, digest(item))

    def _rows(self, items: list[Any]) -> Sequence[Any]:
        """`model.predict` with one result per item, whichever way it is written."""
        if hasattr(self._model, "prepare"):
            return rows(self._model.predict(items), len(items))
        columns = [list(column) for column in zip(*items)]
        return rows(self._model.predict(*columns), len(items))

    async def _compute(self, request: Request) -> Any:
        if self._batcher is not None:
            return await asyncio.wrap_future(self._batcher.submit(*request))
        # ZeroGPU: visitors pay with their own quota, so each request is its own batch
        self._count(batch=1)
        (result,) = await asyncio.to_thread(self._gpu_rows, [request.item])
        return result

    async def _coalesced(self, inputs: tuple[Any, ...]) -> AsyncGenerator[Any, None]:
        """The model's stream: a value every `STREAM_SECONDS`, and always the last."""
        self._streams += 1
        self._count(batch=self._streams)
        shown, pending = 0.0, []
        try:
            if runtime.zero_gpu:
                source = in_thread(self._gpu_stream(*inputs))
            else:
                source = self._model.stream(*inputs)
            async with aclosing(source) as values:
                async for value in values:
                    pending = [value]
                    if time.monotonic() - shown >= STREAM_SECONDS:
                        shown, pending = time.monotonic(), []
                        yield value
            for value in pending:
                yield value
        finally:
            self._streams -= 1

    def _count(self, batch: int) -> None:
        self.counters.requests += 1
        self.counters.batches += 1
        self.counters.items += 1
        self.counters.largest_batch = max(self.counters.largest_batch, batch)

    def _example(self, key: bytes | None) -> int | None:
        """The number of the example that this request is, if it is one.

        Raises:
            Learned: the request was made only to learn its key.
        """
        number = current_example.get()
        if key is None or number is None:
            return self._example_numbers.get(key) if key else None
        self._example_numbers[key] = number
        if number in self._cache or not self._answers_ahead:
            raise Learned
        return number

    @property
    def _answers_ahead(self) -> bool:
        # on ZeroGPU there is no visitor yet whose quota could pay
        return runtime.cache_examples == "start" and not runtime.zero_gpu

    def _know_examples(self, function: Callable[..., Any]) -> None:
        """Learn to recognize the examples and, if asked to, answer them in advance."""
        if runtime.cache_examples == "off":
            return
        for number, row in enumerate(self.examples):
            current_example.set(number)
            try:
                asyncio.run(run_through(function(*row)))
            except Learned:
                continue
            except Exception as error:  # noqa: BLE001  # never stops the start
                log.warning("example %d has no kept answer: %s", number, error)

    def _summarize(self) -> None:
        """One line a minute while there is traffic."""
        seen = 0
        while True:
            time.sleep(60)
            if self.counters.requests > seen:
                seen = self.counters.requests
                log.info(summary(self.counters))


class Learned(BaseException):
    """Ends a request that was made only to learn which example it is."""


async def run_through(answer: Any) -> None:
    """Wait for a coroutine, or for the end of an async generator."""
    if isinstance(answer, AsyncIterator):
        async for _ in answer:
            pass
    else:
        await answer


def rows(results: Any, count: int) -> Sequence[Any]:
    """One result per request, from a list of them or a tuple of lists, one per output.

    Raises:
        TypeError: a list has another length than `count`.
    """
    columns = results if isinstance(results, tuple) else (results,)
    for column in columns:
        if len(column) != count:
            raise TypeError(
                f"predict got {count} requests and returned {len(column)} results; it must "
                "return a list with one result per request, or a tuple of such lists"
            )
    return columns[0] if len(columns) == 1 else list(zip(*columns))


def for_visitor(error: Exception) -> Exception:
    """The error that the visitor reads; an unforeseen one is logged and put plainly."""
    if isinstance(error, gr.Error):
        return error
    if not isinstance(error, InputError):
        log.error("a request failed", exc_info=error)
    sorry = TOO_LARGE if out_of_memory(error) else SORRY
    message = str(error) if isinstance(error, InputError) else sorry
    return gr.Error(html.escape(message), print_exception=False)


def summary(counters: Counters) -> str:
    """The counters as a sentence."""
    return (
        f"{counters.requests} requests ({counters.shared} shared, "
        f"{counters.failed} failed, {counters.left} left) "
        f"in {counters.batches} batches of up to {counters.largest_batch}"
    )
