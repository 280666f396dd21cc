"""The terminal, or the file that stands in for it."""

from __future__ import annotations

import sys

from rich.console import Console

FILE_WIDTH = 160  # of tables that go to a file, where no terminal says how wide it is


def for_figures() -> Console:
    """Standard output, wide enough for a table of figures."""
    width = None if sys.stdout.isatty() else FILE_WIDTH
    return Console(highlight=False, soft_wrap=True, width=width)
