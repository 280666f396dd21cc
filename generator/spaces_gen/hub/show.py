"""How plans, stages and Spaces look in a terminal. Nothing here knows a secret's value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spaces_gen.hub.changes import NEVER, Change
from spaces_gen.hub.plan import Plan

DAY, HOUR, MINUTE = 86400, 3600, 60


def print_plan(console: Console, plan: Plan) -> None:
    """Everything that would change, and nothing that would not."""
    where = "would be created" if plan.remote is None else f"is at {plan.remote.commit[:7]}"
    console.print(f"[bold]{escape(plan.repo_id)}[/] {where}")
    if plan.empty:
        console.print("  nothing would change")
    for sign, path, size in files(plan):
        console.print(f"  {sign} {escape(path)}" + (f"  {as_size(size)}" if size >= 0 else ""))
    for name, old, new in settings(plan):
        console.print(f"  {escape(name)}: {escape(old)} → {escape(new)}")
    for path in plan.files.kept:
        console.print(f"  [dim]kept, only there: {escape(path)}[/]")
    for path, reason in plan.local.left_out.items():
        console.print(f"  [dim]stays here: {escape(path)} ({escape(reason)})[/]")
    before, after = plan.price
    if plan.remote is None:
        console.print(f"  price: {as_price(after)}")
    elif before != after:
        console.print(f"  price: {as_price(before)} → {as_price(after)}")


def files(plan: Plan) -> Iterator[tuple[str, str, int]]:
    """Sign, path and size in bytes (below 0 for none) of each file that changes."""
    for path in plan.files.added:
        yield "[green]+[/]", path, plan.local.files[path].size
    for path in plan.files.changed:
        yield "[yellow]~[/]", path, plan.local.files[path].size
    for path in plan.files.deleted:
        yield "[red]-[/]", path, -1


def settings(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Name, old and new value of each setting that changes."""
    changes = plan.settings
    if changes.hardware:
        yield "hardware", *both(changes.hardware)
    if changes.sleep_time:
        yield "sleep time", as_sleep(changes.sleep_time.old), as_sleep(changes.sleep_time.new)
    if changes.visibility:
        yield "visibility", *both(changes.visibility)
    for key, change in changes.variables.items():
        yield f"variable {key}", *both(change)
    for key in changes.secrets:
        yield f"secret {key}", "?", "(its value is not shown)"
    if changes.volumes:
        old, new = changes.volumes.old, changes.volumes.new
        yield "volumes", as_volumes(old), as_volumes(new)


def both(change: Change) -> tuple[str, str]:
    """The values as texts."""
    old, new = ("-" if one is None else str(one) for one in (change.old, change.new))
    return old, new


def as_volumes(volumes: Any) -> str:
    """The volumes as the command line takes them."""
    return ", ".join(one.to_uri() for one in volumes or ()) or "-"


def as_size(size: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def as_sleep(seconds: int | None) -> str:
    """A sleep time as people read it."""
    if seconds is None:
        return "-"
    if seconds == NEVER:
        return "never"
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= unit and seconds % unit == 0:
            count = seconds // unit
            return f"after {count} {name}{'s' if count > 1 else ''}"
    return f"after {seconds} seconds"


def as_price(price: float | None) -> str:
    """Of an hour."""
    if price is None:
        return "?"
    return f"${price:.2f} an hour" if price else "free"


def print_space(console: Console, about: dict[str, Any]) -> None:
    """A Space's state, one line for each thing that is known."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for name, value in about.items():
        if value not in (None, "", [], {}):
            table.add_row(name.replace("_", " "), escape(as_text(name, value)))
    console.print(table)


def as_text(name: str, value: Any) -> str:
    """A value for the table."""
    if name == "sleep_time":
        return as_sleep(value)
    if name == "price_per_hour":
        return as_price(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
