"""How the findings of `tune` look in a terminal, as data and as a plot."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from spaces_gen.capacity.choice import thread_slots
from spaces_gen.plots import figure

if TYPE_CHECKING:
    from spaces_gen.tuning.found import Tuned


def as_data(tuned: Tuned) -> dict[str, Any]:
    """Everything, for programs."""
    measured, compared = tuned.measured, tuned.compared
    return {
        "model_id": tuned.model_id,
        "hardware": tuned.flavor,
        "source": tuned.source,
        "p95_target": tuned.target,
        "front_end_seconds": tuned.front_end,
        "prepare_seconds": measured.about["prepare_seconds"],
        "before": {name: tuned.row[name] for name in tuned.values},
        "after": dict(tuned.values),
        "expected": {"rate": measured.choice.rate, "p95": measured.choice.p95},
        "sweeps": [
            {
                "workers": workers,
                "ended": found.reason,
                "points": [
                    {
                        "limit": point.limit,
                        "requests": point.items,
                        "seconds": point.seconds,
                        "rate": point.rate(workers),
                        "memory_gb": point.memory_gb,
                    }
                    for point in found.points
                ],
            }
            for workers, found in measured.sweeps.items()
        ],
        "ways": [
            {
                "engine": one.way.engine,
                "dtype": one.way.dtype,
                "good": one.good,
                "gain": one.gain,
                "said": one.said,
                "chosen": one.way == measured.way,
            }
            for one in measured.tried
        ],
        "compared": None
        if compared is None
        else {**vars(compared), "gain": compared.gain, "worse": compared.worse(tuned.target)},
    }


def print_tuned(console: Console, tuned: Tuned, changed: list[str], dry_run: bool) -> None:
    """What was measured, what was chosen and what became of it."""
    measured = tuned.measured
    console.print(f"{tuned.flavor}: {tuned.source}", markup=False)
    if "no row is small enough" in tuned.reason:
        console.print(f"[dim]{tuned.reason}[/]")
    for workers, found in measured.sweeps.items():
        console.print(sweep_table(tuned, workers))
        console.print(ENDED[found.reason], style="dim")
    console.print(ways_table(tuned))
    console.print(values_table(tuned))
    for sentence in sentences(tuned, changed, dry_run):
        console.print(sentence, markup=False)


ENDED = {
    "memory": "larger ones do not fit the memory",
    "too slow": "larger ones take longer than the target",
    "no gain": "larger ones gain nothing",
    "time": "no time for larger ones",
    "largest": "larger ones are not tried",
}


def sweep_table(tuned: Tuned, workers: int) -> Table:
    """Time and throughput by the limit of a batch."""
    measured = tuned.measured
    title = f"{workers} at once, {measured.way.name}" if workers > 1 else measured.way.name
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    for name in ("limit", "requests", "ms a batch", "requests/s", "memory GB"):
        table.add_column(name, justify="right", header_style="dim", no_wrap=True)
    for point in measured.sweeps[workers].points:
        chosen = workers == measured.choice.workers and point.limit == measured.point.limit
        table.add_row(
            str(point.limit),
            f"{point.items:.3g}",
            f"{1000 * point.seconds:.3g}",
            f"{point.rate(workers):.3g}",
            f"{point.memory_gb:.2f}",
            style="bold green" if chosen else "",
        )
    return table


def ways_table(tuned: Tuned) -> Table:
    """What can compute the model, and why it is not chosen."""
    table = Table(box=None, padding=(0, 1))
    for name in ("computed by", "throughput", "answers"):
        table.add_column(name, header_style="dim")
    for one in tuned.measured.tried:
        chosen = one.way == tuned.measured.way
        gain = "-" if one.gain is None else f"{one.gain:.2f} x"
        said = one.said if one.good else f"refused: {one.said}"
        style = "bold green" if chosen else "" if one.good else "dim"
        table.add_row(one.way.name, gain, said, style=style)
    return table


def values_table(tuned: Tuned) -> Table:
    """The row of tuning.py, and what follows from it in Gradio."""
    table = Table(box=None, padding=(0, 1))
    for name in ("value", "before", "after"):
        table.add_column(name, header_style="dim", justify="left" if name == "value" else "right")
    for name, value in tuned.values.items():
        before = tuned.row[name]
        table.add_row(name, str(before), str(value), style="" if before == value else "bold")
    streams = tuned.measured.about["streams"]
    limits = [
        batch if streams else 2 * batch
        for batch in (tuned.row["max_batch_size"], tuned.values["max_batch_size"])
    ]
    table.add_row("concurrency_limit", *map(str, limits), style="dim")
    table.add_row("max_threads", *(str(thread_slots(2 * one)) for one in limits), style="dim")
    return table


def sentences(tuned: Tuned, changed: list[str], dry_run: bool) -> Iterator[str]:
    """What it comes to."""
    choice, compared = tuned.measured.choice, tuned.compared
    if choice.rate:
        yield (
            f"expected: up to {choice.rate:.3g} requests/s with p95 within {tuned.target:g} s; the "
            f"page takes {1000 * tuned.front_end:.2g} ms of each"
        )
    else:
        yield f"p95 within {tuned.target:g} s cannot be met here; one at a time is the least wait"
    if compared is None:
        yield "these are the values that the Space has"
    else:
        before, after = (statistics.median(one) for one in (compared.before, compared.after))
        yield (
            f"with {compared.users} visitors: {before:.3g} requests/s before, {after:.3g} after "
            f"({compared.gain:.2f} x); p95 at {compared.rate:.3g} arrivals/s: "
            f"{seconds(compared.p95_before)} before, {seconds(compared.p95_after)} after"
        )
    if not tuned.better:
        yield "not written: that is worse than before; the Space is as it was"
    elif dry_run:
        yield "nothing was written: this was a dry run"
    elif changed:
        yield f"written: {', '.join(changed)}"


def seconds(value: float | None) -> str:
    """For people."""
    return "not all answered" if value is None else f"{value:.3g} s"


def plot(tuned: Tuned, path: Path) -> None:
    """Time of a batch and throughput against its size, with the chosen point.

    Raises:
        UserError: matplotlib is missing, or the file cannot be written.
    """
    measured = tuned.measured
    unit = "most that a batch costs (items x the longest)"
    if not measured.about["by_cost"]:
        unit = "requests in a batch"
    with figure(path, (10, 4), columns=2) as (left, right):
        for workers, found in measured.sweeps.items():
            sizes = [point.limit for point in found.points]
            label = f"{workers} at once"
            left.plot(sizes, [1000 * one.seconds for one in found.points], "o-", label=label)
            right.plot(sizes, [one.rate(workers) for one in found.points], "o-", label=label)
        point, workers = measured.point, measured.choice.workers
        for axes, value in ((left, 1000 * point.seconds), (right, point.rate(workers))):
            axes.plot([point.limit], [value], "*", markersize=16, color="tab:green", label="chosen")
            axes.set_xscale("log", base=2)
            axes.set_xlabel(unit)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
        left.set_ylabel("ms a batch")
        right.set_ylabel("requests/s of the model alone")
