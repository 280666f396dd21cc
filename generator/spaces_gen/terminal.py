"""The terminal, or the file that stands in for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

FRAMES_PER_SECOND = 8
FILE_WIDTH = 160  # of tables that go to a file, where no terminal says how wide it is


# They turn the order of what follows, so that a line reads as something else.
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(text: str) -> str:
    """A text of one line that commands no terminal, whoever wrote it."""
    import unicodedata

    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if one in TURNING or unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")
        else one
        for one in text
    )


def is_plain(stream: IO[str]) -> bool:
    """Whether a stream is no terminal, or one that knows nothing but lines."""
    return not stream.isatty() or os.environ.get("TERM") == "dumb"


def takes_colours(stream: IO[str]) -> bool:
    """Whether a stream is a terminal that shows colours, and nobody forbids them."""
    return not is_plain(stream) and not os.environ.get("NO_COLOR")


def can_ask() -> bool:
    """Whether somebody is there to see questions and to answer them."""
    return sys.stdin.isatty() and not is_plain(sys.stderr)


def plain_without_colours() -> None:
    """Let Typer print no codes at all where colours are forbidden: bold and dim are left else."""
    if os.environ.get("NO_COLOR") and (sys.stdout.isatty() or sys.stderr.isatty()):
        import typer.rich_utils

        typer.rich_utils.COLOR_SYSTEM = None


def make_console(
    stream: IO[str] | None = None, *, width: int | None = None, soft_wrap: bool = True
) -> Console:
    """Standard output, or another stream, for tables and coloured lines."""
    from rich.console import Console  # takes a while

    forbidden = bool(os.environ.get("NO_COLOR"))
    return Console(
        file=stream,
        highlight=False,
        soft_wrap=soft_wrap,
        width=width,
        force_terminal=False if forbidden else None,  # bold, dim and what moves are left else
    )


def for_figures() -> Console:
    """Standard output, wide enough for a table of figures."""
    return make_console(width=None if sys.stdout.isatty() else FILE_WIDTH)


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Show what is being done while it is, where messages go to a terminal.

    Args:
        doing: a few words, such as "Asking the Hub".
    """
    if is_plain(sys.stderr):
        yield
    elif not takes_colours(sys.stderr):
        print(f"{harmless(doing)} …", file=sys.stderr, flush=True)
        yield
    else:
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        with Live(
            Spinner("dots", Text(f"{harmless(doing)} …")),
            console=make_console(sys.stderr),
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # what is piped elsewhere goes there
        ):
            yield
