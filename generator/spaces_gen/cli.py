"""The command `spaces-gen`: arguments in, calls to one module per verb, errors in one line."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from spaces_gen import __version__
from spaces_gen.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Turn a model and a hardware tier into a Hugging Face Space that holds up under traffic.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spaces-gen {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    pass


@app.command()
def new(
    destination: Annotated[
        Path, typer.Argument(metavar="DEST", help="New or empty folder, or a clone of a new Space.")
    ],
    model_type: Annotated[
        str | None, typer.Option(help="Pipeline tag; see `spaces-gen model-types`.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="owner/name on the Hub, or a local folder.")
    ] = None,
    parameters: Annotated[int | None, typer.Option(help="Of the model, in millions.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Flavor; see `spaces-gen tiers`.")] = None,
    title: Annotated[str | None, typer.Option(help="Name of the Space.")] = None,
    short_description: Annotated[str | None, typer.Option(help="At most 60 characters.")] = None,
    emoji: Annotated[str | None, typer.Option(help="One emoji for the card.")] = None,
    color_from: Annotated[str | None, typer.Option(help="Colour of the card, left.")] = None,
    color_to: Annotated[str | None, typer.Option(help="Colour of the card, right.")] = None,
    license: Annotated[str | None, typer.Option(help="Licence of the Space.")] = None,
    python_version: Annotated[str | None, typer.Option(help="Python of the Space.")] = None,
    examples_cache: Annotated[
        str | None, typer.Option(help="Answers to examples: start, first-use or off.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Any answer by its question.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
) -> None:
    """Make a Space.

    Asks in a terminal what no option answers.

    Example: spaces-gen new my-space --model-type text-classification --hardware t4-small
    """
    from spaces_gen.new import new as make
    from spaces_gen.questions import parse_data

    options: dict[str, Any] = {
        "model_type": model_type,
        "model_id": model,
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
    found = make(destination, answers, interactive=sys.stdin.isatty() and not defaults)
    for key, value in found.items():
        typer.echo(f"from the model: {key} {value}")
    typer.echo(f"Your Space is in {destination}. Next:")
    typer.echo(f"  python {destination / 'app.py'}      # serve it here")
    typer.echo(f"  spaces-gen check {destination}")


@app.command()
def check(
    space: Annotated[Path, typer.Argument(metavar="DEST", help="Folder of the Space.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
) -> None:
    """Check a Space before it is published: card, secrets, conflict markers, sizes, syntax.

    Example: spaces-gen check my-space
    """
    from spaces_gen.check import as_line
    from spaces_gen.check import check as find

    findings = find(space)
    errors = [finding for finding in findings if finding.level == "error"]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(as_line(finding))
        typer.echo(f"{space}: {len(errors)} errors, {len(findings) - len(errors)} warnings")
    if errors:
        raise typer.Exit(1)


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="similarity or chat.")] = "similarity",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 7860,
) -> None:
    """Serve a Space with a real model here, without the Hub.

    Example: spaces-gen demo chat
    """
    from spaces_gen.demo import demo as serve

    raise typer.Exit(serve(name, port))


@app.command()
def tiers(
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Show the hardware of Spaces with its prices.

    Example: spaces-gen tiers --json
    """
    from spaces_gen.listing import list_tiers

    list_tiers(as_json)


@app.command()
def model_types(
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Show the kinds of model there are templates for.

    Example: spaces-gen model-types
    """
    from spaces_gen.listing import list_model_types

    list_model_types(as_json)


def main() -> None:
    """Run the command; an error is one line and exit code 1, wrong usage is exit code 2."""
    debug = "--debug" in sys.argv
    try:
        app()
    except UserError as error:
        if debug:
            raise
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        typer.echo(f"Error: {reason} (spaces-gen --debug shows where)", err=True)
        sys.exit(1)
