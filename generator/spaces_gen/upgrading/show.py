"""How a change looks in a terminal."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spaces_gen.fit import Fit, fit, rate, typical_items
from spaces_gen.tables import ModelType, Tier, load_model_types, load_tiers
from spaces_gen.upgrading.change import Change, content
from spaces_gen.upgrading.files import Files
from spaces_gen.upgrading.merge import Clash, Merge
from spaces_gen.upgrading.values import OF_A_MACHINE, active_row

TUNING = "tuning.py"


def print_merge(console: Console, merge: Merge) -> None:
    """The files that change, one line each."""
    for path in merge.written:
        sign = "[green]+[/]" if path in merge.created else "[yellow]~[/]"
        console.print(f"  {sign} {escape(path)}")
    for path in merge.deleted:
        console.print(f"  [red]-[/] {escape(path)}")
    for path in merge.kept:
        console.print(f"  [dim]kept, since you edited it: {escape(path)}[/]")


def print_clashes(console: Console, clashes: list[Clash]) -> None:
    """Both sides of each clash, with file and line."""
    for clash in clashes:
        if clash.reason:
            console.print(f"[red]{escape(clash.path)}[/] {escape(clash.reason)}")
        for hunk in clash.hunks:
            console.print(f"[red]{escape(clash.path)}:{hunk.line}[/] was changed on both sides")
            for side, lines in (("yours", hunk.mine), ("generated now", hunk.theirs)):
                console.print(f"  [dim]{side}:[/]")
                for line in lines or ("(nothing)",):
                    console.print(f"    {harmless(line)}", markup=False)


def print_change(console: Console, mine: Files, change: Change) -> None:
    """Everything about a change."""
    print_diff(console, mine, change.merge)
    print_clashes(console, change.merge.clashes)
    print_values(console, mine, change)


def print_diff(console: Console, mine: Files, merge: Merge) -> None:
    """A unified diff of what would change."""
    for path in sorted({*merge.written, *merge.deleted}):
        for line in diff_of(path, content(mine, path), merge.written.get(path)):
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            if line.startswith(("---", "+++")):
                style = "bold"
            console.print(harmless(line), markup=False, style=style, no_wrap=True)


def harmless(line: str) -> str:
    """A line of somebody's file without what would command the terminal."""
    return "".join(
        one if one.isprintable() or one == "\t" else "\N{REPLACEMENT CHARACTER}" for one in line
    )


def diff_of(path: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    """The lines of a file's diff; None for a file that is not there."""
    sides = [data or b"" for data in (old, new)]
    if any(b"\0" in side for side in sides):
        yield f"binary file {path}: {len(sides[0])} → {len(sides[1])} bytes"
        return
    before, after = (side.decode("utf-8", "replace").splitlines() for side in sides)
    was = "/dev/null" if old is None else f"a/{path}"
    now = "/dev/null" if new is None else f"b/{path}"
    yield from difflib.unified_diff(before, after, was, now, lineterm="")


def print_values(console: Console, mine: Files, change: Change) -> None:
    """The tuned values, memory, expected throughput and price, before and after."""
    rows = list(values(mine, change))
    if not rows:
        return
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("value", "old", "new"):
        table.add_column(name)
    for name, old, new in rows:
        style = "" if old == new else "bold"
        table.add_row(name, escape(harmless(old)), escape(harmless(new)), style=style)
    console.print(table)


def values(mine: Files, change: Change) -> Iterator[tuple[str, str, str]]:
    """Name, old and new of everything that depends on the tier, as texts."""
    old = active_row(content(mine, TUNING) or b"")
    merged = change.merge.written.get(TUNING) or content(mine, TUNING) or b""
    if any(clash.path == TUNING for clash in change.merge.clashes):
        merged = change.theirs[TUNING].data
    new = active_row(merged)
    if old is None or new is None:
        return
    yield "hardware", str(old["flavor"]), str(new["flavor"])
    for name in new:
        if name not in OF_A_MACHINE:
            yield name, str(old.get(name)), str(new[name])
    sides = [
        estimated(row, answers)
        for row, answers in ((old, change.before.answers), (new, change.after.answers))
    ]
    for name in sides[1]:
        yield name, sides[0].get(name, "?"), sides[1][name]


def estimated(row: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, str]:
    """Memory, throughput and price of a row, as texts."""
    tier = load_tiers().get(str(row["flavor"]))
    model_type = load_model_types().get(str(answers.get("model_type")))
    parameters = str(answers.get("model_parameters"))
    if tier is None or model_type is None or not parameters.isdecimal():
        return {}
    return figures(tier, model_type, int(parameters), row)


def figures(
    tier: Tier, model_type: ModelType, parameters: int, row: Mapping[str, Any]
) -> dict[str, str]:
    """The same, where everything is known."""
    found = fit(tier, model_type, parameters, typical_items(model_type, row))
    expected = rate(tier, model_type, parameters, row)
    price = f"${tier.price_per_hour:.2f}" if tier.price_per_hour else "free"
    return {
        "memory (estimated)": memory(found),
        "requests/s (estimated)": f"{expected:.3g}",
        "price per hour": price,
    }


def memory(found: Fit) -> str:
    """What a full batch takes of what there is."""
    return f"{found.needed:.1f} of {found.available:.0f} GB"
