"""`spaces-gen check`: the checks of hooks/ on a Space."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from spaces_gen.bundle import bundle_root
from spaces_gen.errors import UserError


def check(space: Path) -> list[Any]:
    """What is wrong with a Space: findings with level, path, line, message and fix.

    Raises:
        UserError: `space` is no folder.
    """
    if not space.is_dir():
        raise UserError(f"there is no folder {space}")
    findings: list[Any] = space_checks().check(space)
    return findings


def as_line(finding: Any) -> str:
    """A finding as `path:line: level: message (fix)`."""
    return str(space_checks().render(finding))


def space_checks() -> ModuleType:
    """The package of the checks."""
    # hooks/ also runs by itself, as a pre-commit hook, so it is no part of this package
    hooks = str(bundle_root() / "hooks")
    if hooks not in sys.path:
        sys.path.append(hooks)
    return importlib.import_module("space_checks")
