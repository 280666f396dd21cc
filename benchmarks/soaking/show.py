"""What was found, as Markdown."""

from __future__ import annotations

from typing import Any


def page(kept: dict[str, Any]) -> str:
    """All of it."""
    return "# Soak\n"
