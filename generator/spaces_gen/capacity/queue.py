"""A simulator of greedy batching without a timer: Gradio's queue, and the Space's own batcher.

Visitors arrive at random and wait in one line. The first free worker takes as many as a batch may
hold, at once; where nobody waits it takes the next who comes. Whoever meets a full line is lost.
This is the model of Inoue (Performance Evaluation 147, 2021, arXiv:1912.06322), with a bound on
the batch, several workers and a bound on the line.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate

from spaces_gen.capacity.service import ServiceTime

ARRIVALS = 6000
WARM_UP = 0.1  # share of the arrivals that are not counted, while the line fills
HIGHEST_LOAD = 0.9  # of capacity; a finite simulation flatters what comes near to it


@dataclass(frozen=True)
class Precision:
    """How long to look for the highest rate.

    Attributes:
        arrivals: visitors of one simulation.
        steps: halvings of the interval in which the rate lies.
    """

    arrivals: int = ARRIVALS
    steps: int = 14


ROUGH = Precision(arrivals=2000, steps=8)  # where the times are estimates themselves


@dataclass(frozen=True)
class Simulated:
    """Seconds from arrival to answer, of those that were not lost.

    Attributes:
        loss: share of the visitors who met a full line.
        utilization: share of the workers' time in which they worked.
    """

    mean: float
    p50: float
    p95: float
    p99: float
    loss: float
    mean_batch: float
    utilization: float


def simulate(
    service: ServiceTime,
    rate: float,
    max_batch_size: int,
    workers: int = 1,
    max_size: int | None = None,
    arrivals: int = ARRIVALS,
    seed: int = 7,
) -> Simulated:
    """Let visitors arrive, `rate` per second and each independent of the others.

    Args:
        max_size: how many may wait; None for any number.
    """
    times = list(accumulate([pause / rate for pause in pauses(arrivals, seed)]))
    counted = times[int(WARM_UP * arrivals)]
    return run(times, counted, cache(service.of_batch), max_batch_size, workers, max_size)


@lru_cache(maxsize=8)
def pauses(arrivals: int, seed: int) -> tuple[float, ...]:
    """Seconds between visitors of whom one comes a second; those of other rates are in proportion.

    A search simulates the same visitors at many rates, and drawing them takes long.
    """
    chance = random.Random(seed)
    return tuple(chance.expovariate(1) for _ in range(arrivals))


def run(
    times: list[float],
    counted: float,
    seconds: Callable[[int], float],
    max_batch_size: int,
    workers: int,
    max_size: int | None,
) -> Simulated:
    """Serve arrivals at the given times; those before `counted` do not count."""
    line: list[float] = times if max_size is None else []  # who waits: from `first` on
    first = 0
    free = [0.0] * workers  # a heap: when each worker is free again
    latencies: list[float] = []
    batches: list[int] = []
    busy = 0.0
    lost = 0
    following = len(times) if max_size is None else 0  # the next to come to a line with a bound

    def admit(until: float, most: int) -> None:
        nonlocal following, lost
        end = bisect_right(times, until, following)
        full = following + most - (len(line) - first)
        line.extend(times[following : min(full, end)])
        lost += sum(time >= counted for time in times[full:end])
        following = end

    while first < len(line) or following < len(times):
        if max_size is not None:
            admit(free[0], max_size)
            if first == len(line):  # nobody waits: the next who comes
                admit(times[following], max_size)
        begin = max(free[0], line[first])
        last = bisect_right(line, begin, first, min(first + max_batch_size, len(line)))
        taken = line[first:last]
        first = last
        took = seconds(len(taken))
        end = begin + took
        heapq.heapreplace(free, end)
        inside = [end - time for time in taken if time >= counted]
        if inside:
            latencies += inside
            batches.append(len(taken))
            busy += took
    latencies.sort()
    span = max(free) - counted
    come = len(times) - bisect_left(times, counted)
    return Simulated(
        mean=sum(latencies) / len(latencies) if latencies else math.inf,
        p50=quantile(latencies, 0.5),
        p95=quantile(latencies, 0.95),
        p99=quantile(latencies, 0.99),
        loss=lost / come if come else 0.0,
        mean_batch=sum(batches) / len(batches) if batches else 0.0,
        utilization=min(1.0, busy / (workers * span)) if span > 0 else 0.0,
    )


def quantile(ordered: list[float], share: float) -> float:
    """The value below which that share lies; infinite where there is none."""
    if not ordered:
        return math.inf
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def highest_rate(
    service: ServiceTime,
    p95: float,
    max_batch_size: int,
    workers: int = 1,
    precision: Precision | None = None,
) -> float:
    """The most requests a second with 95 % of the answers within `p95` seconds; 0 for none."""
    capacity = workers * max_batch_size / service.of_batch(max_batch_size)

    effort = precision or Precision()

    def holds(rate: float) -> bool:
        found = simulate(service, rate, max_batch_size, workers, arrivals=effort.arrivals)
        return found.p95 <= p95

    low, high = 0.02 * capacity, HIGHEST_LOAD * capacity
    if not holds(low):
        return 0.0
    if holds(high):
        return high
    for _ in range(effort.steps):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
