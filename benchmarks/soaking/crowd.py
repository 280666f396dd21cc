"""Many visitors for a while, as they come to a Space that is known."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from soaking.people import Ended, Person, address
from soaking.questions import Question, Questions
from spaces_gen.load.endpoint import Endpoint


@dataclass(frozen=True)
class Habits:
    """How visitors behave.

    Attributes:
        think: seconds between an answer and the next question, on average.
        direct: share of the visitors who are programs.
        leave: share of the questions whose visitor hangs up before the answer.
        leave_within: seconds until then, at most.
        reload: share of the questions before which the page is loaded anew.
        rush: seconds between the moments at which all stop thinking and ask.
    """

    think: float = 10.0
    direct: float = 0.15
    leave: float = 0.08
    leave_within: float = 1.0
    reload: float = 0.05
    rush: float = 30.0


@dataclass
class Seen:
    """What became of all requests."""

    ended: list[Ended] = field(default_factory=list)
    asked: int = 0
    pages: int = 0
    pages_failed: int = 0
    unclosed: int = 0  # streams, behind the answer

    @property
    def counts(self) -> Counter[str]:
        """How often each way to end."""
        return Counter(one.how for one in self.ended)

    def problems(self) -> list[str]:
        """What must not be, in words."""
        said = Counter(
            f"{one.how} ({one.way}): {one.said}"
            for one in self.ended
            if one.how in ("lost", "wrong", "error")
        )
        return [f"{count} x {what}" for what, count in said.most_common(20)]

    def summary(self) -> dict[str, Any]:
        """All of it, by route."""
        ways = sorted({one.way for one in self.ended})
        return {
            "asked": self.asked,
            "unaccounted": self.asked - len(self.ended),
            **{how: self.counts[how] for how in HOWS},
            "pages": self.pages,
            "pages failed": self.pages_failed,
            "streams not closed": self.unclosed,
            "latency": {way: quantiles(self.ended, way) for way in ways},
            "problems": self.problems(),
        }


HOWS = ("right", "refused", "left", "lost", "wrong", "error")


def quantiles(ended: Iterable[Ended], way: str) -> dict[str, float]:
    """Of the seconds until an answer."""
    found = sorted(one.seconds for one in ended if one.way == way and one.how == "right")
    if not found:
        return {}
    shares = (0.5, 0.95, 0.99)
    return {
        **{f"p{100 * share:.0f}": found[int(share * (len(found) - 1))] for share in shares},
        "max": found[-1],
    }


async def crowd(
    endpoint: Endpoint,
    questions: Questions,
    asking: Iterator[Question],
    users: int,
    seconds: float,
    habits: Habits = Habits(),  # it is frozen
    ways: tuple[str, ...] = ("queue", "direct"),
) -> Seen:
    """So many visitors for so long; all that was asked is waited for.

    Args:
        asking: the questions that are not asked yet.
    """
    seen = Seen()
    end = time.monotonic() + seconds
    rush = asyncio.Event()

    async def hurry() -> None:
        while True:
            await asyncio.sleep(habits.rush)
            rush.set()
            await asyncio.sleep(0)
            rush.clear()

    async def visit(number: int) -> None:
        chance = random.Random(number)
        way = "direct" if "direct" in ways and chance.random() < habits.direct else "queue"
        person = Person(endpoint, questions, address(number))
        try:
            await asyncio.sleep(chance.random() * min(habits.think, seconds / 4))
            if way == "queue":
                await load(person, seen)
            while time.monotonic() < end and (question := next(asking, None)):
                if way == "queue" and chance.random() < habits.reload:
                    await load(person, seen)
                leave = None
                if chance.random() < habits.leave:
                    leave = (
                        chance.random() ** 3 * habits.leave_within
                    )  # most soon, as answers are quick
                seen.asked += 1
                seen.ended.append(await person.ask(question, way, leave))
                # half of them have closed the page, of the others the connection broke
                if seen.ended[-1].how == "left" and way == "queue" and chance.random() < 0.5:
                    await load(person, seen)
                pause = chance.expovariate(1 / habits.think)
                pause = min(pause, max(0.0, end - time.monotonic()))
                await waited(rush, pause)
        finally:
            seen.unclosed += person.unclosed
            await person.close()

    hurrying = asyncio.ensure_future(hurry())
    try:
        await asyncio.gather(*map(visit, range(users)))
    finally:
        hurrying.cancel()
    return seen


async def load(person: Person, seen: Seen) -> None:
    """Open the page, and note it."""
    seen.pages += 1
    seen.pages_failed += bool(await person.open_page())


async def waited(event: asyncio.Event, seconds: float) -> None:
    """Until it happens, or so long."""
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
