"""Twenty people who think between their questions, with and without a robot that never does."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soaking.people import Ended, Person, address
from soaking.questions import Question, Questions
from soaking.sites import RunningSpace
from spaces_gen.load.endpoint import Endpoint, find_endpoint

PEOPLE, IN_FLIGHT = 20, 100
ROBOT = "18.200.1.1"
WARM_UP = 4.0  # seconds, in which the robot's requests fill the line
PATIENCE_SECONDS = 40.0
Case = tuple[str, str]  # the robot's way, or "", and the people's


@dataclass
class Met:
    """What people met in one run, and what the robot got."""

    people: list[tuple[str, Ended]] = field(default_factory=list)
    robot: list[Ended] = field(default_factory=list)
    seconds: float = 0.0


async def together(
    endpoint: Endpoint,
    questions: Questions,
    asking: Iterator[Question],
    case: Case,
    seconds: float,
    think: float,
) -> Met:
    """One run. What is asked in the first seconds does not count."""
    robots_way, way = case
    met = Met()
    start = time.monotonic() + WARM_UP
    end = start + seconds

    async def person(number: int) -> None:
        chance = random.Random(number)
        one = Person(endpoint, questions, address(number), PATIENCE_SECONDS)
        try:
            await asyncio.sleep(chance.random() * think)
            while time.monotonic() < end:
                question = next(asking)
                ended = await one.ask(question, way)
                if ended.began >= start:
                    met.people.append((str(question.values[0]), ended))
                await asyncio.sleep(
                    min(chance.expovariate(1 / think), max(0.0, end - time.monotonic()))
                )
        finally:
            await one.close()

    async def robot() -> None:
        one = Person(endpoint, questions, ROBOT, 10 * PATIENCE_SECONDS)
        try:
            while True:
                ended = await one.ask(next(asking), robots_way)
                if start <= time.monotonic() < end or ended.how not in ("right", "refused"):
                    met.robot.append(ended)
                if ended.how != "right":
                    await asyncio.sleep(1)
        finally:
            await one.close()

    robots = [asyncio.ensure_future(robot()) for _ in range(IN_FLIGHT if robots_way else 0)]
    try:
        await asyncio.gather(*map(person, range(PEOPLE)))
    finally:
        for one in robots:
            one.cancel()
        await asyncio.gather(*robots, return_exceptions=True)
    met.seconds = seconds
    await emptied(endpoint, questions, asking)
    return met


async def emptied(endpoint: Endpoint, questions: Questions, asking: Iterator[Question]) -> None:
    """Wait until a lone visitor is answered soon, a minute at most."""
    quick, deadline = 0, time.monotonic() + 60
    person = Person(endpoint, questions, address(2**20))
    while quick < 2 and time.monotonic() < deadline:
        quick += (await person.ask(next(asking), "queue")).seconds < 1.5
    await person.close()


def cases(direct: bool) -> list[Case]:
    """People alone, and beside the robot."""
    ways = ("queue", "direct") if direct else ("queue",)
    return [(robots, people) for people in ways for robots in ("", *ways)]


def fairness(
    space: RunningSpace,
    questions: Questions,
    rounds: int,
    seconds: float,
    think: float,
    batches: Path,
) -> dict[str, Any]:
    """All cases, in turns.

    Args:
        batches: where the model writes what it computed together, and when.
    """
    asking = iter(questions)
    found: dict[Case, list[Met]] = {}
    with space:
        endpoint = find_endpoint(space.url)
        asyncio.run(emptied(endpoint, questions, asking))
        for turn, case in itertools.product(range(rounds), cases(endpoint.direct)):
            met = asyncio.run(together(endpoint, questions, asking, case, seconds, think))
            found.setdefault(case, []).append(met)
            print(
                turn,
                case,
                len(met.people),
                f"p95 {late(met.people):.3f}",
                len(met.robot),
                flush=True,
            )
    begun = read(batches)
    rows = [row(case, found, begun) for case in found]
    settings = {"rounds": rounds, "seconds": seconds, "think": think}
    return {**settings, "rows": rows}


def row(case: Case, found: dict[Case, list[Met]], begun: dict[str, Any]) -> dict[str, Any]:
    """What was measured in one case."""
    everyone = [one for met in found[case] for one in met.people]
    alone = [one for met in found["", case[1]] for one in met.people]
    p95, p95_alone = (
        quantile([one.seconds for _, one in them], 0.95) for them in (everyone, alone)
    )
    by_turn = [
        quantile([one.seconds for _, one in met.people], 0.95)
        / quantile([one.seconds for _, one in other.people], 0.95)
        for met, other in zip(found[case], found["", case[1]])
    ]
    seconds = sum(met.seconds for met in found[case])
    robot = [one for met in found[case] for one in met.robot]
    return {
        "robot": case[0],
        "people": case[1],
        "asked": len(everyone),
        "hows": Counter(one.how for _, one in everyone),
        "said": sorted({one.said for _, one in everyone if one.said})[:5],
        "p50": quantile([one.seconds for _, one in everyone], 0.5),
        "p95": p95,
        "ratio": p95 / p95_alone,
        "ratios": by_turn,
        "people/s": sum(one.how == "right" for _, one in everyone) / seconds,
        "robot/s": sum(one.how == "right" for one in robot) / seconds,
        "robot hows": Counter(one.how for one in robot),
        **parts(everyone, begun),
    }


def parts(everyone: list[tuple[str, Ended]], begun: dict[str, Any]) -> dict[str, Any]:
    """Where the time of people's requests went, where the model tells: medians and p95."""
    known = [(ended, begun[text]) for text, ended in everyone if text in begun]
    if not known:
        return {}
    spans = {
        "before the batch": [began - ended.began for ended, (began, _, _) in known],
        "in the batch": [end - began for _, (began, end, _) in known],
        "after it": [ended.began + ended.seconds - end for ended, (_, end, _) in known],
    }
    whole = {
        name: [quantile(values, 0.5), quantile(values, 0.95)] for name, values in spans.items()
    }
    return {"spans": whole, "batch": statistics.mean(size for _, (_, _, size) in known)}


def read(batches: Path) -> dict[str, tuple[float, float, int]]:
    """Of each text: begin, end and size of its batch."""
    found = {}
    with suppress(FileNotFoundError):
        for line in batches.read_text(encoding="utf-8").splitlines():
            began, end, *texts = line.split("\t")
            for text in texts:
                found[text] = float(began), float(end), len(texts)
    return found


def quantile(values: list[float], share: float) -> float:
    """Of what there is."""
    ordered = sorted(values) or [float("nan")]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def late(people: list[tuple[str, Ended]]) -> float:
    """The 95th percentile of their seconds, answered or not."""
    return quantile([one.seconds for _, one in people], 0.95)
