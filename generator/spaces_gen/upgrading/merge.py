"""A three-way merge of whole trees, file by file, that never drops an edit in silence.

*base* is what the template gave before, *theirs* what it gives now, *mine* what the owner made of
it. Files whose two renders are equal are never touched. Texts are merged by `git merge-file`, as
Copier does it, so that `copier update` comes to the same result.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from spaces_gen.answers import ANSWERS
from spaces_gen.errors import UserError
from spaces_gen.git import run_git
from spaces_gen.upgrading.files import File, Files, Tree

YOURS, NOW = "yours", "generated now"
MARKS = (("<", f" {YOURS}"), ("=", ""), (">", f" {NOW}"))
MARKER_SIZE = 7  # git's own
GIT_FAILED = 128  # below it the exit code is the number of conflicts


@dataclass(frozen=True)
class Hunk:
    """Lines that both sides changed, each in its own way.

    Attributes:
        line: number of the first of them in the owner's file, from 1.
    """

    line: int
    mine: tuple[str, ...]
    theirs: tuple[str, ...]


@dataclass(frozen=True)
class Clash:
    """A file that cannot be merged.

    Attributes:
        reason: in words, where it is not about lines.
        marked: the file with both sides between conflict markers; None where it is no text.
    """

    path: str
    hunks: tuple[Hunk, ...] = ()
    reason: str = ""
    marked: bytes | None = None


@dataclass
class Merge:
    """What would be done to the owner's files.

    Attributes:
        written: new content by path.
        created: those of them that are not there yet.
        deleted: paths that the template no longer has, and that nobody edited.
        kept: paths that the template no longer has, but that hold edits.
        seen: what the owner's files held when they were read; None for no file.
    """

    written: dict[str, bytes] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)
    seen: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.written or self.deleted or self.clashes)


def merge(base: Tree, theirs: Tree, mine: Files) -> Merge:
    """Merge what changed between two renders into the owner's files; writes nothing.

    Raises:
        UserError: a file cannot be read, or git is not installed.
    """
    result = Merge()
    for path in sorted({*base, *theirs}):
        before, now = base.get(path), theirs.get(path)
        # a mode is the owner's from the first day
        if before is None or now is None or before.data != now.data:
            here = mine.read(path)
            result.seen[path] = here.data if here else None
            merge_file(path, before, now, here, result)
    return result


def merge_file(
    path: str, before: File | None, now: File | None, here: File | None, result: Merge
) -> None:
    """Decide on one path that the template changed."""
    if here is not None and here.odd:
        result.clashes.append(Clash(path, reason=f"{here.odd}, and the template changed it"))
    elif here is None:
        if before is None and now is not None:
            result.written[path] = now.data
            result.created.append(path)
        # else the owner deleted it, and it stays deleted
    elif now is None:
        same = before is not None and equal_text(here.data, before.data)
        (result.deleted if same else result.kept).append(path)
    elif path == ANSWERS or (before is not None and here.data == before.data):
        if here.data != now.data:
            result.written[path] = now.data
    else:
        merge_content(path, before.data if before else b"", now.data, here.data, result)


def merge_content(path: str, before: bytes, now: bytes, here: bytes, result: Merge) -> None:
    """Merge the lines of one file."""
    if here == now:
        return
    if any(b"\0" in side for side in (before, now, here)):
        reason = "was replaced here, and the template changed it; it is no text that can be merged"
        result.clashes.append(Clash(path, reason=reason))
        return
    tries = [(convert(before), convert(now)) for convert in endings(here)]
    for base, theirs in tries:
        merged, conflicts = merge_text(here, base, theirs)
        if not conflicts:
            if merged != here:
                result.written[path] = merged
            return
    marked, _ = merge_text(here, *tries[0])
    # in markers longer than any line of the files, for a line of theirs is none
    width = max(len(line) for side in (before, now, here) for line in side.split(b"\n")) + 1
    apart, _ = merge_text(here, *tries[0], marker_size=max(width, MARKER_SIZE))
    hunks = hunks_in(apart, max(width, MARKER_SIZE), here)
    result.clashes.append(Clash(path, hunks, marked=marked))


def equal_text(one: bytes, other: bytes) -> bool:
    """Whether two files are equal but for the ends of their lines."""
    return one.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")


def endings(here: bytes) -> list[Callable[[bytes], bytes]]:
    """How to end the template's lines so that they match the owner's: the likelier way first."""

    def as_crlf(data: bytes) -> bytes:
        return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def as_is(data: bytes) -> bytes:
        return data

    windows = here.count(b"\r\n")
    if not windows:
        return [as_is]
    if windows == here.count(b"\n"):
        return [as_crlf]
    return [as_crlf, as_is] if 2 * windows > here.count(b"\n") else [as_is, as_crlf]


def merge_text(
    here: bytes, before: bytes, now: bytes, marker_size: int = MARKER_SIZE
) -> tuple[bytes, int]:
    """Merge one text; returns it and the number of conflicts, which stand in it between markers.

    Raises:
        UserError: git cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as temporary:
        folder = Path(temporary)
        for name, data in (("mine", here), ("base", before), ("theirs", now)):
            (folder / name).write_bytes(data)
        labels = ("-L", YOURS, "-L", "generated before", "-L", NOW)
        size = f"--marker-size={marker_size}"
        command = ("merge-file", "-p", "-q", size, *labels, "mine", "base", "theirs")
        try:
            done = run_git(*command, cwd=folder, own_settings=False)
        except OSError as error:
            raise UserError("git is not installed, and merging texts needs it") from error
    if done.returncode >= GIT_FAILED:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise UserError(f"git could not merge a file: {said}")
    return done.stdout, done.returncode


def hunks_in(marked: bytes, size: int, here: bytes) -> tuple[Hunk, ...]:
    """The conflicts between the markers of a merged text.

    Args:
        size: of the markers, in characters.
        here: the owner's file, in which their lines are looked for.
    """
    begin, middle, end = (f"{one * size}{name}" for one, name in MARKS)
    found: list[tuple[int, list[str], list[str]]] = []
    view: list[str] = []  # what would be there if the owner's side were chosen
    inside: int | None = None  # which side
    for line in lines_of(marked):
        if inside is None and line == begin:
            inside = 0
            found.append((len(view), [], []))
        elif inside == 0 and line == middle:
            inside = 1
        elif inside == 1 and line == end:
            inside = None
        elif inside is not None:
            (found[-1][2] if inside else found[-1][1]).append(line)
            view += [line] if inside == 0 else []
        else:
            view.append(line)
    place = places(view, lines_of(here))
    return tuple(Hunk(place[at] + 1, tuple(mine), tuple(theirs)) for at, mine, theirs in found)


def lines_of(text: bytes) -> list[str]:
    """The lines of a text, without their ends."""
    return [line.rstrip("\r") for line in text.decode("utf-8", "replace").split("\n")]


def places(view: list[str], lines: list[str]) -> list[int]:
    """For each line of a merged text the place in the owner's file, or of what follows there."""
    place = [len(lines) - 1] * (len(view) + 1)
    blocks = SequenceMatcher(None, view, lines, autojunk=False).get_matching_blocks()
    done = 0
    for in_view, in_lines, count in blocks:
        for at in range(done, min(in_view, len(view))):
            place[at] = min(in_lines, len(lines) - 1)
        for step in range(count):
            place[in_view + step] = in_lines + step
        done = in_view + count
    return place
