"""What the Hub says about the front matter of a README.md."""

from __future__ import annotations

import re
from typing import Any

import yaml

from hub.hardware import FLAVORS

SDKS = ("gradio", "docker", "static", "streamlit")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
EMPTY = "empty or missing yaml metadata in repo card"
_CHOICES: dict[str, tuple[str, ...]] = {
    "sdk": SDKS,
    "colorFrom": COLORS,
    "colorTo": COLORS,
    "suggested_hardware": FLAVORS,
    "header": ("mini", "default"),
}
_TYPES: dict[str, tuple[type, str]] = {
    "title": (str, "a string"),
    "emoji": (str, "a string"),
    "short_description": (str, "a string"),
    "app_file": (str, "a string"),
    "app_port": (int, "a number"),
    "pinned": (bool, "a boolean"),
    "tags": (list, "an array"),
    "models": (list, "an array"),
    "datasets": (list, "an array"),
}


def front_matter(text: str) -> Any:
    """What stands between the first two lines of dashes; None where there are none."""
    found = re.match(r"---[ \t]*\r?\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE)
    return yaml.safe_load(found[1]) if found else None


def problems(text: str, repo_type: str) -> tuple[list[str], list[str]]:
    """The errors and the warnings of a card."""
    try:
        card = front_matter(text)
    except yaml.YAMLError as error:
        return [f"Invalid YAML: {' '.join(str(error).split())}"], []
    if not card:
        return [], [EMPTY]
    if not isinstance(card, dict):
        return ["The metadata must be a mapping"], []
    return (_of_a_space(card) if repo_type == "space" else []), []


def _of_a_space(card: dict[str, Any]) -> list[str]:
    errors = [] if "sdk" in card else ['"sdk" is required']
    for key, choices in _CHOICES.items():
        if key in card and card[key] not in choices:
            errors.append(f'"{key}" must be one of [{", ".join(choices)}]')
    for key, (kind, name) in _TYPES.items():
        if key in card and not isinstance(card[key], kind):
            errors.append(f'"{key}" must be {name}')
    description = card.get("short_description")
    if isinstance(description, str) and len(description) > 60:
        errors.append('"short_description" length must be less than or equal to 60 characters long')
    return errors
