"""How figures look in a terminal, and as a plot."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from spaces_gen.load.figures import Figures
from spaces_gen.plots import figure

COLUMNS = ("load", "sent", "req/s", "p50 s", "p95 s", "p99 s", "wait s", "batch", "MB", "$/1000")


def print_figures(console: Console, rows: list[Figures]) -> None:
    """A table per route."""
    for route in dict.fromkeys(row.route for row in rows):
        table = Table(title=f"{route} route", title_justify="left", box=None, padding=(0, 1))
        for column in COLUMNS:
            table.add_column(column, justify="right", header_style="dim", no_wrap=True)
        table.add_column("not answered", header_style="dim")
        for row in rows:
            if row.route == route:
                table.add_row(*cells(row))
        console.print(table)


def print_ratios(console: Console, ours: list[Figures], theirs: list[Figures]) -> None:
    """The first Space over the second, load by load."""
    table = Table(title="first / second", title_justify="left", box=None, padding=(0, 1))
    for column in ("route", "load", "req/s", "p95", "memory"):
        table.add_column(column, justify="right", header_style="dim")
    others = {(row.route, row.closed, row.offered): row for row in theirs}
    for row in ours:
        other = others.get((row.route, row.closed, row.offered))
        if other is not None:
            pairs = (
                (row.throughput, other.throughput),
                (row.p95, other.p95),
                (row.memory_mb, other.memory_mb),
            )
            table.add_row(row.route, cells(row)[0], *(ratio(*pair) for pair in pairs))
    console.print(table)


def ratio(one: float | None, other: float | None) -> str:
    """One over the other."""
    return f"{one / other:.2f}" if one is not None and other else "-"


def cells(row: Figures) -> list[str]:
    """A row as texts."""
    load = f"{row.offered:g} visitors" if row.closed else f"{row.offered:.3g}/s arrive"
    numbers = (row.throughput, row.p50, row.p95, row.p99, row.queue_wait, row.batch)
    memory = "-" if row.memory_mb is None else f"{row.memory_mb:.0f}"
    price = "-" if row.price is None else f"{row.price:.4f}"
    return [load, str(row.sent), *map(number, numbers), memory, price, not_answered(row)]


def number(value: float | None) -> str:
    """Three digits that count."""
    return "-" if value is None else f"{value:.3g}"


def not_answered(row: Figures) -> str:
    """Everybody else, by what became of them."""
    found = {"refused": row.refused, **row.failures, "gave up waiting": row.unfinished}
    return ", ".join(f"{count} {kind}" for kind, count in found.items() if count)


def plot(path: Path, named: dict[str, list[Figures]]) -> None:
    """Throughput and p95 against the offered load, of one Space or several.

    Raises:
        UserError: matplotlib is missing, or the file cannot be written.
    """
    with figure(path, (10, 4), columns=2) as (left, right):
        for name, rows in named.items():
            for route in dict.fromkeys(row.route for row in rows):
                shown = [row for row in rows if row.route == route and not row.closed]
                offered = [row.offered for row in shown]
                label = f"{name} {route}"
                left.plot(offered, [row.throughput for row in shown], "o-", label=label)
                right.plot(offered, [row.p95 for row in shown], "o-", label=label)
        for axes, label in ((left, "answers/s"), (right, "p95 in seconds")):
            axes.set_xlabel("arrivals/s")
            axes.set_ylabel(label)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
