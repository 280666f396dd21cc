"""Title and description of the Space, from its card README.md."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import yaml


class Card(NamedTuple):
    """What the page shows of the card."""

    title: str
    description: str


def read_card(path: Path = Path("README.md")) -> Card:
    """Read the YAML header of `path`; a missing or broken card gives plain words."""
    try:
        header = yaml.safe_load(path.read_text(encoding="utf-8").split("---\n")[1])
        title, description = header.get("title"), header.get("short_description")
        return Card(str(title or "Space"), str(description or ""))
    except (OSError, IndexError, AttributeError, ValueError, yaml.YAMLError):
        return Card("Space", "")
