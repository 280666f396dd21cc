"""The soak: many visitors for minutes, every answer checked, and what the Space holds meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from soaking.crowd import Habits, Seen, crowd
from soaking.questions import Questions
from soaking.sites import RunningSpace
from soaking.watch import Sample, Watch, slopes
from spaces_gen.load.endpoint import find_endpoint

SETTLE_SECONDS = 3.0
CALM_SECONDS = 15.0  # the server closes idle connections after 5
FILES_GONE_SECONDS = 90.0  # what is a minute old is deleted every 20 s


async def watched(
    space: RunningSpace,
    questions: Questions,
    users: int,
    seconds: float,
    calm: float,
    habits: Habits = Habits(),  # noqa: B008  # it is frozen
) -> tuple[Seen, list[Sample], Sample, Sample]:
    """The crowd; the samples meanwhile, the one before, and the one after so much calm."""
    assert space.process is not None
    temporary = space.folder.parent / f"{space.folder.name}-temp"
    other = Path(space._environment.get("TMPDIR", temporary))
    watch = Watch(space.process.pid, temporary, other)
    endpoint = await asyncio.to_thread(find_endpoint, space.url)
    asking = iter(questions)
    # the first requests open what stays open
    warm = Habits(think=0.5, leave=0, rush=60)
    ways = ("queue", "direct") if endpoint.direct else ("queue",)
    first = await crowd(endpoint, questions, asking, min(users, 10), 2.0, warm, ways)
    assert not first.problems(), first.problems()
    await asyncio.sleep(max(SETTLE_SECONDS, 6.0))
    before = watch.look()
    watching = asyncio.ensure_future(watch.go_on())
    try:
        seen = await crowd(endpoint, questions, asking, users, seconds, habits, ways)
    finally:
        watching.cancel()
    await asyncio.sleep(calm)
    # a pool ends its threads, idle for 10 s, when it gets the next work
    last = await crowd(endpoint, questions, asking, 2, 1.0, warm, ways)
    assert not last.problems(), last.problems()
    await asyncio.sleep(SETTLE_SECONDS)
    return seen, watch.samples, before, watch.look()


def soak(
    space: RunningSpace, questions: Questions, users: int, seconds: float, habits: Habits
) -> dict[str, Any]:
    """All of it, as figures."""
    calm = FILES_GONE_SECONDS if questions.files else CALM_SECONDS
    with space:
        seen, samples, before, after = asyncio.run(
            watched(space, questions, users, seconds, calm, habits)
        )
    return {
        "users": users,
        "seconds": seconds,
        "questions": questions.about(),
        **seen.summary(),
        "rate": seen.counts["right"] / seconds,
        "before": asdict(before),
        "after": asdict(after),
        "most": {name: max(asdict(one)[name] for one in samples) for name in asdict(before)},
        "slopes": slopes(samples),
        "samples": [list(asdict(one).values()) for one in samples],
        "log": problems_in(space.log),
    }


def problems_in(log: str) -> list[str]:
    """Lines of a log that tell of an error."""
    marks = ("Error", "Traceback", "failed", "Exception")
    return [line[:200] for line in log.splitlines() if any(mark in line for mark in marks)][:20]
