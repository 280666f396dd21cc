"""`spaces-gen check`: the checks of hooks/ on a Space."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from spaces_gen.bundle import bundle_root
from spaces_gen.errors import UserError


def check(space: Path) -> list[Any]:
    """What is wrong with a Space, as the findings of hooks/space_check.py.

    Raises:
        UserError: `space` is no folder.
    """
    if not space.is_dir():
        raise UserError(f"there is no folder {space}")
    hooks = str(bundle_root() / "hooks")
    if hooks not in sys.path:
        sys.path.append(hooks)
    findings: list[Any] = importlib.import_module("space_checks").check(space)
    return findings
