"""All copies of the model on Ray Serve, as the page sees them.

Ray picks the replica that has least to do. A request that was on a replica which ended is
asked again; a stream that has begun is not, its visitor is told.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from gradio.utils import get_upload_folder
from ray import serve
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
)
from ray.serve.exceptions import RayServeException

from serving.digest import is_in
from serving.errors import Restarted, Unavailable
from serving.messages import About
from serving.metrics import Metrics
from serving.replica import Answer, packed

ATTEMPTS = 3
START_SECONDS = 3600  # until the first copy of the model is loaded
LOOK_SECONDS = 2.0  # how often to ask which model it is
PATIENCE = 3  # times the time limit: one batch runs, one waits, and a replica starts
GONE = (
    *(NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError),
    RayServeException,
)


class Replicas:
    """The model, for a `Server`.

    Args:
        copies: on Ray Serve, at most.
    """

    def __init__(self, metrics: Metrics, copies: int) -> None:
        self._metrics, self._copies = metrics, copies
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._model = serve.get_app_handle("model")
                break
            except RayServeException:  # it is being built
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
        told = self._model.about.remote().result(timeout_s=START_SECONDS)
        self.about = self._of_all(told)
        self._mixed_until = 0.0
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Ray has started them; look what they are."""
        self._looking = asyncio.ensure_future(self._look())

    def close(self) -> None:
        """Nothing: Ray ends them."""

    def answers_as(self, version: tuple[str, ...]) -> bool:
        """Whether those that have just come are of this version, as all are."""
        return self.about.version == version and time.monotonic() > self._mixed_until

    async def answer(self, inputs: tuple[Any, ...], arrived: float) -> Any:
        """The model's answer.

        Raises:
            VisitorError: there is none.
        """
        given = await packed(inputs, is_upload)
        for _ in range(ATTEMPTS):
            asked = asking(self._model.answer, given, arrived)
            try:
                return self._value(await within(self._patience, asked))
            except GONE:
                self._metrics.restarted()
        raise Unavailable

    async def stream(
        self, inputs: tuple[Any, ...], arrived: float
    ) -> AsyncGenerator[Any, None]:
        """The model's answer bit by bit; each value replaces the one before.

        Raises:
            VisitorError: it ends early.
        """
        given = await packed(inputs, is_upload)
        streams = self._model.options(stream=True).stream
        begun = False
        for _ in range(ATTEMPTS):
            asked = asking(streams, given, arrived)
            try:
                answer = await within(self._patience, asked)
                while answer is not None:
                    begun = True
                    yield self._value(answer)
                    answer = await anext(asked, None)
                return
            except GONE as error:
                self._metrics.restarted()
                if begun:
                    raise Restarted from error
            except (asyncio.CancelledError, GeneratorExit):
                asked.cancel()
                raise
        raise Unavailable

    @property
    def _patience(self) -> float:
        return PATIENCE * self.about.runtime.tier.time_limit

    def _of_all(self, about: About) -> About:
        return about._replace(copies=self._copies * about.copies)

    def _value(self, answer: Answer) -> Any:
        for name, values in answer.counts:
            getattr(self._metrics, name)(*values)
        if answer.version != self.about.version:  # keep none of them for now
            self._mixed_until = time.monotonic() + 2 * LOOK_SECONDS
        if answer.error is not None:
            raise answer.error
        return answer.value

    async def _look(self) -> None:
        """Notice when another model has taken over."""
        before = self.about
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                told = await within(self._patience, asking(self._model.about))
            except (*GONE, Unavailable):
                continue
            if told == before:  # twice the same, so probably all of them are
                self.about = self._of_all(told)
            before = told


def asking(method: Any, *request: Any) -> Any:
    """A call of a replica, which is not part of the HTTP request that is being answered.

    Several visitors may wait for it, and the first of them may leave.

    Args:
        request: the inputs, and when they arrived.
    """
    arguments = request
    if request:
        inputs, arrived = request
        arguments = inputs, time.monotonic() - arrived
    return contextvars.Context().run(method.remote, *arguments)


async def within(seconds: float, asked: Any) -> Any:
    """The answer to a call, which is cancelled with whoever waits for it.

    Of a stream it is the next value, None at its end.

    Raises:
        Unavailable: it has not come by then.
    """

    async def result() -> Any:
        is_stream = isinstance(asked, AsyncIterator)
        return await (anext(asked, None) if is_stream else asked)

    task = asyncio.ensure_future(result())
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise Unavailable
        return task.result()
    finally:
        if not task.done():
            asked.cancel()
            task.cancel()


def is_upload(part: Any) -> bool:
    """Whether it is the path of a file that only this machine has."""
    return is_in(part, (get_upload_folder(),)) and os.path.isfile(part)
