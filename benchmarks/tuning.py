"""What `spaces-gen tune` chooses, beside an exhaustive grid over the same values.

    python benchmarks/tuning.py [similarity digits speech] [--rounds 5] [--seconds 4] [--starts 3]

Each point of the grid (workers x limit of a batch) is a Space that is started with these values and
put under the same load: 32 visitors who ask again when answered, `--rounds` times. A point counts
where 95 % are answered in time. The best points and the choice of `tune` are then measured
again in turn, all of them running, since the best of many noisy figures is partly luck. They are
started several times, since the same Space is up to 10 % faster or slower from start to start.
`--again` takes the grid of an earlier run and does only this last part.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare import tiny
from report import RESULTS, machine

from spaces_gen.bench import Demand, measure, opened, source
from spaces_gen.embedded import minilm
from spaces_gen.load.figures import Figures
from spaces_gen.render import render
from spaces_gen.tune import tune
from spaces_gen.tuning.found import Settings, Tuned
from spaces_gen.tuning.show import plot

USERS = 32
BEST = 3  # of the grid, that are measured again


@dataclass(frozen=True)
class Space:
    """A Space whose grid is measured.

    Attributes:
        limits: of a batch, by the name of the value.
    """

    model_type: str
    model: Any
    name: str
    limits: tuple[int, ...]


def halves(least: int, most: int) -> tuple[int, ...]:
    """Limits from one to the other, two to each doubling: finer than what `tune` tries."""
    steps = round(2 * math.log2(most / least))
    return tuple(dict.fromkeys(round(least * 2 ** (step / 2)) for step in range(steps + 1)))


SPACES = {
    "similarity": Space(
        "sentence-similarity",
        minilm,
        "max_batch_cost",
        halves(32, 8192),
    ),
    "digits": Space(
        "image-classification",
        tiny("image-classification"),
        "max_batch_size",
        halves(1, 256),
    ),
    "speech": Space(
        "automatic-speech-recognition",
        tiny("automatic-speech-recognition"),
        "max_batch_size",
        halves(1, 256),
    ),
}
WORKERS = (1, 2)


@dataclass(frozen=True)
class Point:
    """Values, and the throughput with them; 0 where the target is missed."""

    values: Mapping[str, Any]
    rates: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The median of the rounds, requests a second."""
        return statistics.median(self.rates)


def grid(space: Space, around: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All values that are tried."""
    for workers in WORKERS:
        for limit in space.limits:
            size = {"max_batch_size": 256} if space.name == "max_batch_cost" else {}
            yield {**around, **size, "workers": workers, space.name: limit, "max_size": 1024}


def under_load(
    folder: Path, points: list[Mapping[str, Any]], options: argparse.Namespace, target: float
) -> list[Point]:
    """Start Spaces with some values and put load on them in turn."""
    rates: list[list[float]] = [[] for _ in points]
    with ExitStack() as stack:
        running = [
            stack.enter_context(opened(str(folder), None, print, variables(values)))
            for values in points
        ]
        demand = Demand(seconds=options.seconds, warm_up=1.0)
        inputs = [source(one, demand) for one in running]
        for _ in range(options.rounds):
            for one, found, values in zip(running, rates, inputs, strict=True):
                route = "direct" if one.endpoint.direct else "queue"
                figures = measure(one, route, True, USERS, demand, values)
                found.append(rate_of(figures, target))
    return [Point(values, tuple(found)) for values, found in zip(points, rates, strict=True)]


def variables(values: Mapping[str, Any]) -> dict[str, str]:
    """Of the environment, that set values."""
    return {name.upper(): str(value) for name, value in values.items()}


def rate_of(figures: Figures, target: float) -> float:
    """The throughput, where the target is met."""
    return figures.throughput if figures.meets(target) else 0.0


def compare(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Tune a Space, then measure its whole grid."""
    space = SPACES[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / name
        render({"model_type": space.model_type, "model_id": str(space.model())}, folder)
        if options.again:
            found = json.loads(options.again.read_text(encoding="utf-8"))
            (known,) = [one for one in found if one["name"] == name]
        else:
            known = tuned_and_grid(name, space, folder, options)
        values = [{key: one[key] for key in one if key != "rate"} for one in known["grid"]]
        points = [Point(one, (row["rate"],)) for one, row in zip(values, known["grid"])]
        best = sorted(points, key=lambda point: point.rate, reverse=True)[:BEST]
        wanted = [known["values"], *(one.values for one in best)]
        rates: list[list[float]] = [[] for _ in wanted]
        for start in range(options.starts):
            turned = [(start + place) % len(wanted) for place in range(len(wanted))]
            again = under_load(folder, [wanted[i] for i in turned], options, known["target"])
            for i, point in zip(turned, again, strict=True):
                rates[i].append(point.rate)
        tuned, *others = [
            {**one, "rate": statistics.median(found), "rates": found}
            for one, found in zip(wanted, rates, strict=True)
        ]
    return {**known, "tuned": tuned, "best": others}


def tuned_and_grid(
    name: str, space: Space, folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """What `tune` chooses and each point of the grid, with how long both took."""
    began = time.monotonic()
    tuned = tune(
        folder,
        Settings(ways=False),
        lambda step: print(f"{time.monotonic() - began:.0f} s: {step}", flush=True),
    )
    tuning_seconds = time.monotonic() - began
    plot(tuned, RESULTS / f"tuning_{name}.svg")
    print(dict(tuned.values), flush=True)
    kept = {key: tuned.row[key] for key in ("call_cost", "dtype", "engine")}
    began = time.monotonic()
    points = []
    for values in grid(space, kept):
        (point,) = under_load(folder, [values], options, tuned.target)
        points.append(point)
        print(values, point.rate, flush=True)
    return {
        "name": name,
        "tuning_seconds": tuning_seconds,
        "grid_seconds": time.monotonic() - began,
        "grid_points": len(points),
        "row": chosen(tuned, space),
        "values": dict(tuned.values),
        "target": tuned.target,
        "grid": [{**point.values, "rate": point.rate} for point in points],
        "gain": tuned.compared.gain if tuned.compared else 1.0,
    }


def chosen(tuned: Tuned, space: Space) -> dict[str, Any]:
    """The values that matter here."""
    return {name: tuned.values[name] for name in ("workers", space.name)}


def table(found: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """The figures as Markdown."""
    lines = [
        "# Tuning beside an exhaustive grid",
        "",
        f"{machine(options.rounds)} {USERS} visitors; rounds of {options.seconds:g} s. Throughput "
        "counts where p95 is within the target of the model type. Of the grid the best three were "
        "measured again, in turn with the values that `spaces-gen tune` chose; medians of "
        f"{options.starts} starts of each.",
        "",
        "| Space | `tune` chose | requests/s | best of the grid | requests/s | share | tune s | "
        "grid s | of its time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        best = max(one["best"], key=lambda point: point["rate"])
        values = ", ".join(f"{name} {value}" for name, value in one["row"].items())
        others = ", ".join(f"{name} {best[name]}" for name in one["row"])
        tuned, rate = one["tuned"]["rate"], best["rate"]
        times = f"{one['tuning_seconds']:.0f} | {one['grid_seconds']:.0f}"
        share = one["tuning_seconds"] / one["grid_seconds"]
        lines.append(
            f"| {one['name']} | {values} | {tuned:.1f} | {others} | {rate:.1f} | "
            f"{tuned / rate if rate else float('nan'):.2f} | {times} | {share:.2f} |"
        )
    for one in found:
        lines += ["", f"## {one['name']}: the grid", "", "| values | requests/s |", "|---|---|"]
        for point in one["grid"]:
            values = ", ".join(f"{name} {point[name]}" for name in one["row"])
            lines.append(f"| {values} | {point['rate']:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write the tables to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("spaces", nargs="*", default=list(SPACES), metavar="SPACE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--again", type=Path)
    parser.add_argument("--output", default="tuning")
    options = parser.parse_args()
    found = []
    for name in options.spaces:
        found.append(compare(name, options))
        path = RESULTS / f"{options.output}.json"
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        text = table(found, options)
        (RESULTS / f"{options.output}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
