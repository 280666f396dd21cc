"""What a shell offers for a value, when Tab is pressed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST = 200  # entries of a folder


def model_types(incomplete: str) -> Iterator[tuple[str, str]]:
    """Pipeline tags that begin so, each with its name."""
    from spaces_gen.tables import load_model_types

    for key, row in load_model_types().items():
        if key.startswith(incomplete):
            yield key, row.name


def hardware(incomplete: str) -> Iterator[tuple[str, str]]:
    """Flavors that begin so, each with its price."""
    from spaces_gen.fit import price
    from spaces_gen.tables import load_tiers

    for key, tier in load_tiers().items():
        if key.startswith(incomplete):
            yield key, f"{tier.name}, {price(tier)}"


def demos(incomplete: str) -> Iterator[str]:
    """Models of `spaces-gen demo`."""
    from spaces_gen.embedded import MODELS

    yield from (name for name in MODELS if name.startswith(incomplete))


def folders(incomplete: str) -> Iterator[str]:
    """Folders that begin so."""
    before, _, begun = incomplete.rpartition("/")
    lead = f"{before}/" if "/" in incomplete else ""
    try:
        found = sorted(one.name for one in Path(lead or ".").iterdir() if one.is_dir())
    except (OSError, ValueError):
        return
    shown = [one for one in found if one.startswith(begun) and (begun or one[0] != ".")]
    yield from (lead + one for one in shown[:MOST])


def questions(incomplete: str) -> Iterator[tuple[str, str]]:
    """KEY= of an answer, with its question."""
    from spaces_gen.questions import questions as all_of_them

    for key, question in all_of_them().items():
        if f"{key}=".startswith(incomplete):
            yield f"{key}=", str(question["help"]).partition("{")[0].strip()


def colours(incomplete: str) -> Iterator[str]:
    """Colours of a card."""
    return _of_the_card("colors", incomplete)


def licences(incomplete: str) -> Iterator[str]:
    """Licences of a Space."""
    return _of_the_card("licenses", incomplete)


def pythons(incomplete: str) -> Iterator[str]:
    """Versions of Python."""
    return _of_the_card("python_versions", incomplete)


def _of_the_card(row: str, incomplete: str) -> Iterator[str]:
    from spaces_gen.tables.card import load_card

    values: Any = load_card()[row]
    yield from (str(one) for one in values if str(one).startswith(incomplete))
