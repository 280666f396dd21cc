"""`upgrade`, `diff`, `fork` and `adopt`."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spaces_gen.commands.options import (
    ABOUT_SETTINGS,
    DATA,
    DRY_RUN,
    HARDWARE,
    SECRET,
    SECRETS_FILE,
    SLEEP,
    SPACE,
    SPACE_OR_HUB,
    VARIABLE,
    VERSION,
)
from spaces_gen.commands.talking import HUB_SECONDS, START_SECONDS, asks_secrets, say
from spaces_gen.errors import UsageError, UserError
from spaces_gen.names import is_on_hub
from spaces_gen.names import repo_id as repo_id_of
from spaces_gen.terminal import harmless, make_console

if TYPE_CHECKING:
    from spaces_gen.adopt import Origin
    from spaces_gen.upgrading.change import Wish


class Conflict(str, Enum):
    """What to do where both sides changed a line."""

    stop = "stop"
    inline = "inline"


def wish(hardware: str | None, data: list[str] | None, version: str | None) -> Wish:
    """What is to change.

    Raises:
        UsageError: nothing is.
    """
    from spaces_gen.questions import parse_data
    from spaces_gen.upgrading.change import Wish

    answers: dict[str, Any] = parse_data(data or [])
    if hardware is not None:
        answers["hardware"] = hardware
    if not answers and version is None:
        raise UsageError("say what is to change: --hardware, --data KEY=VALUE or --to-version")
    return Wish(answers, version)


def upgrade(
    space: Annotated[str, SPACE_OR_HUB] = ".",
    hardware: Annotated[str | None, HARDWARE] = None,
    data: Annotated[list[str] | None, DATA] = None,
    to_version: Annotated[str | None, VERSION] = None,
    conflict: Annotated[
        Conflict, typer.Option(help="Stop at a clash, or write both sides with markers.")
    ] = Conflict.stop,
    dry_run: Annotated[bool, DRY_RUN] = False,
    then_publish: Annotated[
        bool, typer.Option("--publish", help="Publish it then, where it was published to.")
    ] = False,
    pull_request: Annotated[
        bool, typer.Option("--pr/--no-pr", help="On the Hub: as a pull request, or at once.")
    ] = True,
) -> None:
    """Merge, in a folder or on the Hub."""
    wanted = wish(hardware, data, to_version)
    if is_on_hub(space):
        from spaces_gen.hub.client import Hub
        from spaces_gen.publish import SEND_SECONDS
        from spaces_gen.upgrade_on_hub import upgrade_on_hub

        if conflict is not Conflict.stop or then_publish:
            raise UsageError("--conflict inline and --publish are for a folder")
        upgrade_on_hub(
            Hub(SEND_SECONDS, say),
            repo_id_of(space),
            wanted,
            pull_request=pull_request,
            dry_run=dry_run,
            console=make_console(),
        )
        return
    from spaces_gen.upgrade import upgrade as change

    folder = Path(space)
    inline = conflict is Conflict.inline
    code = change(folder, wanted, inline=inline, dry_run=dry_run, console=make_console())
    if code or dry_run or not then_publish:
        raise typer.Exit(code)
    from spaces_gen.hub.plan import Request
    from spaces_gen.publish import run

    raise typer.Exit(
        run(Request(folder), dry_run=False, wait=True, timeout=START_SECONDS, as_json=False)
    )


def diff(
    space: Annotated[str, SPACE_OR_HUB] = ".",
    hardware: Annotated[str | None, HARDWARE] = None,
    data: Annotated[list[str] | None, DATA] = None,
    to_version: Annotated[str | None, VERSION] = None,
) -> None:
    """Show what `upgrade` would do."""
    wanted = wish(hardware, data, to_version)
    if is_on_hub(space):
        from spaces_gen.hub.client import Hub
        from spaces_gen.upgrade_on_hub import diff_on_hub

        raise typer.Exit(
            diff_on_hub(Hub(HUB_SECONDS, say), repo_id_of(space), wanted, make_console())
        )
    from spaces_gen.upgrade import show_diff

    raise typer.Exit(show_diff(Path(space), wanted, make_console()))


def fork(
    source: Annotated[str, typer.Argument(metavar="hf:NS/NAME", help="The Space to copy.")],
    target: Annotated[str, typer.Argument(metavar="NS/NAME", help="The copy; yours by default.")],
    hardware: Annotated[str | None, HARDWARE] = None,
    sleep_time: Annotated[int | None, SLEEP] = None,
    public: Annotated[
        bool,
        typer.Option("--public", help="Everybody sees the copy.", rich_help_panel=ABOUT_SETTINGS),
    ] = False,
    secret: Annotated[list[str] | None, SECRET] = None,
    secrets_file: Annotated[Path | None, SECRETS_FILE] = None,
    variable: Annotated[list[str] | None, VARIABLE] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Copy, then make the copy for its hardware."""
    from spaces_gen.fork import fork as copy
    from spaces_gen.hub import given
    from spaces_gen.hub.changes import Settings
    from spaces_gen.hub.client import Hub
    from spaces_gen.publish import SEND_SECONDS

    settings = Settings(
        hardware=hardware,
        sleep_time=sleep_time,
        visibility="public" if public else "private",
        variables=given.variables(variable or []),
    )
    secrets = given.secrets(secret or [], secrets_file, asks_secrets())
    copy(
        Hub(SEND_SECONDS, say),
        repo_id_of(source),
        target,
        settings,
        secrets,
        dry_run=dry_run,
        console=make_console(),
    )


def adopt(
    space: Annotated[Path, SPACE] = Path(),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write them without asking.")] = False,
) -> None:
    """Find the answers, show them, and write them where that is agreed to."""
    from spaces_gen.adopt import adopt as find

    def agree(origin: Origin) -> bool:
        for key, value in origin.answers.items():
            typer.echo(f"  {key}: {harmless(str(value))}")
        made = f"template {origin.version}" if origin.version else "this template"
        typer.echo(f"{origin.equal} of {origin.files} files are as {made} gives them for these.")
        if yes:
            return True
        if not sys.stdin.isatty():
            raise UserError("nothing was written, as nobody can be asked; run it with --yes")
        return bool(typer.confirm("Write them to .copier-answers.yml?"))

    typer.echo("written" if find(space, agree, say) else "nothing was written")
