"""How long each visitor may use ZeroGPU."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("quotas.yml")


@cache
def load_quotas() -> dict[str, float]:
    """Seconds a day, by kind of account."""
    minutes = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {str(kind): 60.0 * value for kind, value in minutes.items()}
