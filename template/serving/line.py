"""Who waits, who is let in, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from serving.errors import Busy, Closing
from serving.turnstile import Turnstile
from serving.visitors import Shares, Ticket

# Which way the request that is being answered came: "queue" or "direct".
route: ContextVar[str] = ContextVar("route", default="queue")
# Its place in the line, where it came on the direct route.
direct: ContextVar[Ticket | None] = ContextVar("direct", default=None)

FORGET = 0.98  # of what is known, with each answer: the last 50 or so count
# The fit is pulled towards "nobody ahead, no wait" with this share of the weight; it
# matters only while all answers had the same number of requests ahead of them.
ORIGIN = 0.05


class Line:
    """The requests of both routes: through Gradio's queue, and direct.

    Args:
        at_once: requests that are answered at the same time.
        max_size: further ones that may wait.
        a_minute: requests of one visitor in a minute; 0 for no limit.
    """

    def __init__(self, at_once: int, max_size: int, a_minute: int = 0) -> None:
        self.at_once, self._max_size = at_once, max_size
        self.shares = Shares(at_once, a_minute)
        self.closing = False  # nobody is let in any more
        self.inside = 0  # requests that are being answered, or wait for the model
        self.queued: Callable[[], list[Ticket]] = list  # requests in Gradio's queue
        self.next_queued: Callable[[], Ticket | None] = lambda: None  # whose turn it is
        # of the direct route
        self.turnstile = Turnstile(at_once, self.shares, lambda: self.next_queued())
        self._weight = self._ahead = self._time = 0.0
        self._ahead_ahead = self._ahead_time = 0.0

    @property
    def length(self) -> int:
        """Requests in the Space."""
        return self.inside + len(self.waiting)

    @property
    def waiting(self) -> list[Ticket]:
        """Those that may not begin yet."""
        return [*self.queued(), *self.turnstile.waiting]

    def admit(self, visitor: str) -> None:
        """Check that another request may come in.

        The last half of the places is for those who have few.

        Raises:
            Busy: too many wait.
            Closing: the Space is about to stop.
        """
        if self.closing:
            raise Closing
        tickets = self.waiting
        waiting = len(tickets) + max(0, self.inside - self.at_once)
        if 2 * waiting < self._max_size:
            return
        own = sum(ticket.visitor == visitor for ticket in tickets)
        others = len({ticket.visitor for ticket in tickets} - {visitor})
        too_many = others and own >= max(1, self._max_size // (2 * (others + 1)))
        if too_many or waiting >= self._max_size:
            # when all of them are answered: before, others come in between
            raise Busy(self.expected(self.length) or 1)

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
