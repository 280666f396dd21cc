"""The server: what app.py talks to. Loads the model and answers one visitor's request at a time."""

from __future__ import annotations

import asyncio
import html
import importlib
import importlib.util
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import gradio as gr

import tuning
from serving.batcher import Batcher, Counters
from serving.card import read_card
from serving.digest import digest
from serving.errors import InputError
from serving.examples import ExampleCache, load_examples
from serving.runtime import runtime

log = logging.getLogger("space")

DELETE_CACHE = (3600, 86400)  # seconds: look every hour, delete uploads and outputs after a day
MAX_BODY_BYTES = 20 * 2**20  # of one request or upload
SESSIONS = 1000  # visitors whose state is kept at the same time
STREAM_SECONDS = 0.05  # between two updates of a streamed answer; each costs about 0.6 ms of CPU
SORRY = "Something went wrong with this request. Please try again, or try another input."

# Gradio rebuilds a table of up to 10,000 events after every event unless told otherwise, and
# reports usage to its makers. Variables of the same name that are set already are respected.
QUIET_GRADIO = {
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
}
for name, value in QUIET_GRADIO.items():
    os.environ.setdefault(name, value)


# The number of the example that is being answered ahead of the visitors.
current_example: ContextVar[int | None] = ContextVar("current_example", default=None)


class Request(NamedTuple):
    """One prepared request, as the batcher wants it."""

    item: Any
    cost: int
    group: Hashable
    key: bytes | None


class Server:
    """Serves `model.py`.

    model.py defines `load()` and one of:

    - `predict(...)`: a batch function as Gradio defines it. It gets one list per input and returns a
      list with one result per request, or a tuple of such lists, one per output.
    - `stream(...)`: an async generator that yields the answer so far, again and again.

    It may also define, each for one request: `prepare(*inputs)`, which checks and converts the inputs
    outside the model's turn and whose result `predict` then gets in its only list; `cost(item)`, its
    length, for batches of similar length; `group(item)`, what must be equal within a batch.
    """

    def __init__(self) -> None:
        self._model = importlib.import_module("model")
        self._model.load()
        self.card = read_card()
        self.examples = load_examples()
        self.heading = f"<h1>{html.escape(self.card.title)}</h1>\n{html.escape(self.card.description)}"
        self._cache = ExampleCache(runtime.model_id, runtime.dtype)
        self._example_numbers: dict[bytes, int] = {}
        self._streams = 0
        self._batcher: Batcher | None = None
        self.counters = Counters()
        if hasattr(self._model, "stream"):
            self._stream = self._on_zero_gpu(in_own_loop(self._model.stream), self._model.stream)
        elif runtime.zero_gpu:
            self._predict = self._on_zero_gpu(self._rows, self._rows)
        else:
            tier = runtime.tier
            self._batcher = Batcher(self._rows, tier.max_batch_size, tier.max_batch_tokens)
            self.counters = self._batcher.counters

    @property
    def concurrency_limit(self) -> int:
        """Requests beyond Gradio's queue: one batch that runs and one that forms."""
        at_once = runtime.tier.max_batch_size
        return at_once if hasattr(self._model, "stream") else 2 * at_once

    async def answer(self, *inputs: Any) -> Any:
        """Answer one visitor's inputs, one per input component.

        Raises:
            gr.Error: with a sentence for the visitor.
        """
        try:
            request = await asyncio.to_thread(self._prepare, inputs)
            number = self._example(request.key)
            if number is not None and number in self._cache:
                return await asyncio.to_thread(self._cache.get, number)
            answer = await self._compute(request)
            if number is not None:
                await asyncio.to_thread(self._cache.put, number, answer)
            return answer
        except Exception as error:
            raise for_visitor(error) from None

    async def stream(self, *inputs: Any) -> AsyncIterator[Any]:
        """Answer one visitor's inputs bit by bit; each value that is yielded replaces the one before.

        Raises:
            gr.Error: with a sentence for the visitor.
        """
        try:
            number = self._example(digest(inputs))
            if number is not None and number in self._cache:
                yield await asyncio.to_thread(self._cache.get, number)
                return
            latest = None
            async for latest in self._coalesced(*inputs):
                yield latest
            if number is not None:
                await asyncio.to_thread(self._cache.put, number, latest)
        except Exception as error:
            raise for_visitor(error) from None

    def launch(self, demo: gr.Blocks, function: Callable[..., Any], **options: Any) -> None:
        """Serve `demo` until the process is told to stop.

        Args:
            function: the one of app.py that answers; it is called with each example.
            options: for Gradio's `launch`.
        """
        explain_unreadable_inputs(demo)
        limit = self.concurrency_limit
        own_limit = "GRADIO_DEFAULT_CONCURRENCY_LIMIT" in os.environ
        demo.queue(
            max_size=runtime.tier.max_size,
            default_concurrency_limit="not_set" if own_limit else limit,
            status_update_rate=5,  # seconds; "auto" tells every waiting visitor about every change
        )
        defaults: dict[str, Any] = {
            "max_threads": max(40, 2 * limit + 8),  # it bounds async functions as well
            "max_file_size": MAX_BODY_BYTES,
            "app_kwargs": {"max_body_size": MAX_BODY_BYTES},
            "state_session_capacity": SESSIONS,
            "enable_monitoring": False,
        }
        if "GRADIO_RUN_HISTORY" not in os.environ:
            defaults["run_history"] = False  # keep nothing of what visitors type
        if "GRADIO_MCP_SERVER" not in os.environ:
            defaults["mcp_server"] = importlib.util.find_spec("mcp") is not None
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as with Ctrl-C
        for work, arguments in ((self._know_examples, (function,)), (self._summarize, ())):
            threading.Thread(target=work, args=arguments, daemon=True).start()
        try:
            demo.launch(**{**defaults, **options})
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
            future = self._batcher.submit(request.item, request.cost, request.group, request.key)
            return await asyncio.wrap_future(future)
        # ZeroGPU: each visitor pays with their own quota, so each request is its own batch. The
        # thread inherits the context by which the platform knows the visitor.
        self._count_batch(1)
        (result,) = await asyncio.to_thread(self._predict, [request.item])
        return result

    async def _coalesced(self, *inputs: Any) -> AsyncIterator[Any]:
        """The stream of the model, at most one value every `STREAM_SECONDS`, and the last one."""
        self._streams += 1
        self._count_batch(self._streams)
        last_time, kept = 0.0, []
        source = self._stream(*inputs)
        try:
            async for value in as_async(source):
                kept = [value]
                if time.monotonic() - last_time >= STREAM_SECONDS:
                    last_time, kept = time.monotonic(), []
                    yield value
            for value in kept:
                yield value
        finally:
            self._streams -= 1

    def _count_batch(self, size: int) -> None:
        self.counters.requests += 1
        self.counters.batches += 1
        self.counters.items += 1
        self.counters.largest_batch = max(self.counters.largest_batch, size)

    def _on_zero_gpu(self, task: Callable[..., Any], elsewhere: Callable[..., Any]) -> Any:
        if not runtime.zero_gpu:
            return elsewhere
        import spaces

        return spaces.GPU(task, duration=runtime.tier.gpu_seconds)

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
        return tuning.CACHE_EXAMPLES == "start" and not runtime.zero_gpu

    def _know_examples(self, function: Callable[..., Any]) -> None:
        """Learn to recognize the examples and, if asked to, answer them ahead of the visitors."""
        if tuning.CACHE_EXAMPLES == "off":
            return
        for number, row in enumerate(self.examples):
            current_example.set(number)
            try:
                asyncio.run(run_through(function(*row)))
            except Learned:
                continue
            except Exception as error:
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
    """One result per request, from a list of them or from a tuple of lists, one per output.

    Raises:
        TypeError: a list has another length than `count`.
    """
    columns = results if isinstance(results, tuple) else (results,)
    for column in columns:
        if len(column) != count:
            raise TypeError(
                f"predict got {count} requests and returned {len(column)} results; it must return a "
                "list with one result per request, or a tuple of such lists, one per output"
            )
    return columns[0] if len(columns) == 1 else list(zip(*columns))


def for_visitor(error: Exception) -> Exception:
    """The error that the visitor may read; anything unforeseen is logged and put in plain words."""
    if isinstance(error, gr.Error):
        return error
    if not isinstance(error, InputError):
        log.error("a request failed", exc_info=error)
    message = str(error) if isinstance(error, InputError) else SORRY
    return gr.Error(html.escape(message), print_exception=False)


def explain_unreadable_inputs(demo: gr.Blocks) -> None:
    """Say which input Gradio could not read, in place of an empty error."""
    for function in demo.fns.values():
        for component in function.inputs:
            if not hasattr(component.preprocess, "explained"):
                component.preprocess = explained(component.preprocess, component.label or "input")


def explained(preprocess: Callable[[Any], Any], label: str) -> Callable[[Any], Any]:
    """`preprocess` with an error that names the input."""

    def run(payload: Any) -> Any:
        try:
            return preprocess(payload)
        except gr.Error:
            raise
        except Exception as error:
            log.info("unreadable input: %s", error)
            message = f"The input “{label}” cannot be read. Please check it and try again."
            raise gr.Error(html.escape(message), print_exception=False) from None

    run.explained = True  # type: ignore[attr-defined]
    return run


def in_own_loop(stream: Callable[..., AsyncIterator[Any]]) -> Callable[..., Iterator[Any]]:
    """An async generator as a plain one, as ZeroGPU wants it."""

    def run(*inputs: Any) -> Iterator[Any]:
        values = stream(*inputs)
        loop = asyncio.new_event_loop()
        try:
            while True:
                yield loop.run_until_complete(anext(values))
        except StopAsyncIteration:
            return
        finally:
            loop.close()

    return run


async def as_async(source: AsyncIterator[Any] | Iterator[Any]) -> AsyncIterator[Any]:
    """Iterate over either kind without blocking the event loop, and close it when the visitor leaves."""
    if isinstance(source, AsyncIterator):
        try:
            async for value in source:
                yield value
        finally:
            await source.aclose()
        return
    end = object()
    while (value := await asyncio.to_thread(next, source, end)) is not end:
        yield value


def summary(counters: Counters) -> str:
    """The counters as a sentence."""
    return (
        f"{counters.requests} requests ({counters.shared} shared, {counters.failed} failed, "
        f"{counters.left} left) in {counters.batches} batches of up to {counters.largest_batch}"
    )
