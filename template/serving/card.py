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
        return Card(
            str(header.get("title", "Space")), str(header.get("short_description", ""))
        )
    except (OSError, IndexError, AttributeError, UnicodeDecodeError, yaml.YAMLError):
        return Card("Space", "")
