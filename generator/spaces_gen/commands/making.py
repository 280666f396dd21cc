"""`new` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spaces_gen.commands import completions
from spaces_gen.commands.options import (
    ABOUT_CARD,
    DATA,
    HARDWARE,
    MODEL,
    MODEL_TYPE,
    PARAMETERS,
)

if TYPE_CHECKING:
    from spaces_gen.new import Ask


def new(
    destination: Annotated[
        Path,
        typer.Argument(
            metavar="DEST",
            help="New or empty folder, or a clone of a new Space.",
            autocompletion=completions.folders,
        ),
    ],
    model: Annotated[str | None, MODEL] = None,
    model_type: Annotated[str | None, MODEL_TYPE] = None,
    parameters: Annotated[int | None, PARAMETERS] = None,
    hardware: Annotated[str | None, HARDWARE] = None,
    title: Annotated[
        str | None, typer.Option(help="Name of the Space.", rich_help_panel=ABOUT_CARD)
    ] = None,
    short_description: Annotated[
        str | None, typer.Option(help="At most 60 characters.", rich_help_panel=ABOUT_CARD)
    ] = None,
    emoji: Annotated[
        str | None, typer.Option(help="One emoji.", rich_help_panel=ABOUT_CARD)
    ] = None,
    color_from: Annotated[
        str | None,
        typer.Option(
            help="Colour, left.",
            autocompletion=completions.colours,
            rich_help_panel=ABOUT_CARD,
        ),
    ] = None,
    color_to: Annotated[
        str | None,
        typer.Option(
            help="Colour, right.",
            autocompletion=completions.colours,
            rich_help_panel=ABOUT_CARD,
        ),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            help="Licence of the Space.",
            autocompletion=completions.licences,
            rich_help_panel=ABOUT_CARD,
        ),
    ] = None,
    python_version: Annotated[
        str | None,
        typer.Option(help="Python of the Space.", autocompletion=completions.pythons),
    ] = None,
    examples_cache: Annotated[
        str | None, typer.Option(help="Answers to examples: start, first-use or off.")
    ] = None,
    data: Annotated[list[str] | None, DATA] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
) -> None:
    """Collect the answers, ask for the others, make the Space, say what comes next."""
    from spaces_gen.new import new as make
    from spaces_gen.new import next_steps
    from spaces_gen.questions import parse_data

    options: dict[str, Any] = {
        "model_id": model,
        "model_type": model_type,
        "model_parameters": parameters,
        "hardware": hardware,
        "title": title,
        "short_description": short_description,
        "emoji": emoji,
        "color_from": color_from,
        "color_to": color_to,
        "license": license,
        "python_version": python_version,
        "examples_cache": examples_cache,
    }
    answers = {
        **parse_data(data or []),
        **{key: value for key, value in options.items() if value is not None},
    }
    make(destination, answers, None if defaults else wizard())
    typer.echo("\n".join(next_steps(destination)))


def wizard() -> Ask | None:
    """Asks step by step; None where there is nobody to ask."""
    from spaces_gen.terminal import can_ask

    if not can_ask():
        return None
    from spaces_gen.wizard.conversation import ask

    return ask


def demo(
    name: Annotated[
        str,
        typer.Argument(help="similarity or chat.", autocompletion=completions.demos),
    ] = "similarity",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 7860,
    copies: Annotated[
        int, typer.Option(help="Copies of the model, on a local Ray; 0: without Ray.", min=0)
    ] = 0,
) -> None:
    """Serve until Ctrl-C."""
    from spaces_gen.demo import demo as serve

    raise typer.Exit(serve(name, port, copies))
