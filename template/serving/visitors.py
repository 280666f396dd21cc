"""Who a request is from, and an equal share of the Space for each visitor.

A program that sends a hundred requests at once is one visitor like any other: its
requests wait for each other, not the other visitors for them.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.errors import TooMany

ACTIVE_SECONDS = 10  # a visitor counts for so long after a request
COUNT_SECONDS = 0.1  # how often to count them
MINUTE = 60


@dataclass(eq=False)
class Ticket:
    """A request's place in the line.

    Attributes:
        ahead: requests in the Space when it came, at the time `arrived`.
    """

    visitor: str
    turn: float
    ahead: int
    arrived: float
    running: bool = False

    @property
    def due(self) -> tuple[float, float]:
        """Whose turn it is, the smallest first: of equal turns, who came first."""
        return self.turn, self.arrived


class Shares:
    """What each visitor may have of the requests that are answered at the same time.

    Turns are those of self-clocked fair queueing (Golestani, 1994): each visitor's own
    requests follow one another, and all visitors go round.

    Args:
        at_once: requests that are answered at the same time.
        a_minute: requests of one visitor in a minute; 0 for no limit.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        at_once: int,
        a_minute: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once, self._a_minute, self._clock = at_once, a_minute, clock
        self._running: Counter[str] = Counter()
        self._latest: dict[str, float] = {}  # turn of each visitor's latest request
        self._seen: dict[str, float] = {}
        self._came: dict[str, deque[float]] = {}
        self._turn = 0.0  # of the request that began last
        self._counted, self._share = -math.inf, at_once

    def check_rate(self, visitor: str) -> None:
        """Count a request against the limit of a minute.

        Raises:
            TooMany: it is one more than that.
        """
        if not self._a_minute:
            return
        now = self._clock()
        came = self._came.setdefault(visitor, deque())
        while came and now - came[0] >= MINUTE:
            came.popleft()
        if len(came) >= self._a_minute:
            raise TooMany(self._a_minute, came[0] + MINUTE - now)
        came.append(now)

    def ticket(self, visitor: str, ahead: int = 0) -> Ticket:
        """The place of a request that comes now."""
        turn = max(self._turn, self._latest.get(visitor, 0.0)) + 1
        self._latest[visitor] = turn
        self._seen[visitor] = self._clock()
        return Ticket(visitor, turn, ahead, self._clock())

    def may_begin(self, ticket: Ticket) -> bool:
        """Whether its visitor has some of the share left."""
        return self._running[ticket.visitor] < self.share

    def begin(self, ticket: Ticket) -> None:
        """Count it among those that are answered now."""
        if not ticket.running:
            ticket.running = True
            self.pass_turn(ticket)
            self._running[ticket.visitor] += 1

    def pass_turn(self, ticket: Ticket) -> None:
        """Put whoever comes from now on after it."""
        self._turn = max(self._turn, ticket.turn)

    def end(self, ticket: Ticket) -> None:
        """Count it no more."""
        if not ticket.running:
            return
        ticket.running, visitor = False, ticket.visitor
        self._seen[visitor] = self._clock()
        self._running[visitor] -= 1
        if not self._running[visitor]:
            del self._running[visitor]

    @property
    def running(self) -> int:
        """Requests that are answered now."""
        return self._running.total()

    @property
    def share(self) -> int:
        """Requests that one visitor may have answered at the same time."""
        now = self._clock()
        if now - self._counted >= COUNT_SECONDS:
            self._counted = now
            self._forget(now)
            visitors = len(self._seen.keys() | self._running.keys())
            # of half of what runs at once: who comes next should find room in a batch
            equal = self._at_once // (2 * visitors) if visitors > 1 else self._at_once
            self._share = max(1, equal)
        return self._share

    def _forget(self, now: float) -> None:
        """Drop what is known of visitors who are gone."""
        for visitor, when in list(self._seen.items()):
            silent = now - when
            waits = self._latest.get(visitor, 0.0) > self._turn and silent < MINUTE
            if silent >= ACTIVE_SECONDS and not waits and visitor not in self._running:
                del self._seen[visitor]
                self._latest.pop(visitor, None)
        for visitor, came in list(self._came.items()):
            if now - came[-1] >= MINUTE:
                del self._came[visitor]


def visitor_of(request: Any, session: str = "") -> str:
    """Whom a request is from: the address that the platform's proxy saw.

    Args:
        request: of Starlette or of Gradio.
        session: tells visitors apart who share this very machine's address.
    """
    client = getattr(request, "client", None)
    host = str(client.host) if client is not None else ""
    if is_public(host):  # no proxy, or one that the web server has looked through
        return network(host)
    # each proxy adds the address that it saw on the right; what a visitor sends is on
    # the left, and may be made up
    forwarded = request.headers.get("x-forwarded-for", "")
    for address in reversed(forwarded.split(",")):
        if is_public(address.strip()):
            return network(address.strip())
    port = client.port if client is not None else 0
    return session or f"{host}:{port}"


def is_public(address: str) -> bool:
    """Whether it is the address of somebody on the internet."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def network(address: str) -> str:
    """What one visitor has: an IPv4 address, or a /64 of IPv6."""
    found = ipaddress.ip_address(address)
    if found.version == 4:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))
