"""The file in which a Space records how it was made, for those who only look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ANSWERS = ".copier-answers.yml"


def read_answers(folder: Path) -> dict[str, Any]:
    """The answers that a Space was rendered with; none where the file cannot be read."""
    try:
        read = yaml.safe_load((folder / ANSWERS).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return read if isinstance(read, dict) else {}
