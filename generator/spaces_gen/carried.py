"""Times of a batch on a tier: measured there, carried over from another one, or estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces_gen.capacity.service import Memory, ServiceTime
from spaces_gen.estimate import memory, service_time
from spaces_gen.tables import ModelType, Tier, load_tiers

# A factor within which times are: how far the simulated queue is from a real one; data sheets
# scaled by a measurement on the same kind of hardware; data sheets alone.
MEASURED, CARRIED, ESTIMATED = 1.15, 1.5, 2.0


@dataclass(frozen=True)
class Measurement:
    """What `tune` recorded of a tier.

    Attributes:
        requests: in the batch that was chosen.
    """

    tier: Tier
    dtype: str
    workers: int
    requests: int
    service: ServiceTime
    room: Memory

    @property
    def page_seconds(self) -> float:
        """CPU time of the page for a request."""
        cpus = (self.tier.cpus or 1) if self.service.shared else 1
        return self.service.front_end * cpus


@dataclass(frozen=True)
class Known:
    """What is known of a tier, and how well.

    Attributes:
        measured: on this very tier; None where it was not.
        source: "measured", "from" another tier, or "estimated".
        certainty: times are within this factor.
    """

    service: ServiceTime
    room: Memory
    measured: Measurement | None
    source: str
    certainty: float


def measurements(answers: Mapping[str, Any], model_id: str) -> dict[str, Measurement]:
    """The measurements among a Space's answers, by flavor; those that are damaged are left out."""
    known = answers.get("measured")
    of_model = known.get(model_id) if isinstance(known, Mapping) else None
    if not isinstance(of_model, Mapping):
        return {}
    found = {}
    for flavor, row in of_model.items():
        tier = load_tiers().get(str(flavor))
        try:
            if tier is not None:
                found[str(flavor)] = measurement(tier, row)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
    return found


def measurement(tier: Tier, row: Mapping[str, Any]) -> Measurement:
    """One of them.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: it has no figures, or
            such as nobody measures.
    """
    figures = row["figures"]
    known = {int(size): float(seconds) for size, seconds in figures["seconds"].items()}
    service = ServiceTime(known, float(figures["front_end"]), shared=not tier.gpu)
    fixed, each = float(figures["fixed_gb"]), float(figures["request_gb"])
    numbers = [service.front_end, fixed, each, *known.values()]
    if not all(map(math.isfinite, numbers)) or service.front_end <= 0 or min(fixed, each) < 0:
        raise ValueError(f"no measurement: {numbers}")
    room = Memory(fixed, each, tier.model_memory_gb)
    return Measurement(
        tier, str(row["dtype"]), int(row["workers"]), int(figures["requests"]), service, room
    )


def known_of(
    tier: Tier,
    model_type: ModelType,
    parameters: float,
    measured: Mapping[str, Measurement],
) -> Known:
    """The best that is known of a tier.

    A measurement on other hardware is carried over by the roofline: what was measured there over
    what would have been estimated for it, times the estimate for this one.
    """
    if tier.key in measured:
        own = measured[tier.key]
        return Known(own.service, own.room, own, "measured", MEASURED)
    expected = service_time(tier, model_type, parameters)
    room = memory(tier, model_type, parameters)
    if not measured:
        return Known(expected, room, None, "estimated", ESTIMATED)
    other = min(measured.values(), key=lambda one: distance(one.tier, tier))
    there = service_time(other.tier, model_type, parameters)
    seconds = {
        size: known * other.service.of_model(size) / other.workers / there.of_model(size)
        for size, known in expected.known.items()
    }
    page = other.page_seconds / ((tier.cpus or 1) if expected.shared else 1)
    service = ServiceTime(seconds, page, expected.shared)
    alike = bool(other.tier.gpu) == bool(tier.gpu)
    return Known(service, room, None, f"from {other.tier.key}", CARRIED if alike else ESTIMATED)


def distance(one: Tier, other: Tier) -> tuple[bool, bool, float]:
    """How unlike two tiers are: the card, the kind, the speed."""
    ratio = one.tflops / other.tflops
    return one.gpu != other.gpu, bool(one.gpu) != bool(other.gpu), max(ratio, 1 / ratio)
