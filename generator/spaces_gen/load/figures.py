"""Figures of a run: what the visitors saw, and what the Space itself counted meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.load.loops import Run

SECONDS_PER_HOUR = 3600
SAMPLE = re.compile(r"^(space_[a-z_]+)(?:\{[^}]*\})? ([0-9.e+-]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Figures:
    """One row of the report; seconds and requests a second, None for what is not known.

    Attributes:
        batch: mean number of requests in a call of the model.
        queue_wait: mean seconds from a request's arrival at the model until it begins.
        memory_mb: the highest seen while it ran.
        price: USD of 1,000 requests at this throughput.
    """

    route: str
    closed: bool
    offered: float
    sent: int
    throughput: float
    p50: float | None
    p95: float | None
    p99: float | None
    first: float | None
    refused: int
    failures: Mapping[str, int]
    unfinished: int
    batch: float | None = None
    queue_wait: float | None = None
    memory_mb: float | None = None
    price: float | None = None

    @property
    def clean(self) -> bool:
        """Whether everybody was answered."""
        return not (self.refused or self.unfinished or any(self.failures.values()))

    def meets(self, target: float) -> bool:
        """Whether everybody was answered, and 95 % within `target` seconds."""
        return self.clean and self.p95 is not None and self.p95 <= target


def figures(
    route: str,
    run: Run,
    before: Mapping[str, float],
    after: Mapping[str, float],
    memory_mb: float | None,
    price_per_hour: float | None,
) -> Figures:
    """Put together what is known of a run.

    Args:
        before, after: the Space's own counters; empty where it does not show them.
    """
    first = sorted(run.first)
    rate = run.throughput
    paid = price_per_hour is not None and rate > 0
    return Figures(
        route=route,
        closed=run.closed,
        offered=run.offered,
        sent=run.sent,
        throughput=rate,
        p50=run.quantile(0.5),
        p95=run.quantile(0.95),
        p99=run.quantile(0.99),
        first=first[len(first) // 2] if first else None,
        refused=run.refused,
        failures={kind: count for kind, count in run.failures.items() if count},
        unfinished=run.unfinished,
        batch=mean("space_batch_size", before, after),
        queue_wait=mean("space_queue_wait_seconds", before, after),
        memory_mb=memory_mb,
        price=(price_per_hour or 0) / SECONDS_PER_HOUR / rate * 1000 if paid else None,
    )


def mean(name: str, before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """The mean of what a histogram took in between; None where it took in nothing."""
    count = after.get(f"{name}_count", 0) - before.get(f"{name}_count", 0)
    total = after.get(f"{name}_sum", 0) - before.get(f"{name}_sum", 0)
    return total / count if count > 0 else None


def counters(url: str) -> dict[str, float]:
    """What a Space has counted since it started; nothing where it does not show it."""
    try:
        answer = httpx.get(f"{url}/metrics", timeout=10)
    except httpx.HTTPError:
        return {}
    if answer.status_code != 200:
        return {}
    found: dict[str, float] = {}
    for name, value in SAMPLE.findall(answer.text):
        if not name.endswith("_bucket"):
            found[name] = found.get(name, 0) + float(value)
    return found


def highest_rate(rows: list[Figures], target: float) -> float | None:
    """The highest rate of arrivals up to which every one meets the target; None for none."""
    best = None
    for row in sorted((one for one in rows if not one.closed), key=lambda one: one.offered):
        if not row.meets(target):
            break
        best = row.offered
    return best


def as_data(row: Figures) -> dict[str, Any]:
    """A row for programs."""
    return {**vars(row), "failures": dict(row.failures)}
