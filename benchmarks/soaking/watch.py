"""What a Space holds while it runs: memory, file descriptors, threads and temporary files."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from scipy import stats

EVERY_SECONDS = 3.0
WARM_UP = 0.25  # of the samples


@dataclass(frozen=True)
class Sample:
    """MB that would be free without each process (USS), and counts.

    Attributes:
        page: of the process that serves the page.
        model: of those that compute, its children.
        files: temporary ones, below GRADIO_TEMP_DIR.
        others: those that it left in TMPDIR, beside them.
    """

    at: float
    page: float
    model: float
    page_fds: int
    model_fds: int
    page_threads: int
    model_threads: int
    files: int
    others: int


class Watch:
    """Samples of one Space.

    Args:
        pid: of the page.
        temporary: its GRADIO_TEMP_DIR.
        other: its TMPDIR.
    """

    def __init__(self, pid: int, temporary: Path, other: Path) -> None:
        self._page = psutil.Process(pid)
        self._temporary, self._other = temporary, other
        self.samples: list[Sample] = []

    def look(self) -> Sample:
        """What it holds now."""
        model = self._page.children(recursive=True)
        return Sample(
            time.monotonic(),
            self._page.memory_full_info().uss / 2**20,
            sum(one.memory_full_info().uss for one in model) / 2**20,
            self._page.num_fds(),
            sum(one.num_fds() for one in model),
            self._page.num_threads(),
            sum(one.num_threads() for one in model),
            files_in(self._temporary),
            files_in(self._other),
        )

    async def go_on(self) -> None:
        """Look again and again, in a thread, since reading the memory takes a while."""
        while True:
            self.samples.append(await asyncio.to_thread(self.look))
            await asyncio.sleep(EVERY_SECONDS)


def files_in(folder: Path) -> int:
    """How many, at any depth."""
    return sum(len(files) for _, _, files in os.walk(folder))


@dataclass(frozen=True)
class Slope:
    """Of a straight line by least squares, per hour.

    Attributes:
        low, high: of the 95 % confidence interval, which is made wider where neighbouring
            samples resemble each other.
        first, last: the line's ends.
    """

    per_hour: float
    low: float
    high: float
    first: float
    last: float


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """The line through the samples."""
    count = len(times)
    if count < 4 or len(set(values)) == 1:
        ends = (values[0], values[-1]) if values else (math.nan, math.nan)
        flat = 0.0 if values and len(set(values)) == 1 else math.nan
        return Slope(flat, flat, flat, *ends)
    line = stats.linregress(times, values)
    rest = [
        value - line.intercept - line.slope * at for at, value in zip(times, values, strict=True)
    ]
    square = sum(one * one for one in rest) or 1.0
    alike = sum(one * other for one, other in itertools.pairwise(rest)) / square
    alike = min(0.95, max(0.0, alike))
    # so many independent samples are they worth
    worth = max(3.0, count * (1 - alike) / (1 + alike))
    error = line.stderr * math.sqrt((count - 2) / max(1.0, worth - 2))
    reach = float(stats.t.ppf(0.975, max(1.0, worth - 2))) * error
    return Slope(
        *(3600 * one for one in (line.slope, line.slope - reach, line.slope + reach)),
        line.intercept + line.slope * times[0],
        line.intercept + line.slope * times[-1],
    )


def slopes(samples: list[Sample]) -> dict[str, Any]:
    """Of everything, after the warm-up."""
    kept = samples[int(len(samples) * WARM_UP) :]
    times = [one.at for one in kept]
    names = ("page", "model", "page_fds", "model_fds", "page_threads", "files", "others")
    return {name: asdict(slope(times, [getattr(one, name) for one in kept])) for name in names}
