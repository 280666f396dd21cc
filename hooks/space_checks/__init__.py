"""Checks that guard the way out of a Space folder, standard library only.

`check(root)` runs them all. Each check is a function from the listed files to its findings, so
a caller may also run one alone. Nothing here imports, runs or changes the files it looks at.
"""

from __future__ import annotations

from .card import check_card, read_facts
from .cli import main, render
from .conflicts import check_conflicts
from .files import RECORD, UNDO, SpaceFiles, list_files, without
from .finding import Finding
from .publishable import check_publishable, stay_here
from .python_syntax import check_python
from .requirements import check_requirements
from .run import CHECKS, check, check_files
from .sizes import check_sizes
from .tokens import check_tokens, redact

__all__ = [
    "CHECKS",
    "RECORD",
    "UNDO",
    "Finding",
    "SpaceFiles",
    "check",
    "check_card",
    "check_conflicts",
    "check_files",
    "check_publishable",
    "check_python",
    "check_requirements",
    "check_sizes",
    "check_tokens",
    "list_files",
    "main",
    "read_facts",
    "redact",
    "render",
    "stay_here",
    "without",
]
