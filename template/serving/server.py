"""The server: what app.py talks to. It answers one visitor, see serving/__init__.py."""

from __future__ import annotations

import asyncio
import gc
import html
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.utils import get_upload_folder

from serving import place
from serving.api import DirectRoute, add_metrics
from serving.cache import AnswerCache
from serving.card import read_card
from serving.digest import digest, digest_files
from serving.endpoint import find_endpoint
from serving.errors import SORRY, InputError, NoRoom, VisitorError, no_room
from serving.examples import ExampleCache, load_examples
from serving.flight import Flight
from serving.gradio_queue import Visit, visit
from serving.launch import launch
from serving.line import Line, route
from serving.machine import ON_ZERO_GPU, write_log
from serving.messages import About
from serving.metrics import Metrics
from serving.values import Media, holds_media, is_unicode, replaced

log = logging.getLogger("space")

SUMMARY_SECONDS = 60
LEAVERS_SECONDS = 0.2  # how often to look who has left

# The number of the example that is being answered ahead of the visitors.
current_example: ContextVar[int | None] = ContextVar("current_example", default=None)


class Server:
    """Serves `model.py`, whose functions `serving.contract.Model` describes."""

    def __init__(self) -> None:
        write_log()
        os.chdir(Path(__file__).parent.parent)  # where the examples lie
        self.metrics = Metrics()
        self._model = place.loaded(self.metrics)
        self.card = read_card()
        title, description = map(html.escape, self.card)
        self.heading = (
            f'<div style="overflow-wrap: anywhere"><h1>{title}</h1>\n'
            f"<p>{description}</p></div>"
        )
        self.examples = load_examples()
        self._examples, self._kept_of = self._example_cache(), self.about.version
        self._example_numbers: dict[str, int] = {}
        self._cache = AnswerCache()
        self._flights: dict[str, Flight] = {}
        self._present: dict[asyncio.Task[Any], Callable[[], bool]] = {}
        self._demo: gr.Blocks | None = None
        runtime = self.about.runtime
        self.line = Line(
            self.concurrency_limit, runtime.tier.max_size, runtime.requests_per_minute
        )
        self.metrics.watch(lambda: self.line.length, lambda: len(self.line.waiting))

    @property
    def about(self) -> About:
        """What the model is; with copies on other machines that may change."""
        about: About = self._model.about
        return about

    @property
    def concurrency_limit(self) -> int:
        """Requests beyond Gradio's queue: those that are computed and as many again.

        So the next batch is prepared while one runs; streams all run at once.
        """
        at_once = self.about.copies * self.about.runtime.tier.max_batch_size
        return at_once if self.about.streams else 2 * at_once

    @property
    def model_id(self) -> str:
        """Which model it is: that of tuning.py, or of the variable MODEL_ID."""
        return self.about.runtime.model_id

    @property
    def max_input(self) -> int:
        """How much one request may hold here, in the unit that tuning.py names."""
        return self.about.runtime.tier.max_input

    async def answer(self, *inputs: Any) -> Any:
        """Answer one visitor's inputs.

        Raises:
            gr.Error: with a sentence for the visitor.
        """
        with self._visit() as request:
            check_text(inputs)
            answer = await self._answer(inputs, request)
            if route.get() == "queue" and holds_media(answer):
                return await asyncio.to_thread(as_files, answer)
            return answer

    async def stream(self, *inputs: Any) -> AsyncIterator[Any]:
        """Answer one visitor bit by bit; each value replaces the one before.

        Raises:
            gr.Error: with a sentence for the visitor.
        """
        with self._visit() as request:
            check_text(inputs)
            version, kept = self.about.version, self._kept
            number = self._example(await self._key(inputs, version))
            latest = None
            with suppress(LookupError):  # not there, or damaged
                latest = await self._keep_or_get(number)
                yield latest
                return
            async with aclosing(self._model.stream(inputs, request.arrived)) as values:
                async for latest in values:
                    yield latest
            request.computed = True
            if number is not None and self._model.answers_as(version):
                await asyncio.to_thread(kept.put, number, latest)

    def launch(
        self, demo: gr.Blocks, function: Callable[..., Any], **options: Any
    ) -> None:
        """Serve `demo` until the process is told to stop.

        Args:
            function: the one of app.py that answers; it is called with each example and
                by the direct route.
            options: for Gradio's `launch`.
        """
        self._demo = demo
        direct = None
        endpoint = find_endpoint(demo, function, self.examples)
        if options.get("auth") or options.get("auth_dependency"):
            log.info("no direct route: it does not ask for passwords")
        elif endpoint is None:
            log.info("no direct route: app.py does more than call its function")
        else:
            direct = DirectRoute(endpoint, self.line, self.metrics)
            direct.mention()

        @asynccontextmanager
        async def running(app: FastAPI) -> AsyncIterator[None]:
            demo.has_launched = True  # before the first request: now paths are checked
            self._model.start()
            add_metrics(app, self.metrics)
            if direct is not None:
                direct.add_to(app)
            tasks = [
                asyncio.ensure_future(work)
                for work in (
                    self._know_examples(function),
                    self._summarize(),
                    self._drop_leavers(),
                )
            ]
            yield
            for task in tasks:
                task.cancel()
            await self._cache.close()

        try:
            gc.collect()
            gc.freeze()  # what stays for ever is never looked through again
            max_size = self.about.runtime.tier.max_size
            launch(
                demo,
                self.line,
                self.metrics,
                self.concurrency_limit,
                max_size,
                running,
                options,
            )
        finally:
            self.close()

    def close(self) -> None:
        """Stop the model and say what was done."""
        self._model.close()
        log.info("stopped; %s", self.metrics)

    @contextmanager
    def _visit(self) -> Iterator[Visit]:
        """Count a request, watch whether its visitor stays, put its error plainly."""
        queue = self._demo._queue if self._demo is not None else None
        request = visit(queue, self.line)
        task = asyncio.current_task()
        if task is not None:
            self._present[task] = request.present
        self.line.inside += 1
        outcome = "left"
        try:
            yield request
            outcome = "answered"
        except Learned:
            outcome = ""
            raise
        except Exception as error:  # whatever it is, in plain words
            known = isinstance(error, (InputError, gr.Error))
            outcome = "invalid" if known else "failed"
            raise for_visitor(error) from error
        finally:
            self.line.inside -= 1
            self._present.pop(task, None)  # type: ignore[arg-type]
            if outcome == "answered":
                seconds = time.monotonic() - request.arrived
                if request.computed:
                    self.line.answered(request.ahead, seconds)
                self.metrics.latency.observe(seconds)
            if outcome and current_example.get() is None:
                self.metrics.ended(route.get(), outcome)

    def _example_cache(self) -> ExampleCache:
        runtime = self.about.runtime
        return ExampleCache(runtime.model_id, runtime.dtype, self.about.code)

    @property
    def _kept(self) -> ExampleCache:
        """The answers to the examples, by the model that is there now."""
        if self._kept_of != self.about.version:
            self._examples, self._kept_of = self._example_cache(), self.about.version
        return self._examples

    async def _key(
        self, inputs: tuple[Any, ...], version: tuple[str, ...]
    ) -> str | None:
        """What is the same for equal requests, whatever their files are called."""
        folders = (get_upload_folder(), "examples")
        known = await digest_files(inputs, folders)
        return digest((known, version))

    async def _answer(self, inputs: tuple[Any, ...], request: Visit) -> Any:
        version, kept = self.about.version, self._kept
        key = await self._key(inputs, version)
        number = self._example(key)
        with suppress(LookupError):
            return await self._keep_or_get(number)
        if key is None or not self.about.deterministic:
            answer = await self._model.answer(inputs, request.arrived)
        else:
            with suppress(LookupError):
                answer = await self._cache.get(key)
                self.metrics.cache_hits.inc()
                return answer
            # on ZeroGPU each visitor's quota pays, and its end is an error for them alone
            compute = self._compute if ON_ZERO_GPU else self._once
            answer = await compute(key, version, inputs, request.arrived)
        request.computed = True
        if number is not None and self._model.answers_as(version):
            await asyncio.to_thread(kept.put, number, answer)
        return answer

    async def _once(self, key: str, *request: Any) -> Any:
        """The model's answer, computed once for all who ask the same now."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(self._compute(key, *request))
        else:
            self.metrics.shared.inc()
        try:
            return await flight.wait()
        finally:
            if flight.over and self._flights.get(key) is flight:
                del self._flights[key]

    async def _compute(
        self,
        key: str,
        version: tuple[str, ...],
        inputs: tuple[Any, ...],
        arrived: float,
    ) -> Any:
        answer = await self._model.answer(inputs, arrived)
        if self._model.answers_as(version):
            await self._cache.put(key, answer)
        return answer

    async def _keep_or_get(self, number: int | None) -> Any:
        """The kept answer to an example.

        Raises:
            LookupError: there is none.
        """
        if number is None or number not in self._kept:
            raise LookupError(number)
        return await asyncio.to_thread(self._kept.get, number)

    def _example(self, key: str | None) -> int | None:
        """The number of the example that this request is, if it is one.

        Raises:
            Learned: the request was made only to learn its key.
        """
        number = current_example.get()
        if key is None or number is None:
            return self._example_numbers.get(key) if key else None
        self._example_numbers[key] = number
        if number in self._kept or not self._answers_ahead:
            raise Learned
        return number

    @property
    def _answers_ahead(self) -> bool:
        # on ZeroGPU there is no visitor yet whose quota could pay
        return self.about.runtime.cache_examples == "start" and not ON_ZERO_GPU

    async def _know_examples(self, function: Callable[..., Any]) -> None:
        """Learn to recognize the examples and, if asked to, answer them in advance."""
        if self.about.runtime.cache_examples == "off":
            return
        for number, row in enumerate(self.examples):
            current_example.set(number)
            try:
                await run_through(function(*row))
            except Learned:
                continue
            except Exception as error:  # noqa: BLE001  # never stops the start
                log.warning("example %d has no kept answer: %s", number, error)

    async def _drop_leavers(self) -> None:
        """Cancel the requests of visitors who have closed the page."""
        while True:
            await asyncio.sleep(LEAVERS_SECONDS)
            for task, present in list(self._present.items()):
                if not present():
                    task.cancel()

    async def _summarize(self) -> None:
        """One line a minute while there is traffic."""
        seen = 0
        while True:
            await asyncio.sleep(SUMMARY_SECONDS)
            if self.metrics.requests > seen:
                seen = self.metrics.requests
                log.info("%s", self.metrics)


class Learned(BaseException):
    """Ends a request that was made only to learn which example it is."""


def check_text(inputs: tuple[Any, ...]) -> None:
    """Refuse what no model can read.

    Raises:
        InputError: a text holds half of a character.
    """
    if not is_unicode(inputs):
        raise InputError("This text has a broken character. Please type it again.")


async def run_through(answer: Any) -> None:
    """Wait for a coroutine, or for the end of an async generator."""
    if isinstance(answer, AsyncIterator):
        async for _ in answer:
            pass
    else:
        await answer


def as_files(answer: Any) -> Any:
    """The answer with paths in place of media, as Gradio's components take them."""
    folder = Path(get_upload_folder())
    return replaced(
        answer, lambda part: part.file(folder) if isinstance(part, Media) else part
    )


def for_visitor(error: Exception) -> Exception:
    """The error that the visitor reads; an unforeseen one is logged and put plainly."""
    if isinstance(error, gr.Error):
        return error
    if not isinstance(error, VisitorError):
        log.error("a request failed", exc_info=error)
        error = NoRoom() if no_room(error) else error
    text = str(error) if isinstance(error, VisitorError) else SORRY
    return gr.Error(html.escape(text), print_exception=False)
