"""`spaces-gen new`: a Space from a few answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spaces_gen.errors import UserError
from spaces_gen.inspect_model import inspect_model
from spaces_gen.questions import check_choice
from spaces_gen.render import check_destination, render
from spaces_gen.tables import load_model_types, load_tiers


def new(destination: Path, answers: dict[str, Any], *, interactive: bool) -> dict[str, Any]:
    """Render a Space into `destination`; returns what was found out about the model.

    Raises:
        UserError: an answer is not allowed, the model is not there, or `destination` is taken.
    """
    check_destination(destination)
    check_choice("model_type", answers, list(load_model_types()))
    check_choice("hardware", answers, list(load_tiers()))
    found = inspect_model(str(answers["model_id"])) if "model_id" in answers else {}
    if "model_type" not in answers and "model_id" in answers:
        answers = {**answers, **infer_type(str(answers["model_id"]), found, interactive)}
    suggestions = {key: value for key, value in found.items() if key not in answers}
    render(answers, destination, suggestions=suggestions, interactive=interactive)
    return found


def infer_type(model_id: str, found: dict[str, Any], interactive: bool) -> dict[str, str]:
    """The model type by the Hub's pipeline tag; nothing where it can be asked.

    Raises:
        UserError: the tag is unknown here, or there is none and nobody to ask.
    """
    known = load_model_types()
    tag = found.get("model_type")
    if tag in known:
        return {"model_type": tag}
    if interactive:
        return {}
    reason = f"is for {tag}, which has no template" if tag else "could not be looked up"
    raise UserError(
        f"model_type: {model_id} {reason}; choose one with --model-type: {', '.join(known)}"
    )
