"""Who waits, who is let in, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from serving.errors import Busy

# Which way the request that is being answered came: "queue" or "direct".
route: ContextVar[str] = ContextVar("route", default="queue")

FORGET = 0.98  # of what is known, with each answer: the last 50 or so count
# The fit is pulled towards "nobody ahead, no wait" with this share of the weight; it
# matters only while all answers had the same number of requests ahead of them.
ORIGIN = 0.05


class Line:
    """The requests of both routes: through Gradio's queue, and direct.

    Args:
        at_once: requests that are answered at the same time.
        max_size: further ones that may wait.
    """

    def __init__(self, at_once: int, max_size: int) -> None:
        self._at_once, self._max_size = at_once, max_size
        self.inside = 0  # requests that are being answered, or wait for the model
        self.queued: Callable[[], int] = lambda: 0  # requests in Gradio's queue
        self._weight = self._ahead = self._time = 0.0
        self._ahead_ahead = self._ahead_time = 0.0

    @property
    def length(self) -> int:
        """Requests in the Space."""
        return self.inside + self.queued()

    def admit(self) -> None:
        """Check that another request may come in.

        Raises:
            Busy: too many wait.
        """
        waiting = self.queued() + max(0, self.inside - self._at_once)
        if waiting >= self._max_size:
            # until a tenth of the waiting are gone, so that a retry finds room
            gone = max(1, waiting // 10)
            later = (self.expected(self.length) or 1) - (
                self.expected(self.length - gone) or 0
            )
            raise Busy(later)

    def answered(self, ahead: int, seconds: float) -> None:
        """Learn from a request that met `ahead` others and took `seconds` in all."""
        place = ahead + 1
        self._weight = FORGET * self._weight + 1
        self._ahead = FORGET * self._ahead + place
        self._time = FORGET * self._time + seconds
        self._ahead_ahead = FORGET * self._ahead_ahead + place * place
        self._ahead_time = FORGET * self._ahead_time + place * seconds

    def expected(self, place: int) -> float | None:
        """Seconds until the request at `place` in the Space, from 1, is answered.

        A straight line through what was learned (least squares): answers come in
        batches, so neither the time of one nor the number of workers would tell.
        """
        if not self._weight:
            return None
        weight = (1 + ORIGIN) * self._weight
        spread = weight * self._ahead_ahead - self._ahead**2
        slope = (weight * self._ahead_time - self._ahead * self._time) / spread
        slope = max(0.0, slope)
        start = (self._time - slope * self._ahead) / weight
        return max(0.0, start + slope * place)
