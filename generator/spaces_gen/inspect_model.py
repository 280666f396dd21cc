"""What a model says of itself, on the Hub or in a folder, and which model type serves it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaces_gen.errors import UserError
from spaces_gen.inspecting.obstacles import notes_of, obstacle, runs_own_code
from spaces_gen.inspecting.source import (
    REPO_ID,
    Source,
    Unreachable,
    in_folder,
    on_hub,
    word,
)
from spaces_gen.inspecting.task import (
    WRITES,
    WRITING,
    Task,
    libraries_of,
    task_by_files,
    task_of,
)
from spaces_gen.inspecting.weights import Weights, weights_of
from spaces_gen.tables import load_model_types

OWN = "custom"  # the model type whose model.py its owner writes
MILLION = 10**6


@dataclass(frozen=True)
class Inspected:
    """What is known of a model; "", 0 and None where it is not.

    Attributes:
        model_type: that serves it, a key of the table; None where `obstacle` says why none does.
        parameters: in millions, rounded up; `estimated` where they follow from sizes of files.
        alternatives: other model types that may as well be right.
        obstacle: the end of a sentence that begins with the model.
        notes: whole sentences about what else its Space needs.
        reasons: by field, where it is known from.
    """

    model_id: str
    model_type: str | None = None
    pipeline_tag: str = ""
    library: str = ""
    licence: str = ""
    gated: bool = False
    private: bool = False
    parameters: int = 0
    estimated: bool = False
    dtype: str = ""
    custom_code: bool = False
    alternatives: tuple[str, ...] = ()
    obstacle: str = ""
    notes: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_token(self) -> bool:
        """Whether a Space can read it only with a token."""
        return self.gated or self.private

    def answers(self) -> dict[str, Any]:
        """Answers to the questions, as far as they are known."""
        known = {"model_type": self.model_type, "model_parameters": self.parameters}
        return {key: value for key, value in known.items() if value}

    def served(self) -> str:
        """The model type.

        Raises:
            UserError: it is open; with what can be done.
        """
        if self.model_type is None:
            raise UserError(f"model_type: {word(self.model_id)} {self.obstacle}; {choices(self)}")
        return self.model_type


def choices(found: Inspected) -> str:
    """How to go on without a model type: the types there are, or the one to write by oneself."""
    if found.alternatives:
        return f"say which with --model-type: {', '.join(found.alternatives)}"
    own = f"--model-type {OWN} gives a model.py to write it in, or " if OWN in types() else ""
    return f"{own}choose one of `spaces-gen model-types` with --model-type"


def types() -> list[str]:
    """The keys of all model types."""
    return list(load_model_types())


def inspect_model(model_id: str) -> Inspected:
    """Look at a model in a folder or on the Hub; no weights are downloaded, nothing is executed.

    Raises:
        UserError: the model is not there.
    """
    try:
        folder = Path(model_id).expanduser()
        is_folder = folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, no name, nobody's home
        raise UserError(f"model_id: {word(model_id)} is no name of a folder") from error
    if is_folder and not REPO_ID.fullmatch(model_id):  # as the Space will take it
        return judged(in_folder(folder, model_id))
    if model_id.startswith((".", "/", "~")):
        raise UserError(f"model_id: there is no folder {word(model_id)}")
    try:
        return judged(on_hub(model_id))
    except Unreachable as error:
        return Inspected(
            model_id,
            obstacle=f"could not be looked up: {error}",
            notes=(f"nothing was found out about the model: {error}",),
        )


def judged(source: Source) -> Inspected:
    """What follows from what there is to see."""
    task, weights = task_of(source), weights_of(source)
    libraries, why_library = libraries_of(source)
    own_code = runs_own_code(source)
    hindered = obstacle(source, libraries)
    served = None if hindered else type_for(task.tag, libraries)
    is_open = task.open or (task.tag == WRITES and served is None)
    alternatives = open_types(libraries) if is_open and not hindered else ()
    licence, why_licence = licence_of(source)
    reasons = {
        "model_type": because(task, served, alternatives),
        "pipeline_tag": task.why,
        "library": why_library,
        "licence": why_licence,
        "access": "its page" if source.on_hub else "",
        "parameters": weights.why,
        "dtype": weights.why_dtype,
        "custom_code": own_code,
    }
    return Inspected(
        model_id=source.model_id,
        model_type=served,
        pipeline_tag=task.tag,
        library=libraries[0] if libraries else "",
        licence=licence,
        gated=bool(source.page.get("gated")),
        private=bool(source.page.get("private")),
        parameters=millions(weights),
        estimated=weights.estimated,
        dtype=weights.dtype,
        custom_code=bool(own_code),
        alternatives=tuple(one for one in alternatives if one != served),
        obstacle="" if served else hindered or unserved(source, task, libraries, alternatives),
        notes=tuple(notes_of(source, libraries)),
        reasons={key: reason for key, reason in reasons.items() if reason},
    )


def type_for(tag: str, libraries: list[str]) -> str | None:
    """The model type that serves a pipeline tag with one of the libraries, the first one first."""
    for library in libraries:
        for key, row in load_model_types().items():
            if tag in row.tags and library in row.libraries:
                return key
    return None


def open_types(libraries: list[str]) -> tuple[str, ...]:
    """The model types for a model that writes text from text, where nobody says which text."""
    found = (type_for(tag, libraries) for tag in WRITING)
    return tuple(dict.fromkeys(key for key in found if key is not None))


def because(task: Task, served: str | None, alternatives: tuple[str, ...]) -> str:
    """Why a model type was taken."""
    others = [one for one in alternatives if one != served]
    return f"{task.why}, which also does for {' and '.join(others)}" if others else task.why


def unserved(
    source: Source, task: Task, libraries: list[str], alternatives: tuple[str, ...]
) -> str:
    """Why no model type serves a task with these libraries."""
    if alternatives:
        return f"writes text from text ({task.why}), and its files do not tell of which kind"
    if not task.tag:
        return f"does not say what it is for: it has no pipeline tag, and {task.why}"
    if not libraries:
        return f"is for {task.tag}, but says of no library that loads it"
    tags = {tag for row in load_model_types().values() for tag in row.tags}
    if task.tag in tags:
        return f"is for {task.tag} with {libraries[0]}, for which there is no template"
    seen = task_by_files(source) if source.brief_config else task
    other = type_for(seen.tag, libraries)
    hint = f" ({seen.why} would do for --model-type {other})" if other else ""
    return f"is for {task.tag}, which has no template{hint}"


def licence_of(source: Source) -> tuple[str, str]:
    """The model's licence, and where it stands."""
    said = source.card.get("license")
    licence = word(said[0] if isinstance(said, list) and said else said)
    if licence == "other":
        licence = word(source.card.get("license_name")) or licence
    if licence:
        return licence, "its card" if source.on_hub else "its README.md"
    tag = next((tag for tag in sorted(source.tags) if tag.startswith("license:")), "")
    licence = word(tag.removeprefix("license:"))
    return licence, "tag of its page" if licence else ""


def millions(weights: Weights) -> int:
    """As the questions ask for them, rounded up."""
    return math.ceil(weights.parameters / MILLION)
