"""The expected wait: right for batches, where counting one request after the other is far off.

Time is simulated: a queue whose worker takes up to 16 requests at once, for 0.3 s and 0.05 s each.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from collections import deque
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "template"))

from serving.errors import Busy
from serving.line import Line
from serving.visitors import Ticket

BATCH = 16


def some(count: int) -> list[Ticket]:
    """Places of different visitors."""
    return [Ticket(str(number), 0.0, 0, 0.0) for number in range(count)]


def simulate(line: Line, rate: float, count: int) -> list[tuple[float, float, float]]:
    """What `count` visitors are told and how long they wait, then what Gradio would tell them.

    Args:
        rate: of their arrivals, per second.
    """
    chance = random.Random(3)
    now, free_at, seen = 0.0, 0.0, list[tuple[float, float, float]]()
    waiting = deque[tuple[float, int, float | None]]()
    running = list[tuple[float, int, float | None]]()
    single = deque[float](maxlen=50)
    line.queued = lambda: some(len(waiting))

    def finish(at: float) -> None:
        for arrived, ahead, told in running:
            line.answered(ahead, at - arrived)
            if told is not None:
                seen.append((told, at - arrived, statistics.mean(single) * (ahead + 1)))
        running.clear()
        line.inside = 0

    for _ in range(count):
        now += chance.expovariate(rate)
        while free_at <= now and (running or waiting):
            finish(free_at)
            if not waiting:
                break
            start = max(free_at, waiting[0][0])
            running += [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            line.inside = len(running)
            single.append(0.3 + 0.05 * len(running))
            free_at = start + single[-1]
        ahead = line.length
        waiting.append((now, ahead, line.expected(ahead + 1)))
        if not running:
            free_at = now
    return seen


@pytest.mark.parametrize("rate", [2.0, 6.0, 11.0])
def test_visitors_are_told_how_long_batches_take(rate: float) -> None:
    told, took, one_by_one = zip(*simulate(Line(2 * BATCH, 100), rate, 1500)[300:])
    ratio = statistics.mean(told) / statistics.mean(took)
    assert 0.9 < ratio < 1.1
    off = statistics.mean(abs(math.log2(a / b)) for a, b in zip(told, took))
    gradio = statistics.mean(abs(math.log2(a / b)) for a, b in zip(one_by_one, took))
    assert off < 0.5, "by less than a factor of 1.4 on average"
    if rate == 11:
        assert gradio > 2, "by more than a factor of 4"


def test_nobody_is_told_a_time_before_anybody_was_answered() -> None:
    assert Line(4, 10).expected(1) is None


def test_what_was_learned_long_ago_is_forgotten() -> None:
    line = Line(4, 10)
    for _ in range(200):
        line.answered(0, 1.0)
        line.answered(9, 5.0)
    for _ in range(400):
        line.answered(0, 0.1)
        line.answered(9, 0.5)
    assert line.expected(1) == pytest.approx(0.1, rel=0.2)
    assert line.expected(10) == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize(("inside", "queued"), [(14, 0), (4, 10), (2, 10), (9, 5)])
def test_who_is_one_too_many_is_told_when_to_come_again(inside: int, queued: int) -> None:
    """Four at once and ten more may wait, wherever they do."""
    line = Line(4, 10)
    for ahead in (0, 4, 9):
        line.answered(ahead, 2.0 + ahead)
    line.inside, line.queued = inside, lambda: some(queued)
    with pytest.raises(
        Busy, match=r"^The queue is full. Please try again in about \d+ s.$"
    ) as told:
        line.admit("one more")
    assert told.value.seconds == pytest.approx(2 + inside + queued, abs=2), "when all are answered"
    line.queued = lambda: some(queued - 1 if queued else 0)
    line.inside = inside if queued else inside - 1
    line.admit("one more")
