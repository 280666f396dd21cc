"""Shows what was found out about a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spaces_gen.inspect_model import Inspected
from spaces_gen.terminal import harmless

SAID = "as you said"


def print_found(console: Console, found: Inspected, answers: Mapping[str, Any]) -> None:
    """A table of what is known of a model and where from, and what its Space needs."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for column in ("", "", "known from"):
        table.add_column(column)
    for row in rows(found, answers):
        table.add_row(*map(Text, row))
    if found.reasons:
        console.print(Text(harmless(found.model_id)))
        console.print(table)
    notes = list(found.notes)
    if found.obstacle and found.reasons:
        notes.insert(0, f"the model {found.obstacle}")
    for note in notes:
        console.print(f"note: {note}", markup=False)


def rows(found: Inspected, answers: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is known: name, value, and where from."""
    why = found.reasons
    if "model_type" in answers:
        yield "model type", str(answers["model_type"]), SAID
    elif found.model_type:
        yield "model type", found.model_type, why["model_type"]
    if found.pipeline_tag and found.pipeline_tag != found.model_type:
        yield "pipeline tag", found.pipeline_tag, why["pipeline_tag"]
    if "library" in why:
        yield "library", found.library or "unknown", why["library"]
    yield "licence", found.licence or "unknown", why.get("licence", "nothing tells it")
    if "access" in why:
        access = "gated" if found.gated else "private" if found.private else "public"
        yield "access", access, why["access"]
    if "model_parameters" in answers:
        yield "parameters", f"{answers['model_parameters']}M", SAID
    elif found.parameters:
        about = "about " if found.estimated else ""
        yield "parameters", f"{about}{found.parameters:,}M", why["parameters"]
    if found.dtype:
        yield "dtype", found.dtype, why["dtype"]
    if found.custom_code:
        yield "custom code", "yes", why["custom_code"]
