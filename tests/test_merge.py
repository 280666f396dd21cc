"""The three-way merge: every pair of tiers, and any edit of an owner.

What has to come out is worked out here without git: the edits are made line by line, so it is known
which lines are the owner's, and whether they touch those that the template changed.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from upgrading import (
    ANSWERS,
    DROPPED_FILE,
    VERSIONS,
    Memory,
    Tree,
    applied,
    as_tree,
    fresh,
    put,
    take,
)

from spaces_gen.estimate import largest_model
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.upgrading.change import with_examples_of
from spaces_gen.upgrading.files import File, Folder
from spaces_gen.upgrading.merge import Clash, merge
from spaces_gen.upgrading.swap import swap

TIERS = list(load_tiers())
OF_EACH_KIND = ("t4-small", "zero-a10g", "a100-large")


# -- nothing edited --------------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", load_model_types())
def test_updated_equals_fresh_and_there_and_back_is_nothing(model_type: str) -> None:
    """The answers file included; all pairs of tiers, and of other model types a round of some."""
    assert len(TIERS) == 21
    row = load_model_types()[model_type]
    tiers = [key for key, one in load_tiers().items() if row.parameters <= largest_model(one, row)]
    pairs = list(product(tiers, tiers))
    if model_type != "text-classification":  # their files of a tier differ in values only
        tiers = [tier for tier in tiers if tier in (row.hardware, *OF_EACH_KIND)]
        pairs = list(pairwise([*tiers, tiers[0]]))
    plain = {tier: fresh(model_type, tier) for tier in tiers}
    trees = {tier: as_tree(files) for tier, files in plain.items()}
    for one, other in pairs:
        there = merge(trees[one], trees[other], Memory(plain[one]))
        assert (there.clashes, there.kept, there.deleted) == ([], [], []), (one, other)
        assert there.empty == (one == other)
        after = applied(plain[one], there)
        assert after == plain[other], (one, other)
        back = merge(trees[other], trees[one], Memory(after))
        assert applied(after, back) == plain[one], (one, other)


# -- any edit --------------------------------------------------------------------------------------

Lines = list[tuple["int | None", bytes]]  # each with its number in the template's file


@dataclass(frozen=True)
class Edit:
    """One thing that an owner does; `kind` is the name of a function below."""

    kind: str
    path: str
    position: int = 0
    content: bytes = b""


def numbered(data: bytes) -> Lines:
    """The lines of a file with their ends."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return list(enumerate(lines if lines[-1] else lines[:-1]))


def edit_lines(lines: Lines, edit: Edit) -> Lines:
    """The lines after an edit of one of them."""
    if edit.kind == "crlf":
        return [(number, as_crlf(line)) for number, line in lines]
    if not lines:
        return lines
    if edit.kind == "chop":
        number, last = lines[-1]
        return [*lines[:-1], (number, last.removesuffix(b"\n").removesuffix(b"\r"))]
    at = edit.position % len(lines)
    before, (number, line), after = lines[:at], lines[at], lines[at + 1 :]
    changed: dict[str, Lines] = {
        "insert": [(None, edit.content), (number, line)],
        "delete": [],
        "change": [(None, edit.content)],
        "end": [(number, as_crlf(line))],
        "again": [(number, line), (None, line)],
    }
    return [*before, *changed[edit.kind], *after]


def as_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


OF_LINES = ("insert", "delete", "change", "again", "end", "crlf", "chop")
OF_FILES = ("rename", "remove", "put")


class Owner:
    """A Space after some edits."""

    def __init__(self, base: Mapping[str, bytes], edits: Iterable[Edit]) -> None:
        self.files: Tree = dict(base)
        self.lines = {path: numbered(data) for path, data in base.items() if b"\0" not in data}
        for edit in edits:
            if edit.kind in OF_LINES:
                if edit.path in self.lines:
                    self.lines[edit.path] = edit_lines(self.lines[edit.path], edit)
                    self.files[edit.path] = b"".join(line for _, line in self.lines[edit.path])
                continue
            old = self.files.pop(edit.path, None)
            lines = self.lines.pop(edit.path, None)
            if edit.kind == "put":
                self.files[edit.path] = edit.content
                self.lines[edit.path] = [(None, line) for _, line in numbered(edit.content)]
            elif edit.kind == "rename" and old is not None:
                name = f"own/{edit.path}"
                self.files[name] = old
                if lines is not None:
                    self.lines[name] = [(None, line) for _, line in lines]


def renumbered(before: bytes, lines: Lines) -> Lines:
    """The lines in which one that was deleted and put in again at its place is not an edit."""
    result, base, last = list(lines), numbered(before), -1
    for at, (number, line) in enumerate(lines):
        if number is None:
            after = next((one for one, _ in lines[at:] if one is not None), len(base))
            number = next((n for n in range(last + 1, after) if base[n][1] == line), None)
            result[at] = (number, line)
        last = last if number is None else number
    return result


def woven(before: bytes, now: bytes, lines: Lines) -> bytes | None:
    """What the template changed, put into the owner's lines; None where the two touch."""
    ends = [False, True] if any(line.endswith(b"\r\n") for _, line in lines) else [False]
    for crlf in ends:
        base, theirs = (
            [line for _, line in numbered(as_crlf(side) if crlf else side)]
            for side in (before, now)
        )
        result = woven_as_is(base, theirs, lines)
        if result is not None:
            return result
    return None


def woven_as_is(base: list[bytes], theirs: list[bytes], lines: Lines) -> bytes | None:
    """The same for one kind of line ends."""
    result = [line for _, line in lines]
    places = {number: at for at, (number, _) in enumerate(lines) if number is not None}
    matcher = difflib.SequenceMatcher(None, base, theirs, autojunk=False)
    for kind, start, end, new_start, new_end in reversed(matcher.get_opcodes()):
        if kind == "equal":
            continue
        around = range(max(0, start - 1), min(len(base), end + 1))
        at = [places.get(number, -1) for number in around]
        intact = all(place >= 0 and lines[place][1] == base[n] for n, place in zip(around, at))
        together = at == list(range(at[0], at[0] + len(at)))
        first, last = start > 0 or at[0] == 0, end < len(base) or at[-1] == len(lines) - 1
        if not (intact and together and first and last):
            return None
        here = at[0] + (start - around[0])
        result[here : here + end - start] = theirs[new_start:new_end]
    return b"".join(result)


def touch(before: bytes, now: bytes, here: bytes) -> bool:
    """Whether git sees two changes of a text with no untouched line between them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = put({"base": before, "theirs": now, "mine": here}, Path(temporary))

        def changed(side: str) -> list[tuple[int, int]]:
            options = ("--no-index", "-U0", "--no-indent-heuristic", "--text")
            done = subprocess.run(
                ["git", "diff", *options, "base", side],
                cwd=folder,
                capture_output=True,
                check=False,
            )
            found = []
            for start, count in re.findall(rb"^@@ -(\d+)(?:,(\d+))? ", done.stdout, re.MULTILINE):
                size = int(count or 1)
                first = int(start) - 1 + (size == 0)
                found.append((first, first + size))
            return found

        return any(
            start <= other_end and other_start <= end
            for start, end in changed("theirs")
            for other_start, other_end in changed("mine")
        )


def check_clash(clash: Clash, before: bytes | None, now: bytes | None, owner: Owner) -> str:
    """A reported clash is a real one, and shows the owner's lines; returns its kind."""
    here = owner.files[clash.path]
    assert now is not None
    assert here not in (before, now)
    if clash.marked is None:
        assert any(b"\0" in side for side in (before or b"", now, here))
        assert clash.reason
        return "binary"
    assert clash.hunks
    check_hunks(clash, here)
    for number, line in owner.lines[clash.path]:
        assert number is not None or line.rstrip() in clash.marked, "no line of the owner is lost"
    if before is None:
        return "added"
    if woven(before, now, renumbered(before, owner.lines[clash.path])) is None:
        return "lines"
    ways = [(before, now)] if b"\r\n" not in here else [(as_crlf(before), as_crlf(now))]
    if 0 < here.count(b"\r\n") < here.count(b"\n"):
        ways.append((before, now))
    far = "the two sides changed lines far from each other"
    assert all(touch(*way, here) for way in ways), far
    return "lines"


def check_hunks(clash: Clash, here: bytes) -> None:
    """The lines that a clash names are those of the owner's file."""
    lines = [line.rstrip("\r") for line in here.decode("utf-8", "replace").split("\n")]
    for hunk in clash.hunks:
        assert tuple(lines[hunk.line - 1 :][: len(hunk.mine)]) == hunk.mine
        assert hunk.mine != hunk.theirs


def check_merged(before: bytes, now: bytes, lines: Lines, result: bytes) -> None:
    """Both sides' changes are in a merged text."""
    expected = woven(before, now, lines)
    if expected is not None:
        assert result == expected
        return
    # they touch, and yet git could merge them, since both did the same
    found, mine = ([line for _, line in numbered(data)] for data in (result, joined(lines)))
    theirs = [line for _, line in numbered(as_crlf(now) + now)]
    for number, line in lines:
        blank = not line.strip()  # one of them is like another
        assert number is not None or blank or found.count(line) >= mine.count(line)
    added = counted(now) - counted(before)
    assert not added - counted(result), "what the template changed is there"
    for line in {line for line in found if line.strip()}:
        assert found.count(line) <= max(mine.count(line), theirs.count(line))


def counted(data: bytes) -> Counter[bytes]:
    """How often a file has each line, whatever its end."""
    return Counter(line.rstrip(b"\r\n") for _, line in numbered(data))


def joined(lines: Lines) -> bytes:
    return b"".join(line for _, line in lines)


def check_everything(base: Tree, theirs: Tree, owner: Owner, after: Tree) -> None:
    """A merge without a clash: each file is what it has to be."""
    for path in {*base, *theirs, *owner.files, *after}:
        before, now, here = base.get(path), theirs.get(path), owner.files.get(path)
        result = after.get(path)
        if path == ANSWERS:
            assert result == now
        elif before == now:
            assert result == here, f"{path}: the template did not change it"
        elif here is None:
            assert result == (now if before is None else None), f"{path}: deleted stays deleted"
        elif now is None:
            same = before is not None and as_crlf(here) == as_crlf(before)
            assert result == (None if same else here), f"{path}: dropped by the template"
        elif here == now:
            assert result == now
        elif before is None:
            assert (here, result) == (b"", now), f"{path}: the owner's own file"
        else:
            assert result is not None
            check_merged(before, now, renumbered(before, owner.lines[path]), result)


Place = tuple[str, str | None]  # a tier, and a version of the template
SOME_TIERS = ("cpu-basic", "zero-a10g", "t4-small")
BOOLEANS = st.booleans()
PLACES = st.tuples(st.sampled_from(SOME_TIERS), st.sampled_from((None, *VERSIONS)))
WORDS = st.sampled_from(
    [
        b"mine",
        b"# mine",
        b"m\xf6rder \xff",
        b"\xc3\xa9",
        b"",
        b"mine\r",
        b"x" * 5000,
        b"a\rb",
        b"\0",
    ]
)


@dataclass(frozen=True)
class Case:
    """A Space that is taken from one place to another, what its owner did to it, and file modes."""

    before: Place
    after: Place
    edits: tuple[Edit, ...]
    modes: Mapping[str, int]

    def trees(self) -> tuple[Tree, Tree]:
        """What the template gives before and after."""
        base, now = (
            as_tree(fresh("text-classification", *one)) for one in (self.before, self.after)
        )
        theirs = with_examples_of(base, now)
        return as_bytes(base), as_bytes(theirs)


def as_bytes(tree: Mapping[str, File]) -> Tree:
    return {path: file.data for path, file in tree.items()}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    before, after = draw(PLACES), draw(PLACES)
    if draw(BOOLEANS):  # often the tier alone
        after = (after[0], before[1])
    base, theirs = Case(before, after, (), {}).trees()
    changed = sorted(path for path in {*base, *theirs} if base.get(path) != theirs.get(path))
    near = [path for path in changed if path != ANSWERS]
    near += [DROPPED_FILE] * (2 * (DROPPED_FILE in near))
    paths = sorted({*base, *theirs, "own.py", "examples/own.bin"} - {ANSWERS})
    edits = []
    for number in range(draw(st.integers(0, 9))):
        aimed: bool = draw(BOOLEANS)
        path = draw(st.sampled_from(near if near and aimed else paths))
        kind = draw(st.sampled_from((*OF_LINES[:4] * 4, *OF_LINES[4:], *OF_FILES)))
        word = draw(WORDS)
        position = draw(st.integers(0, 400))
        lines = [line for _, line in numbered(base.get(path, b""))]
        others = [line for _, line in numbered(theirs.get(path, b""))]
        places = [at for at, pair in enumerate(zip(lines, others)) if pair[0] != pair[1]]
        if places and aimed:
            position = max(0, places[0] + draw(st.integers(-3, 3)))
        content = b"%s %d\n" % (word, number) if word else b"\n"
        edits.append(Edit(kind, path, position, content))
    modes = st.sampled_from([0o755, 0o600, 0o644, 0o664])
    chosen = st.dictionaries(st.sampled_from([*near, "app.py"]), modes, max_size=3)
    return Case(before, after, tuple(edits), draw(chosen))


def check_case(case: Case) -> list[str]:
    """Merge in a folder, and look at every file; returns the kinds of clashes."""
    base, theirs = case.trees()
    owner = Owner(base, case.edits)
    with tempfile.TemporaryDirectory() as temporary:
        space = put(owner.files, Path(temporary))
        modes = {path: mode for path, mode in case.modes.items() if path in owner.files}
        for path, mode in modes.items():
            (space / path).chmod(mode)
        result = merge(as_tree(base), as_tree(theirs), Folder(space))
        assert take(space) == owner.files, "a merge writes nothing"
        if result.clashes:
            return [
                check_clash(one, base.get(one.path), theirs.get(one.path), owner)
                for one in result.clashes
            ]
        if not result.empty:
            swap(space, result.written, result.deleted, result.seen)
        after = take(space)
        check_everything(base, theirs, owner, after)
        for path in modes.keys() & after.keys():
            assert (space / path).stat().st_mode & 0o777 == modes[path]
    return []


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_every_edit_is_found_again_or_a_real_clash_is_reported(case: Case) -> None:
    """Edits of any kind, between tiers and versions, in a folder."""
    for kind in check_case(case) or ["none"]:
        event(f"clash: {kind}")


def clash_of(base: str, theirs: str, mine: str) -> Clash:
    """The clash of three texts."""
    texts = (text.encode() for text in (base, theirs, mine))
    before, now, here = ({"a": text} for text in texts)
    (clash,) = merge(as_tree(before), as_tree(now), Memory(here)).clashes
    return clash


def test_a_clash_names_the_line_in_the_owners_file() -> None:
    """Also where the template has more or fewer lines before it."""
    base, mine = "1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\n5\n6\nmine\n8\n"
    for start in ("1\n2\n3\n", "new\nnew\n1\n2\n3\n", "2\n3\n"):
        clash = clash_of(base, start + "4\n5\n6\ntheirs\n8\n", mine)
        assert [(one.line, one.mine, one.theirs) for one in clash.hunks] == [
            (7, ("mine",), ("theirs",))
        ]


def test_an_underlined_heading_in_a_clash_is_shown_on_its_own_side() -> None:
    """It looks like the marker between the sides."""
    clash = clash_of("1\n2\n3\n", "1\ntheirs\n3\n", "1\nMine\n=======\n3\n")
    (hunk,) = clash.hunks
    assert (hunk.line, hunk.mine, hunk.theirs) == (2, ("Mine", "======="), ("theirs",))
