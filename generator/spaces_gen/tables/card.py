"""What a Space's card may say."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from spaces_gen.tables.reading import read_yaml

TABLE = Path(__file__).with_name("card.yml")


@cache
def load_card() -> dict[str, Any]:
    """The values of `card.yml`, by name."""
    found: dict[str, Any] = read_yaml(TABLE)
    return found
