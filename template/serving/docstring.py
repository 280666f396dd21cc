"""What a function says of itself: the parts of its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

SECTION = re.compile(r"(Args|Arguments|Parameters|Returns|Yields|Raises):(.*)")
ARGUMENT = re.compile(r"    \*{0,2}(\w+)(?: \([^)]*\))?: *(.*)")


class Said(NamedTuple):
    """Each part as text on one line, "" where there is none.

    Attributes:
        arguments: by name.
        returns: what the function returns or yields.
    """

    summary: str
    arguments: dict[str, str]
    returns: str


def read_docstring(function: Callable[..., Any]) -> Said:
    """The parts of the docstring of `function`, written in Google's style."""
    parts: dict[str, list[str]] = {}
    arguments: dict[str, list[str]] = {}
    lines = parts.setdefault("summary", [])
    inside = "summary"
    for line in (inspect.getdoc(function) or "").splitlines():
        if begins := SECTION.fullmatch(line):
            inside, line = begins[1], begins[2]
            lines = parts.setdefault(inside, [])
        elif inside in ("Args", "Arguments", "Parameters") and (
            named := ARGUMENT.fullmatch(line)
        ):
            lines, line = arguments.setdefault(named[1], []), named[2]
        lines.append(line.strip())
    return Said(
        flowing(parts["summary"]),
        {name: flowing(lines) for name, lines in arguments.items()},
        flowing(parts.get("Returns", parts.get("Yields", []))),
    )


def flowing(lines: list[str]) -> str:
    """The lines as one."""
    return " ".join(filter(None, lines))
