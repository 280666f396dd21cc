"""All copies of the model on Ray Serve, as the page sees them.

Ray picks the replica that has least to do. A request that was on a replica which ended is
asked again; a stream that has begun is not, its visitor is told.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

from gradio.utils import get_upload_folder
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import RayServeException

from serving.digest import is_in
from serving.errors import Restarted, Unavailable
from serving.messages import About
from serving.metrics import Metrics
from serving.replica import Answer, packed

ATTEMPTS = 3
START_SECONDS = 3600  # until the first copy of the model is loaded
GONE = (RayActorError, RayServeException)


class Replicas:
    """The model, for a `Server`.

    Args:
        copies: on Ray Serve, at most.
    """

    def __init__(self, metrics: Metrics, copies: int) -> None:
        self._metrics = metrics
        self._model = serve.get_app_handle("model")
        about: About = self._model.about.remote().result(timeout_s=START_SECONDS)
        self.about = about._replace(copies=copies * about.copies)

    def start(self) -> None:
        """Nothing: Ray has started them."""

    def close(self) -> None:
        """Nothing: Ray ends them."""

    async def answer(self, inputs: tuple[Any, ...], arrived: float) -> Any:
        """The model's answer.

        Raises:
            VisitorError: there is none.
        """
        given = await packed(inputs, is_upload)
        for _ in range(ATTEMPTS):
            asked = self._model.answer.remote(given, time.monotonic() - arrived)
            try:
                return self._value(await asked)
            except GONE:
                self._metrics.restarts.inc()
            finally:
                asked.cancel()  # nothing happens where it has ended
        raise Unavailable

    async def stream(
        self, inputs: tuple[Any, ...], arrived: float
    ) -> AsyncGenerator[Any, None]:
        """The model's answer bit by bit; each value replaces the one before.

        Raises:
            VisitorError: it ends early.
        """
        given = await packed(inputs, is_upload)
        streams: Any = self._model.options(stream=True).stream
        begun = False
        for _ in range(ATTEMPTS):
            asked = streams.remote(given, time.monotonic() - arrived)
            try:
                async for answer in asked:
                    begun = True
                    yield self._value(answer)
                return
            except GONE as error:
                self._metrics.restarts.inc()
                if begun:
                    raise Restarted from error
            finally:
                asked.cancel()
        raise Unavailable

    def _value(self, answer: Answer) -> Any:
        for name, values in answer.counts:
            getattr(self._metrics, name)(*values)
        if answer.code != self.about.code:
            self.about = self.about._replace(code=answer.code)
        if answer.error is not None:
            raise answer.error
        return answer.value


def is_upload(part: Any) -> bool:
    """Whether it is the path of a file that only this machine has."""
    return is_in(part, (get_upload_folder(),))
