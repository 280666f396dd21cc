"""`check`, `publish`, `status` and `logs`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from spaces_gen.commands.options import (
    ABOUT_OUTPUT,
    ABOUT_SETTINGS,
    DRY_RUN,
    HARDWARE,
    JSON,
    ON_HUB,
    SECRET,
    SECRETS_FILE,
    SLEEP,
    SPACE,
    VARIABLE,
)
from spaces_gen.commands.talking import HUB_SECONDS, START_SECONDS, asks_secrets, say
from spaces_gen.errors import UsageError
from spaces_gen.terminal import harmless, make_console, progress

FOLLOW_SECONDS = 86400


def check(
    space: Annotated[Path, SPACE] = Path(),
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print findings; exit code 1 where one is an error."""
    from spaces_gen.check import as_line
    from spaces_gen.check import check as find

    findings = find(space)
    errors = [finding for finding in findings if finding.level == "error"]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(harmless(as_line(finding)))
        typer.echo(f"{space}: {len(errors)} errors, {len(findings) - len(errors)} warnings")
    if errors:
        raise typer.Exit(1)


def publish(
    space: Annotated[Path, SPACE] = Path(),
    repo_id: Annotated[
        str | None, typer.Option(metavar="NS/NAME", help="The Space; by default the last one.")
    ] = None,
    hardware: Annotated[str | None, HARDWARE] = None,
    sleep_time: Annotated[int | None, SLEEP] = None,
    private: Annotated[
        bool,
        typer.Option("--private", help="Only you see it.", rich_help_panel=ABOUT_SETTINGS),
    ] = False,
    protected: Annotated[
        bool,
        typer.Option(
            "--protected",
            help="Everybody uses it, only you see its files.",
            rich_help_panel=ABOUT_SETTINGS,
        ),
    ] = False,
    secret: Annotated[list[str] | None, SECRET] = None,
    secrets_file: Annotated[Path | None, SECRETS_FILE] = None,
    variable: Annotated[list[str] | None, VARIABLE] = None,
    volume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="hf://SOURCE:/PATH",
            help="Mounted in the Space.",
            rich_help_panel=ABOUT_SETTINGS,
        ),
    ] = None,
    pull_request: Annotated[
        bool, typer.Option("--pr", help="Propose the files as a pull request.")
    ] = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "Publish with spaces-gen",
    dry_run: Annotated[bool, DRY_RUN] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Until it runs.", rich_help_panel=ABOUT_OUTPUT),
    ] = True,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="For the Space to start.", rich_help_panel=ABOUT_OUTPUT
        ),
    ] = START_SECONDS,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Publish; the exit code is the Space's fate."""
    from spaces_gen.hub import given
    from spaces_gen.hub.changes import Settings
    from spaces_gen.hub.plan import Request
    from spaces_gen.publish import run

    if private and protected:
        raise UsageError("--private and --protected exclude each other")
    settings = Settings(
        hardware=hardware,
        sleep_time=sleep_time,
        visibility="private" if private else "protected" if protected else None,
        variables=given.variables(variable or []),
        volumes=given.volumes(volume or []),
    )
    secrets = given.secrets(secret or [], secrets_file, asks_secrets())
    request = Request(space, repo_id, settings, secrets, pull_request, message)
    raise typer.Exit(run(request, dry_run=dry_run, wait=wait, timeout=timeout, as_json=as_json))


def status(
    repo_id: Annotated[str, ON_HUB],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print what the Hub says of a Space."""
    from spaces_gen.hub.client import Hub
    from spaces_gen.hub.show import print_space
    from spaces_gen.status import status as read

    with progress("Asking the Hub"):
        about = read(Hub(HUB_SECONDS, say), repo_id)
    if as_json:
        typer.echo(json.dumps(about, indent=2))
    else:
        print_space(make_console(soft_wrap=False), about)


def logs(
    repo_id: Annotated[str, ON_HUB],
    build: Annotated[bool, typer.Option("--build", help="Of the build.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the log of a Space."""
    from spaces_gen.hub.client import Hub
    from spaces_gen.status import logs as read

    for line in read(Hub(FOLLOW_SECONDS if follow else HUB_SECONDS, say), repo_id, build, follow):
        typer.echo(line)
