"""Which batches are measured: ever larger ones, until that is of no more use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from spaces_gen.capacity.service import Memory, ServiceTime
from spaces_gen.tuning.process import Full, Point

LEAST_GAIN = 0.03  # of a doubling; twice in a row below it, and that is enough
LONG_SECONDS = 1.0  # of a batch, in which a disturbance hardly counts
Measure = Callable[[int], Point]


@dataclass(frozen=True)
class Sweep:
    """What was measured with one number of workers.

    Attributes:
        points: by growing limit; at least one.
        reason: why it ended: "memory", "too slow", "no gain", "time" or "largest".
    """

    workers: int
    points: tuple[Point, ...]
    reason: str

    @property
    def best_rate(self) -> float:
        """Requests a second at the best limit."""
        return max(point.rate(self.workers) for point in self.points)


def sweep(
    measure: Measure,
    workers: int,
    *,
    first: int = 1,
    largest: int,
    target: float,
    memory_gb: float = float("inf"),
    deadline: float = float("inf"),
) -> Sweep:
    """Measure at `first` and its doublings.

    Args:
        measure: the figures at a limit; raises Full where memory runs out.
        largest: no limit is above it.
        target: seconds; a batch that takes longer cannot be answered in time.
        memory_gb: that may be used beside the weights.
        deadline: by time.monotonic(); none is begun after it.

    Raises:
        Full: not even the first one fits the memory.
    """
    points: list[Point] = []
    limit, small_gains, reason = first, 0, "largest"
    while limit <= largest:
        if points and time.monotonic() > deadline:
            reason = "time"
            break
        if expected_memory(points, limit) > memory_gb:
            reason = "memory"
            break
        try:
            point = measure(limit)
        except Full:
            if not points:
                raise
            reason = "memory"
            break
        best = max((one.rate(workers) for one in points), default=0.0)
        if point.memory_gb > memory_gb:  # more than was expected
            if not points:
                raise Full
            reason = "memory"
            break
        small = point.rate(workers) < (1 + LEAST_GAIN) * best
        if small and point.seconds < LONG_SECONDS:  # or something else was in the way
            with suppress(Full):
                point = faster(point, measure(limit), workers)
        gain = point.rate(workers) / best - 1 if points else 1
        points.append(point)
        small_gains = small_gains + 1 if gain < LEAST_GAIN else 0
        if point.seconds > target:
            reason = "too slow"
            break
        if small_gains == 2:
            reason = "no gain"
            break
        limit *= 2
    return Sweep(workers, tuple(points), reason)


def faster(one: Point, other: Point, workers: int) -> Point:
    """The better of two measurements of the same: disturbances only ever slow it down."""
    return max(one, other, key=lambda point: point.rate(workers))


def expected_memory(points: list[Point], limit: int) -> float:
    """What a limit will take by what the last ones took, in GB."""
    if len(points) < 2:
        return 0.0
    low, high = points[-2], points[-1]
    slope = (high.memory_gb - low.memory_gb) / (high.limit - low.limit)
    return high.memory_gb + max(0.0, slope) * (limit - high.limit)


def service_time(found: Sweep, front_end: float, shared: bool) -> ServiceTime:
    """Seconds of a batch by the number of requests in it.

    Where several limits give the same number in the mean, the fastest of them counts.
    """
    known: dict[int, float] = {}
    for point in found.points:
        size = max(1, round(point.items))
        seconds = point.seconds * size / point.items
        known[size] = min(seconds, known.get(size, seconds))
    return ServiceTime(known, front_end, shared)


def memory(sweeps: Mapping[int, Sweep], fixed: float, available: float) -> Memory:
    """What a request takes beside the weights, by the largest batches: small ones tell little."""
    each = [
        found.points[-1].memory_gb / (workers * found.points[-1].items)
        for workers, found in sweeps.items()
    ]
    return Memory(fixed, max(each), available)


def limit_for(found: Sweep, batch: int) -> Point:
    """The smallest limit whose batches hold that many requests; the largest if none does."""
    for point in found.points:
        if round(point.items) >= batch:
            return point
    return max(found.points, key=lambda point: point.items)
