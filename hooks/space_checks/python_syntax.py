"""Every Python file compiles, under this Python and for the Python that the Space runs."""

from __future__ import annotations

import ast
import sys
import warnings

from .card import read_facts
from .files import READ_LIMIT, SpaceFiles
from .finding import Finding, error


def check_python(files: SpaceFiles) -> list[Finding]:
    """Find Python files that do not compile; none of them is run."""
    python = read_facts(files).python
    findings = []
    for path in files.paths:
        source = files.read(path) if path.endswith(".py") else None
        if source is not None and len(source) < READ_LIMIT:
            findings += _compile(path, source, python)
    return findings


def _compile(path: str, source: bytes, python: tuple[int, int] | None) -> list[Finding]:
    """Compile for this Python, then parse again where the Space runs an older one.

    Compiling goes first and without a syntax tree in between: on nesting without end it raises,
    where the making of such a tree ends the process.
    """
    here = sys.version_info[:2]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as problem:
        fix = "correct it"
        if python and python > here:
            fix += f", or run this check with {_spoken(python)}, which the Space runs"
        return [error(path, problem.lineno, f"{problem.msg}, says {_spoken(here)}", fix)]
    except (ValueError, RecursionError, MemoryError) as problem:
        message = f"{_spoken(here)} cannot compile this file: {type(problem).__name__}"
        return [error(path, None, message, "make it plain UTF-8 text of ordinary depth")]
    return _parse_for_older(path, source, python) if python and python < here else []


def _parse_for_older(path: str, source: bytes, python: tuple[int, int]) -> list[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source, path, feature_version=python)
    except SyntaxError as problem:
        message = f"{problem.msg}, and the Space runs {_spoken(python)}"
        fix = "write it for that version, or raise python_version in README.md"
        return [error(path, problem.lineno, message, fix)]
    except (RecursionError, MemoryError):
        pass
    return []


def _spoken(python: tuple[int, int]) -> str:
    return f"Python {python[0]}.{python[1]}"
