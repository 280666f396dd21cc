"""Ten times as many arrivals as can be answered, for a while, and then nobody but one visitor."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

from soaking.crowd import HOWS, quantiles
from soaking.people import Ended, Person, address
from soaking.questions import Texts
from soaking.sites import RunningSpace
from spaces_gen.load.endpoint import Endpoint, find_endpoint

BATCH, TIMES = 4, 10
BATCH_SECONDS = 0.6 + 0.1 * BATCH
CAPACITY = BATCH / BATCH_SECONDS  # requests a second
MAX_SIZE = 24  # as many as are answered within 6 s
AT_ONCE = 2 * BATCH  # of each route; those are let in without a place in the line
# all who may be in the Space before a request, and the batch that has just begun
LIMIT_SECONDS = (MAX_SIZE + AT_ONCE) / CAPACITY + BATCH_SECONDS
DIRECT = 0.3  # share of the arrivals
AGAIN = 0.5  # share of the refused who come again, once, when they were told to
CALM_SECONDS = 20.0
ALMOST = 1.5  # times the usual time still counts as usual


@dataclass
class Burst:
    """What became of the arrivals, and of those who came again."""

    first: list[Ended] = field(default_factory=list)
    again: list[Ended] = field(default_factory=list)
    end: float = 0.0
    lone: list[tuple[float, Ended]] = field(default_factory=list)  # after it


async def burst(endpoint: Endpoint, rate: float, seconds: float, patience: float) -> Burst:
    """Arrivals at random times, each another visitor; waits for none but the last."""
    found, chance, questions = Burst(), random.Random(7), Texts()
    asking = iter(questions)
    at = time.monotonic()
    found.end = at + seconds

    async def arrive(number: int, way: str, patient: bool) -> None:
        person = Person(endpoint, questions, address(number), patience)
        try:
            ended = await person.ask(next(asking), way)
            found.first.append(ended)
            if ended.how == "refused" and patient:
                await asyncio.sleep(ended.later)
                if time.monotonic() > found.end:  # that is another burst
                    return
                found.again.append(await person.ask(next(asking), way))
        finally:
            await person.close()

    tasks, number = [], 0
    while (at := at + chance.expovariate(rate)) < found.end:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        way = "direct" if endpoint.direct and chance.random() < DIRECT else "queue"
        number += 1
        work = arrive(number, way, chance.random() < AGAIN)
        tasks.append(asyncio.ensure_future(work))
    found.end = time.monotonic()  # a busy machine may be late
    calm = asyncio.ensure_future(lone(endpoint, CALM_SECONDS))
    await asyncio.gather(*tasks)
    found.lone = await calm
    return found


async def lone(endpoint: Endpoint, seconds: float) -> list[tuple[float, Ended]]:
    """One visitor who asks again and again, and when since the beginning."""
    person = Person(endpoint, Texts(), address(2**20))
    asking, began, found = iter(Texts()), time.monotonic(), []
    try:
        while (since := time.monotonic() - began) < seconds:
            question = next(asking)
            found.append((since, await person.ask(question, "queue")))
            await asyncio.sleep(0.2)
    finally:
        await person.close()
    return found


async def measured(endpoint: Endpoint, seconds: float, patience: float) -> dict[str, Any]:
    """Before, the burst, and after."""
    usual = [one.seconds for _, one in await lone(endpoint, 6)]
    found = await burst(endpoint, TIMES * CAPACITY, seconds, patience)
    after = found.lone
    within = ALMOST * statistics.median(usual)
    slow = [
        since + one.seconds for since, one in after if one.how != "right" or one.seconds > within
    ]
    recovered = after[-1][1].how == "right" and after[-1][1].seconds <= within
    refused = [one for one in found.first if one.how == "refused"]
    late = sorted(one.seconds for one in found.first if one.how == "right")
    return {
        "rate": len(found.first) / seconds,
        "asked": len(found.first),
        **{how: sum(one.how == how for one in found.first) for how in HOWS},
        "direct": sum(one.way == "direct" for one in found.first),
        "refused directly": sum(one.way == "direct" for one in refused),
        "latency": {way: quantiles(found.first, way) for way in ("queue", "direct")},
        "p95": late[int(0.95 * (len(late) - 1))] if late else None,
        "most": late[-1] if late else None,
        "refusal p95": percentile([one.seconds for one in refused], 0.95),
        "told": {
            "median": statistics.median(one.later for one in refused) if refused else None,
            "most": max((one.later for one in refused), default=None),
        },
        "came again": {
            "came": len(found.again),
            "let in": sum(one.how == "right" for one in found.again),
        },
        "usual": statistics.median(usual),
        "usual again after": max(slow, default=0.0) if recovered else None,
        "lone after": [[since, one.seconds, one.how] for since, one in after],
        "problems": sorted({one.said for one in found.first if one.how in HOWS[3:]})[:10],
    }


def percentile(values: list[float], share: float) -> float | None:
    """Of what there is."""
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))] if ordered else None


def overload(space: RunningSpace, seconds: float, patience: float) -> dict[str, Any]:
    """All of it, as figures."""
    with space:
        endpoint = find_endpoint(space.url)
        found = asyncio.run(measured(endpoint, seconds, patience))
    found |= {"seconds": seconds, "patience": patience, "capacity": CAPACITY}
    found |= {"limit": LIMIT_SECONDS, "max_size": MAX_SIZE, "at_once": AT_ONCE}
    if not endpoint.direct:  # nobody sets one by hand
        found["limit"] = None
    return found
