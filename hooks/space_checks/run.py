"""All checks over one folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .card import check_card
from .conflicts import check_conflicts
from .files import SpaceFiles, list_files
from .finding import Finding
from .publishable import check_publishable
from .python_syntax import check_python
from .requirements import check_requirements
from .sizes import check_sizes
from .tokens import check_tokens, redact

Check = Callable[[SpaceFiles], list[Finding]]
CHECKS: tuple[Check, ...] = (
    check_card,
    check_conflicts,
    check_tokens,
    check_sizes,
    check_python,
    check_requirements,
    check_publishable,
)


def check(root: Path) -> list[Finding]:
    """Run every check over a Space folder; findings in the order of files and lines."""
    return check_files(list_files(root))


def check_files(files: SpaceFiles) -> list[Finding]:
    """Run every check over files that are listed already."""
    findings = [_without_credentials(item) for one in CHECKS for item in one(files)]
    return sorted(findings, key=lambda item: (item.path, item.line or 0, item.message))


def _without_credentials(finding: Finding) -> Finding:
    """A message that quotes a file must not carry on the credential in it."""
    return replace(finding, message=redact(finding.message), fix=redact(finding.fix))
