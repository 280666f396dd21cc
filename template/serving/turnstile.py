"""Where requests of the direct route wait until they may begin.

Gradio's queue does the same for the others, see gradio_queue.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from serving.visitors import Shares, Ticket

AGAIN_SECONDS = 0.05  # whose turn it was may have left


class Turnstile:
    """Lets in so many at once, by turns and within each visitor's share.

    Args:
        at_once: requests that are answered at the same time, here and elsewhere.
        elsewhere: whose turn it is, of those that wait elsewhere and could begin.
    """

    def __init__(
        self,
        at_once: int,
        shares: Shares,
        elsewhere: Callable[[], Ticket | None] = lambda: None,
    ) -> None:
        self._at_once, self._shares, self._elsewhere = at_once, shares, elsewhere
        self._inside: set[Ticket] = set()
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}
        self._again: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> list[Ticket]:
        """Those that are not in yet."""
        return list(self._waiting)

    @property
    def next(self) -> Ticket | None:
        """Whose turn it is, of those here."""
        ready = (one for one in self._waiting if self._shares.may_begin(one))
        return min(ready, key=lambda one: one.due, default=None)

    @asynccontextmanager
    async def passing(self, ticket: Ticket) -> AsyncIterator[None]:
        """Wait until it may begin; with the end of this, another one may."""
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        try:
            self.let_in()
            if ticket in self._waiting:
                await self._waiting[ticket]
            yield
        finally:  # also of one that left while it waited
            self._waiting.pop(ticket, None)
            if ticket in self._inside:
                self._inside.remove(ticket)
                self._shares.end(ticket)
                self.let_in()

    def let_in(self) -> None:
        """Let those in for whom there is room now."""
        while self._shares.running < self._at_once:
            ticket = self.next
            if ticket is None:
                return
            rival = self._elsewhere()
            if rival is not None and rival.due < ticket.due:
                self._look_again()
                return
            coming = self._waiting.pop(ticket)
            if not coming.cancelled():
                coming.set_result(None)
                self._inside.add(ticket)
                self._shares.begin(ticket)

    def _look_again(self) -> None:
        if self._again is None:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(AGAIN_SECONDS, self._looked)

    def _looked(self) -> None:
        self._again = None
        self.let_in()
