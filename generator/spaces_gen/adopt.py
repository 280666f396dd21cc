"""`spaces-gen adopt`: finds out how a Space was made whose answers file is lost or damaged."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spaces_gen.answers import ANSWERS, MOST_BYTES, load_plain
from spaces_gen.errors import UserError
from spaces_gen.estimate import ESTIMATES
from spaces_gen.questions import questions
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.terminal import progress
from spaces_gen.upgrading.change import answers_file, content, rendered
from spaces_gen.upgrading.files import File, Files, Folder
from spaces_gen.upgrading.merge import equal_text
from spaces_gen.upgrading.recorded import is_address, normal, public_source
from spaces_gen.upgrading.swap import recover, swap
from spaces_gen.upgrading.values import OF_A_MACHINE, assignments, rows_by_flavor, statements
from spaces_gen.upgrading.versions import Template, own_version, released, template_at

CARD_KEYS = {
    "title": "title",
    "emoji": "emoji",
    "colorFrom": "color_from",
    "colorTo": "color_to",
    "license": "license",
    "python_version": "python_version",
    "short_description": "short_description",
    "suggested_hardware": "hardware",
}
TUNING_NAMES = {
    "MODEL_ID": "model_id",
    "TIER": "hardware",
    "CACHE_EXAMPLES": "examples_cache",
    "REQUESTS_PER_MINUTE": "requests_per_minute",
}
SOURCE_LINE = re.compile(r"^_src_path: (\S+)$", re.MULTILINE)
VERSIONS = 10  # released ones that are tried, the newest first


@dataclass(frozen=True)
class Origin:
    """How a Space was probably made.

    Attributes:
        answers_file: the content to write.
        equal, files: how many of the template's files are as it gives them, of how many.
    """

    answers: Mapping[str, Any]
    version: str | None
    answers_file: bytes
    equal: int
    files: int


def adopt(
    folder: Path, agree: Callable[[Origin], bool], say: Callable[[str], None] = lambda _: None
) -> Origin | None:
    """Write the answers file anew; returns None where `agree` says no.

    Raises:
        UserError: the folder is no Space of this template.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    if recover(folder.resolve()):
        say(f"an interrupted change of {folder} was undone first")
    mine = Folder(folder)
    before = answers_file(mine)
    with progress("Comparing with what the template gives"):
        origin = find_origin(mine, str(folder))
    if not agree(origin):
        return None
    swap(folder.resolve(), {ANSWERS: origin.answers_file}, [], {ANSWERS: before})
    return origin


def find_origin(mine: Files, space: str) -> Origin:
    """The answers and the version that give the most of a Space's files.

    Raises:
        UserError: nothing that this template gives is like it.
    """
    tuning = content(mine, "tuning.py") or b""
    damaged = content(mine, ANSWERS) or b""
    # what the files say counts more than what is left of a damaged file
    answers = {
        **from_answers(damaged),
        **from_card(content(mine, "README.md") or b""),
        **from_tuning(tuning),
    }
    source = source_in(damaged)
    candidates = [answers["model_type"]] if "model_type" in answers else list(load_model_types())
    best: Origin | None = None
    for version in versions(source):
        with ExitStack() as stack:
            try:
                template = stack.enter_context(template_at(source, version))
            except UserError:
                continue
            for model_type in candidates:
                tried = with_size({**answers, "model_type": model_type}, tuning)
                tried |= from_rows(tried, tuning)
                found = attempt(mine, tried, template)
                if found and (best is None or found.equal > best.equal):
                    best = found
        if best and best.equal == best.files:
            break
    if best is None or 2 * best.equal < best.files:
        raise UserError(
            f"{space} was not made from this template, or too much of it was changed; make a new "
            "one with `spaces-gen new` and put your model.py into it"
        )
    return best


def versions(source: str) -> list[str | None]:
    """Those to try: the one of this package, then the released ones, the newest first."""
    own = [own_version()] if normal(source) == public_source() else []
    others = [tag for tag in released(source) if tag not in own][:VERSIONS]
    return [*own, *others]


def attempt(mine: Files, answers: Mapping[str, Any], template: Template) -> Origin | None:
    """What a version gives for some answers, compared with a Space; None where it gives nothing."""
    try:
        files = rendered(template, answers)
    except UserError:
        return None
    written: dict[str, Any] = yaml.safe_load(files[ANSWERS].data)
    kept = {key: value for key, value in written.items() if not key.startswith("_")}
    others = [path for path in files if path != ANSWERS]
    equal = sum(is_equal(mine.read(path), files[path]) for path in others)
    return Origin(kept, template.version, files[ANSWERS].data, equal, len(others))


def is_equal(here: File | None, generated: File) -> bool:
    """Whether a file is as the template gives it."""
    return here is not None and not here.odd and equal_text(here.data, generated.data)


def from_card(card: bytes) -> dict[str, Any]:
    """The answers that stand in the header of the card."""
    parts = card.decode("utf-8", "replace").replace("\r\n", "\n").split("---\n", 2)
    try:
        header = load_plain(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    except (ValueError, yaml.YAMLError):
        header = None
    if not isinstance(header, dict):
        return {}
    found = {ours: str(header[key]) for key, ours in CARD_KEYS.items() if header.get(key)}
    if found.get("hardware") not in load_tiers():
        found.pop("hardware", None)
    listed = header.get("tags")
    tags = [key for key in load_model_types() if isinstance(listed, list) and key in listed]
    return {**found, **({"model_type": tags[0]} if len(tags) == 1 else {})}


def from_tuning(source: bytes) -> dict[str, Any]:
    """The answers that stand in tuning.py."""
    found = {
        TUNING_NAMES[name]: value.value
        for node in statements(source)
        for name, value in assignments(node)
        if name in TUNING_NAMES and isinstance(value, ast.Constant)
    }
    if found.get("hardware") not in load_tiers():
        found.pop("hardware", None)
    return found


def from_rows(answers: Mapping[str, Any], tuning: bytes) -> dict[str, Any]:
    """The measured values among the rows of tuning.py, as an answer; none where there are none."""
    given = OF_A_MACHINE | {"shards"}  # it follows from the size of the model
    rows = {
        flavor: {key: value for key, value in row.items() if key not in given}
        for flavor, row in rows_by_flavor(tuning).items()
        if str(row.get("source")).startswith("measured")
    }
    return {"measured": {answers["model_id"]: rows}} if rows and "model_id" in answers else {}


def source_in(damaged: bytes) -> str:
    """The address of the template that a damaged answers file still names, or the public one."""
    named = SOURCE_LINE.search(damaged.decode("utf-8", "replace"))
    return named[1] if named and is_address(named[1]) else public_source()


def from_answers(damaged: bytes) -> dict[str, Any]:
    """What can still be read of a damaged answers file; the hardware is what the files say."""
    found: dict[str, Any] = {}
    for line in damaged[:MOST_BYTES].decode("utf-8", "replace").splitlines():
        try:
            one = load_plain(line)
        except (ValueError, yaml.YAMLError):
            continue
        if isinstance(one, dict):
            found |= {key: value for key, value in one.items() if isinstance(value, str | int)}
    wanted = set(questions()) - {"hardware"}
    known = {key: value for key, value in found.items() if key in wanted}
    if known.get("model_type") not in load_model_types():
        known.pop("model_type", None)
    return known


def with_size(answers: dict[str, Any], tuning: bytes) -> dict[str, Any]:
    """The answers with the size of the model, by the rows of tuning.py that it gives."""
    model_type = load_model_types()[answers["model_type"]]
    known = answers.get("model_parameters")
    rows = rows_by_flavor(tuning)
    if not isinstance(known, int) and (
        not rows or answers.get("model_id", model_type.model_id) == model_type.model_id
    ):
        known = model_type.parameters
    if not rows:
        return {**answers, "model_parameters": known}
    steps = json.loads((ESTIMATES / f"{model_type.key}.json").read_text(encoding="utf-8"))
    sizes = sorted({step["up_to"] for of_tier in steps.values() for step in of_tier})

    def agreement(size: int) -> int:
        """How many tiers have the row that this size gives, or none where it does not fit."""
        count = 0
        for flavor, of_tier in steps.items():
            expected = next((step for step in of_tier if step["up_to"] >= size), None)
            row = rows.get(flavor)
            if expected is None or row is None:
                count += expected is None and row is None
            else:
                count += all(row.get(key) == expected[key] for key in expected if key != "up_to")
        return count

    likely = max(sizes, key=agreement)
    if isinstance(known, int) and agreement(known) >= agreement(likely):
        likely = known  # any size between two bounds gives the same rows
    return {**answers, "model_parameters": likely}
