"""The verbs as a command line that Typer reads."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from spaces_gen import __version__
from spaces_gen.commands.front import page
from spaces_gen.commands.manual import epilog, text
from spaces_gen.commands.verbs import ABOUT, OPTIONS, VERBS
from spaces_gen.terminal import takes_colours


def application(names: Iterable[str] = VERBS) -> typer.Typer:
    """The command line with some of the verbs; only their modules are imported."""
    app = typer.Typer(
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_help_option=False,
        help=ABOUT,
    )
    app.callback()(options)
    for name in names:
        verb = VERBS[name]
        module = import_module(f"spaces_gen.commands.{verb.module}")
        register = app.command(
            name, help=text(name), epilog=epilog(name), rich_help_panel=verb.panel
        )
        register(getattr(module, name.replace("-", "_")))
    return app


def print_version(wanted: bool) -> None:
    """Show the version, and end."""
    if wanted:
        typer.echo(f"spaces-gen {__version__}")
        raise typer.Exit


def print_page(wanted: bool) -> None:
    """Show the page about all verbs, and end."""
    if wanted:
        typer.echo(page(colours=takes_colours(sys.stdout)), nl=False)
        raise typer.Exit


def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help=OPTIONS["--version"]),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help=OPTIONS["--debug"])] = False,
    show_help: Annotated[
        bool,
        typer.Option("--help", callback=print_page, is_eager=True, help=OPTIONS["--help"]),
    ] = False,
) -> None:
    """Of spaces-gen itself; `main` looks at --debug by itself."""
