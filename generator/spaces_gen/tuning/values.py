"""From what was measured to a row of tuning.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spaces_gen.capacity.choice import Choice, queue_length
from spaces_gen.capacity.service import ServiceTime
from spaces_gen.estimate import longest_wait, short_texts, time_limit
from spaces_gen.tables import ModelType
from spaces_gen.tuning.process import Point

MOST_CALL_COST = 1_000_000
SHORTEST = 1e-9  # seconds that a clock can tell
# columns of tuning.py that are measured, and may be set by a variable of the same name
MEASURED = (
    "dtype",
    "engine",
    "workers",
    "max_batch_size",
    "max_batch_cost",
    "call_cost",
    "max_size",
    "time_limit",
)


def row_values(
    model_type: ModelType,
    before: Mapping[str, Any],
    choice: Choice,
    point: Point,
    service: ServiceTime,
    by_cost: bool,
) -> dict[str, Any]:
    """The values that a choice stands for.

    Args:
        before: the row as it is.
        point: the limit that was chosen, with its single calls.
        by_cost: whether the limit is of the cost of a batch, or of the number of requests in it.
    """
    batch = short_texts(point.limit) if by_cost else choice.max_batch_size
    if by_cost:
        batch = max(batch, choice.max_batch_size)
    wait = longest_wait(model_type)
    workers = choice.workers
    waiting = queue_length(service, choice.max_batch_size, workers, wait)
    # of streams it is the number of tokens in a pass, which stays
    cost = point.limit if by_cost else before["max_batch_cost"]
    return {
        "workers": workers,
        "max_batch_size": batch,
        "max_batch_cost": cost,
        "call_cost": call_cost(point.passes, before["call_cost"]) if by_cost else 0,
        "max_size": max(2 * batch * workers, waiting),
        "time_limit": time_limit(service.of_model(choice.max_batch_size)),
    }


def call_cost(passes: Iterable[tuple[int, float]], otherwise: int) -> int:
    """What a call takes beside its items, in the unit of their cost: the line t = a + b cost.

    Least squares with weights 1 / t^2, since what varies is a share of the time. Where no line can
    be seen, as all cost the same or the times vary too much, it is `otherwise`.
    """
    known = [(cost, seconds, seconds**-2) for cost, seconds in passes if seconds > SHORTEST]
    total = sum(weight for _, _, weight in known)
    if not known or total <= 0:
        return otherwise
    mean_cost = sum(weight * cost for cost, _, weight in known) / total
    mean_seconds = sum(weight * seconds for _, seconds, weight in known) / total
    spread = sum(weight * (cost - mean_cost) ** 2 for cost, _, weight in known)
    if spread <= 0:
        return otherwise
    slope = (
        sum(weight * (cost - mean_cost) * (took - mean_seconds) for cost, took, weight in known)
        / spread
    )
    beside = mean_seconds / slope - mean_cost if slope > 0 else 0.0
    return round(min(MOST_CALL_COST, beside)) if beside > 0 else otherwise
