"""What `tune` is told, and what it finds."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spaces_gen.tuning.measure import Measured

LEAST_SHARE = 0.97  # of the throughput of before: less is worse, whatever the noise


@dataclass(frozen=True)
class Settings:
    """How to tune.

    Attributes:
        p95: seconds for 95 % of the answers; None for that of the model type.
        seconds: for measuring the model; starting and comparing come on top.
        ways: whether other engines and dtypes are tried.
        given: fixed values of some arguments of the endpoint.
        python: that runs the Space.
    """

    p95: float | None = None
    seconds: float = 90.0
    ways: bool = True
    given: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable


@dataclass(frozen=True)
class Compared:
    """The Space as it was, and with the new values, under the same load.

    Attributes:
        before, after: requests a second with `users` visitors, of each round.
        rate: arrivals a second at which p95 was measured.
        p95_before, p95_after: seconds; None where not everybody was answered.
    """

    users: int
    before: tuple[float, ...]
    after: tuple[float, ...]
    rate: float
    p95_before: float | None
    p95_after: float | None

    @property
    def gain(self) -> float:
        """Throughput after over before."""
        return statistics.median(self.after) / statistics.median(self.before)

    def worse(self, target: float) -> bool:
        """Whether the new values lose throughput, or the target that was met."""
        missed = self.p95_after is None or self.p95_after > target
        met_before = self.p95_before is not None and self.p95_before <= target
        return self.gain < LEAST_SHARE or (missed and met_before)


@dataclass(frozen=True)
class Tuned:
    """What was found.

    Attributes:
        row: of tuning.py, as it was.
        values: the new ones of some of its columns.
        compared: None where they are the same.
        source: what tuning.py says of where they come from.
    """

    model_id: str
    row: Mapping[str, Any]
    reason: str
    target: float
    front_end: float
    measured: Measured
    values: Mapping[str, Any]
    compared: Compared | None
    source: str

    @property
    def flavor(self) -> str:
        """The hardware of the row."""
        return str(self.row["flavor"])

    @property
    def better(self) -> bool:
        """Whether the values are no worse than those of before."""
        return self.compared is None or not self.compared.worse(self.target)

    @property
    def answer(self) -> dict[str, Any]:
        """What is recorded of it, by question `measured`."""
        measured, workers = self.measured, self.values["workers"]
        service = measured.services[workers]
        figures = {
            "requests": measured.choice.max_batch_size,
            "seconds": {str(size): round(known, 6) for size, known in service.known.items()},
            "front_end": round(service.front_end, 6),
            "fixed_gb": round(measured.room.fixed, 3),
            "request_gb": round(measured.room.per_item, 5),
        }
        return {**self.values, "source": self.source, "figures": figures}
