"""Load: a number of visitors who ask one request after the other, or arrivals at a rate.

A closed loop shows the most that a Space can do; an open loop shows what visitors meet who come
whether or not the others are served. Every request is accounted for.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.load.visitor import Failed, Refused, Visitor, transport_failure

PAUSE_SECONDS = 0.05  # after a failure, so that a closed loop does not spin
CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=512, keepalive_expiry=4)


@dataclass
class Run:
    """What became of the requests that began inside the window.

    Attributes:
        offered: visitors of a closed loop, or arrivals a second of an open one.
        sent: how many began.
        ended: answers that came inside the window, whenever they were asked for.
        latencies, first: seconds until the whole answer, and until its first part.
        failures: how often, by kind.
        unfinished: requests that were still open when nobody waited any longer.
    """

    closed: bool
    offered: float
    seconds: float
    sent: int = 0
    ended: int = 0
    latencies: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    refused: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return self.ended / self.seconds

    def quantile(self, share: float) -> float | None:
        """Seconds within which that share was answered; None where nothing was."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class Load:
    """One run of load against one Space.

    Args:
        visitor: makes a visitor of a connection.
        inputs: what they ask.
        warm_up: seconds before the window, in which requests do not count.
        patience: seconds after it until open requests are given up.
    """

    def __init__(
        self,
        url: str,
        visitor: Callable[[Any], Visitor],
        inputs: Iterator[dict[str, Any]],
        *,
        seconds: float,
        warm_up: float,
        patience: float,
    ) -> None:
        self._url, self._visitor, self._inputs = url, visitor, inputs
        self._seconds, self._warm_up, self._patience = seconds, warm_up, patience

    async def closed(self, users: int) -> Run:
        """That many visitors, each asking again when answered."""
        run = Run(True, users, self._seconds)

        async def visit(client: Any) -> None:
            visitor = self._visitor(client)
            while time.monotonic() < self._end:
                if not await self._one(visitor, run):
                    await asyncio.sleep(PAUSE_SECONDS)

        return await self._drive(run, [visit] * users)

    async def open(self, rate: float, seed: int = 7) -> Run:
        """Arrivals at random times, `rate` a second, independent of each other."""
        run = Run(False, rate, self._seconds)
        chance = random.Random(seed)

        async def arrive(client: Any) -> None:
            visitor = self._visitor(client)
            at = time.monotonic()
            asked: list[asyncio.Future[bool]] = []
            try:
                while (at := at + chance.expovariate(rate)) < self._end:
                    await asyncio.sleep(max(0.0, at - time.monotonic()))
                    asked.append(asyncio.ensure_future(self._one(visitor, run)))
                await asyncio.gather(*asked)
            finally:
                for one in asked:
                    one.cancel()
                await asyncio.gather(*asked, return_exceptions=True)

        return await self._drive(run, [arrive])

    async def _drive(self, run: Run, tasks: list[Callable[[Any], Any]]) -> Run:
        timeout = httpx.Timeout(self._warm_up + self._seconds + self._patience, connect=10)
        client = httpx.AsyncClient(base_url=self._url, timeout=timeout, limits=CONNECTIONS)
        self._begin = time.monotonic() + self._warm_up
        self._end = self._begin + self._seconds
        async with client:
            running = [asyncio.ensure_future(task(client)) for task in tasks]
            limit = self._warm_up + self._seconds + self._patience
            done, late = await asyncio.wait(running, timeout=limit)
            for one in late:
                one.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            for one in done:
                one.result()
        return run

    async def _one(self, visitor: Visitor, run: Run) -> bool:
        """Ask once, and write down how it ended; returns whether there was an answer."""
        began = time.monotonic()
        counted = began >= self._begin
        run.sent += counted
        try:
            parts = await visitor.ask(next(self._inputs))
        except asyncio.CancelledError:
            run.unfinished += counted
            raise
        except Refused:
            run.refused += counted
            return False
        except Failed as error:
            run.failures[str(error)] += counted
            return False
        except (httpx.HTTPError, ValueError, KeyError) as error:
            run.failures[transport_failure(error)] += counted
            return False
        now = time.monotonic()
        run.ended += self._begin <= now < self._end
        if counted:
            run.latencies.append(now - began)
            run.first.append(parts[0] - began)
        return True
