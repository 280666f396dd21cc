"""What a check has to say about one place in a Space folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One problem: where it is, what is wrong and what to do about it."""

    level: Level
    path: str
    line: int | None
    message: str
    fix: str


def error(path: str, line: int | None, message: str, fix: str) -> Finding:
    """A problem that the platform refuses, or that must not be published."""
    return Finding("error", path, line, message, fix)


def warning(path: str, line: int | None, message: str, fix: str) -> Finding:
    """A problem that may be meant, or that the platform puts up with."""
    return Finding("warning", path, line, message, fix)
