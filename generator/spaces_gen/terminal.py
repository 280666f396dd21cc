"""The terminal, or the file that stands in for it."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

FILE_WIDTH = 160  # of tables that go to a file, where no terminal says how wide it is


# They turn the order of what follows, so that a line reads as something else.
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(text: str) -> str:
    """A text of one line that commands no terminal, whoever wrote it."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if one in TURNING or unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")
        else one
        for one in text
    )


def for_figures() -> Console:
    """Standard output, wide enough for a table of figures."""
    from rich.console import Console  # takes a while

    width = None if sys.stdout.isatty() else FILE_WIDTH
    return Console(highlight=False, soft_wrap=True, width=width)
