"""How long each visitor may use ZeroGPU."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from spaces_gen.tables.reading import read_yaml

TABLE = Path(__file__).with_name("quotas.yml")


@cache
def load_quotas() -> dict[str, float]:
    """Seconds a day, by kind of account."""
    minutes = read_yaml(TABLE)
    return {str(kind): 60.0 * value for kind, value in minutes.items()}
