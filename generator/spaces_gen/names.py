"""How a Space is named on the command line: a folder, or `hf:namespace/name` on the Hub."""

from __future__ import annotations

import re

from spaces_gen.errors import UsageError

HUB_PREFIX = "hf:"


def is_on_hub(text: str) -> bool:
    """Whether it names a Space on the Hub."""
    return text.startswith(HUB_PREFIX)


def repo_id(text: str) -> str:
    """Of a Space on the Hub.

    Raises:
        UsageError: it has another form.
    """
    found = text.removeprefix(HUB_PREFIX)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", found, re.ASCII):
        raise UsageError(f"{text}: write a Space on the Hub as {HUB_PREFIX}namespace/name")
    return found
