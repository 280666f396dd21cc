"""Where requests of the direct route wait until they may begin.

Gradio's queue does the same for the others, see gradio_queue.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from serving.visitors import Shares, Ticket


class Turnstile:
    """Lets in so many at once, by turns and within each visitor's share."""

    def __init__(self, at_once: int, shares: Shares) -> None:
        self._at_once, self._shares = at_once, shares
        self._inside: set[Ticket] = set()
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}

    @property
    def waiting(self) -> list[Ticket]:
        """Those that are not in yet."""
        return list(self._waiting)

    @asynccontextmanager
    async def passing(self, ticket: Ticket) -> AsyncIterator[None]:
        """Wait until it may begin; with the end of this, another one may."""
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        try:
            self._let_in()
            if ticket in self._waiting:
                await self._waiting[ticket]
            yield
        finally:  # also of one that left while it waited
            self._waiting.pop(ticket, None)
            if ticket in self._inside:
                self._inside.remove(ticket)
                self._shares.end(ticket)
                self._let_in()

    def _let_in(self) -> None:
        while self._waiting and len(self._inside) < self._at_once:
            ready = [one for one in self._waiting if self._shares.may_begin(one)]
            if not ready:
                return
            ticket = min(ready, key=lambda one: one.turn)
            coming = self._waiting.pop(ticket)
            if not coming.cancelled():
                coming.set_result(None)
                self._inside.add(ticket)
                self._shares.begin(ticket)
