"""The page of `spaces-gen --help`, made without the libraries that read a command line.

They take longer to import than everything else that this page needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spaces_gen.commands.verbs import ABOUT, ENVIRONMENT, EXIT_CODES, OPTIONS, VERBS

EXAMPLES = {
    "spaces-gen new my-space": "answer a few questions",
    "spaces-gen new my-space --model owner/name": "of a model on the Hub",
    "spaces-gen plan my-space": "compare all hardware",
    "spaces-gen publish my-space --repo-id me/my-space": "and wait until it runs",
    "spaces-gen demo": "try one here first",
}
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def page(*, colours: bool) -> str:
    """The page; headings are bold with colours."""
    return "\n".join(lines(colours)) + "\n"


def lines(colours: bool) -> Iterator[str]:
    """Line by line."""

    def heading(words: str) -> str:
        return f"{BOLD}{words}{PLAIN}" if colours else words

    yield ABOUT
    yield ""
    yield f"{heading('Usage:')} spaces-gen [OPTIONS] COMMAND [ARGUMENTS]"
    for panel in dict.fromkeys(verb.panel for verb in VERBS.values()):
        yield ""
        yield heading(panel)
        yield from columns({n: verb.summary for n, verb in VERBS.items() if verb.panel == panel})
    sections: tuple[tuple[str, Mapping[str, str]], ...] = (
        ("Options", OPTIONS),
        ("Examples", EXAMPLES),
        ("Environment", ENVIRONMENT),
        ("Exit codes", {str(code): meaning for code, meaning in EXIT_CODES.items()}),
    )
    for title, rows in sections:
        yield ""
        yield heading(title)
        yield from columns(rows)
    yield ""
    yield "spaces-gen COMMAND --help tells more of each, with examples."


def columns(rows: Mapping[str, str]) -> Iterator[str]:
    """Names beside what they mean."""
    width = max(map(len, rows))
    for name, meaning in rows.items():
        yield f"  {name:{width}}  {meaning}"
