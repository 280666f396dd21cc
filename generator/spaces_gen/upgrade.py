"""`spaces-gen upgrade` and `spaces-gen diff` on a folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from spaces_gen.check import as_line, space_checks
from spaces_gen.errors import UserError
from spaces_gen.terminal import progress
from spaces_gen.upgrading.change import Change, Wish, make_change
from spaces_gen.upgrading.files import Folder
from spaces_gen.upgrading.merge import Clash
from spaces_gen.upgrading.show import print_change, print_clashes, print_merge
from spaces_gen.upgrading.swap import recover, swap


def upgrade(folder: Path, wish: Wish, *, inline: bool, dry_run: bool, console: Console) -> int:
    """Change a Space; returns the exit code.

    Args:
        inline: write clashes between conflict markers, in place of stopping at them.

    Raises:
        UserError: it is not possible, or a file cannot be written. Nothing is changed then.
    """
    change = read_change(folder, wish, console)
    merge = change.merge
    if merge.empty:
        console.print(f"nothing to change: {folder} is like that already", markup=False)
        return 0
    if dry_run:
        print_merge(console, merge)
        print_clashes(console, merge.clashes)
        console.print("[dim]nothing was written: this was a dry run[/]")
        return int(bool(merge.clashes))
    if merge.clashes and not inline:
        print_clashes(console, merge.clashes)
        raise UserError(
            f"{count(merge.clashes)} in {folder}; nothing was changed. Make your lines like the "
            "generated ones or take them back first, or use --conflict inline for markers"
        )
    marked = {one.path: one.marked for one in merge.clashes if one.marked is not None}
    swap(folder.resolve(), {**merge.written, **marked}, merge.deleted, merge.seen)
    print_merge(console, merge)
    if merge.clashes:
        print_clashes(console, merge.clashes)
        raise UserError(
            f"{count(merge.clashes)} in {folder}; look for <<<<<<< in {', '.join(marked)}"
            if marked
            else f"{count(merge.clashes)} in {folder}; the files named above are as they were"
        )
    hardware = change.after.answers["hardware"]
    console.print(f"{folder} is for {hardware} now: spaces-gen publish {folder}", markup=False)
    return 0


def show_diff(folder: Path, wish: Wish, console: Console) -> int:
    """Show what an upgrade would change; writes nothing. Returns the exit code.

    Raises:
        UserError: it is not possible.
    """
    change = read_change(folder, wish, console)
    print_change(console, Folder(folder), change)
    return int(bool(change.merge.clashes))


def read_change(folder: Path, wish: Wish, console: Console) -> Change:
    """What an upgrade would do to a folder, which is in order.

    Raises:
        UserError: it is not possible, or an earlier upgrade left conflict markers.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, style="dim")

    if recover(folder.resolve()):
        say(f"an interrupted change of {folder} was undone first")
    with progress("Working out what changes"):
        change = make_change(str(folder), Folder(folder), wish, say)
    check_no_markers(folder, [*change.base, *change.theirs])
    return change


def check_no_markers(folder: Path, paths: list[str]) -> None:
    """Refuse a Space in which the clashes of an earlier upgrade still stand.

    Raises:
        UserError: with the first of them.
    """
    checks = space_checks()
    listed = checks.SpaceFiles(folder.resolve(), tuple(sorted(set(paths))))
    found = checks.check_conflicts(listed)
    if found:
        raise UserError(f"not upgraded: {as_line(found[0])}")


def count(clashes: list[Clash]) -> str:
    """In words."""
    return f"{len(clashes)} file{'s clash' if clashes[1:] else ' clashes'}"
