"""What a change of the answers, or of the template's version, would do to a Space."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaces_gen.answers import ANSWERS
from spaces_gen.errors import UserError
from spaces_gen.fit import check_fits
from spaces_gen.inspect_model import inspect_model
from spaces_gen.questions import check_choice
from spaces_gen.render import render_template
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.upgrading.files import File, Files, Tree, read_tree
from spaces_gen.upgrading.merge import Merge, merge
from spaces_gen.upgrading.recorded import Recorded, parse
from spaces_gen.upgrading.versions import (
    Template,
    is_newer,
    latest,
    parsed,
    template_at,
    template_of,
)

OF_THE_OWNER = ("examples/", "model/")
TIER_LINE = re.compile(r'^TIER = "([\w-]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Wish:
    """What is to change.

    Attributes:
        answers: new ones, by question.
        version: of the template; "latest", or None to keep it.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None


@dataclass(frozen=True)
class Change:
    """What would become of a Space.

    Attributes:
        before, after: what it records now, and then.
        base, theirs: the template's files before and after.
        merge: what would be done to the owner's files.
    """

    before: Recorded
    after: Recorded
    base: Tree
    theirs: Tree
    merge: Merge


def make_change(space: str, mine: Files, wish: Wish, say: Callable[[str], None]) -> Change:
    """Work out a change; writes nothing.

    Args:
        space: how the Space is called in messages.
        say: tells of what was assumed.

    Raises:
        UserError: it is not possible; with what would be.
    """
    recorded = parse(answers_file(mine), space)
    check_choice("hardware", wish.answers, list(load_tiers()))
    check_choice("model_type", wish.answers, list(load_model_types()))
    wanted = {**recorded.answers, **with_inspected(wish.answers)}
    version = latest(recorded.source) if wish.version == "latest" else wish.version
    if version is not None and is_newer(recorded.version, version):
        raise UserError(
            f"{space} was made with {recorded.version}, which is newer than {version}; "
            "going back is not supported"
        )
    check_fits(wanted)
    with ExitStack() as stack:
        old = stack.enter_context(template_of(recorded, say))
        new = old
        if version is not None and version != recorded.version:
            check_known(version, old, recorded)
            new = stack.enter_context(template_at(recorded.source, version))
        base = rendered(old, recorded.answers, f"the answers of {space} are not valid: ")
        recorded, base = corrected(recorded, base, old, mine, say)
        theirs = rendered(new, wanted)
    if recorded.answers.get("model_type") == wanted.get("model_type"):
        theirs = with_examples_of(base, theirs)
    after = parse(theirs[ANSWERS].data, space)
    return Change(recorded, after, base, theirs, merge(base, theirs, mine))


def answers_file(mine: Files) -> bytes | None:
    """The content of a Space's answers file; None where there is none.

    Raises:
        UserError: it is no regular file.
    """
    file = mine.read(ANSWERS)
    if file is not None and file.odd:
        raise UserError(f"{ANSWERS} {file.odd}; put a copy of the file itself in its place")
    return None if file is None else file.data


def content(mine: Files, path: str) -> bytes | None:
    """Of one of the owner's files; None where it is not there, or not to be read."""
    file = mine.read(path)
    return None if file is None or file.odd else file.data


def corrected(
    recorded: Recorded,
    base: dict[str, File],
    template: Template,
    mine: Files,
    say: Callable[[str], None],
) -> tuple[Recorded, dict[str, File]]:
    """The answers and files of the hardware that the Space is of, where only the answers differ.

    Somebody edited them by hand then; the lines of the tier would look like edits, and clash. Where
    the files do not agree with each other, they were edited, and the answers count.
    """
    tuning = TIER_LINE.search((content(mine, "tuning.py") or b"").decode("utf-8", "replace"))
    tier, said = tuning[1] if tuning else None, recorded.answers.get("hardware")
    if tier is None or tier == said or tier not in load_tiers():
        return recorded, base
    answers = {**recorded.answers, "hardware": tier}
    try:
        other = rendered(template, answers)
    except UserError:
        return recorded, base
    differing = [path for path in other if path != ANSWERS and other[path] != base.get(path)]
    if not all(is_of(content(mine, path), other[path], base[path]) for path in differing):
        return recorded, base
    say(f"{ANSWERS} says {said}, but the files are of {tier}: taken as that")
    return Recorded(answers, recorded.source, recorded.version), other


def is_of(here: bytes | None, one: File, other: File) -> bool:
    """Whether a file has the lines in which one render differs from another, and none of those."""
    lines = [set(data.splitlines()) for data in (here or b"", one.data, other.data)]
    return lines[1] - lines[2] <= lines[0] and not (lines[2] - lines[1]) & lines[0]


def with_inspected(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers with what can be found out about a new model, where nobody said it."""
    if "model_id" not in answers or "model_parameters" in answers:
        return dict(answers)
    found = inspect_model(str(answers["model_id"]))
    if not found.reasons:
        return dict(answers)
    size = {"model_parameters": found.parameters} if found.parameters else {}
    return {**answers, **size, "needs_token": found.needs_token}


def check_known(version: str, old: Template, recorded: Recorded) -> None:
    """Refuse a step from a version that nobody knows the files of.

    Raises:
        UserError: the recorded version is nowhere to be had.
    """
    if not old.exact:
        raise UserError(
            f"{recorded.version}, which the Space was made with, cannot be had, so nobody knows "
            f"which lines are yours; {version} cannot be merged into it"
        )
    if parsed(version) is None:
        raise UserError(f"--to-version {version}: name a release such as v1.2.0, or latest")


def rendered(
    template: Template, answers: Mapping[str, Any], complaint: str = ""
) -> dict[str, File]:
    """The files that a template gives for some answers.

    Raises:
        UserError: an answer is not allowed, which begins with `complaint`, or it is another
            template.
    """
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as temporary:
        folder = Path(temporary) / "space"
        try:
            render_template(template.folder, answers, folder, template.provenance)
        except UserError as error:
            raise UserError(f"{complaint}{error}") from error
        files = read_tree(folder)
    if ANSWERS not in files:
        raise UserError(f"{template.source} is no template of Spaces: it writes no {ANSWERS}")
    return files


def with_examples_of(base: Tree, theirs: Tree) -> dict[str, File]:
    """The new files with the old examples and model: these are the owner's once they are there."""
    files = {path: file for path, file in theirs.items() if not path.startswith(OF_THE_OWNER)}
    return files | {path: file for path, file in base.items() if path.startswith(OF_THE_OWNER)}
