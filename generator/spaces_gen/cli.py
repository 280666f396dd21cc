"""The command `spaces-gen`: arguments in, calls to one module per verb, errors in one line."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spaces_gen import __version__
from spaces_gen.errors import UsageError, UserError
from spaces_gen.names import is_on_hub
from spaces_gen.names import repo_id as repo_id_of
from spaces_gen.terminal import harmless

if TYPE_CHECKING:
    from spaces_gen.upgrading.change import Wish

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Turn a model and a hardware tier into a Hugging Face Space that holds up under traffic.",
)


HUB_SECONDS = 120  # for all that is asked of the Hub, retries included
FOLLOW_SECONDS = 86400


START_SECONDS = 1800  # for a Space to be built and to start

_SPACE = typer.Argument(metavar="DEST", help="Folder of the Space, or hf:ns/name.")
_HARDWARE = typer.Option(help="Flavor; see `spaces-gen tiers`.")
_SLEEP = typer.Option(metavar="SECONDS", help="Idle time before it sleeps; -1: never.")
_DATA = typer.Option("--data", metavar="KEY=VALUE", help="Any answer by its question.")
_VERSION = typer.Option(metavar="VERSION", help="Of the template: latest, or such as v1.2.0.")
_SECRET = typer.Option(
    "--secret", metavar="KEY", help="A secret; its value from the environment or a prompt."
)
_SECRETS_FILE = typer.Option(metavar="FILE", help="Secrets as KEY=VALUE lines.")
_VARIABLE = typer.Option("--variable", metavar="KEY=VALUE", help="A public variable.")


class Conflict(str, Enum):
    """What to do where both sides changed a line."""

    stop = "stop"
    inline = "inline"


def _wish(hardware: str | None, data: list[str] | None, version: str | None) -> Wish:
    from spaces_gen.questions import parse_data
    from spaces_gen.upgrading.change import Wish

    answers: dict[str, Any] = parse_data(data or [])
    if hardware is not None:
        answers["hardware"] = hardware
    if not answers and version is None:
        raise UsageError("say what is to change: --hardware, --data KEY=VALUE or --to-version")
    return Wish(answers, version)


def _numbers(text: str, option: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) <= 0:
        raise UsageError(f"{option} {text}: write numbers above 0, such as 1,8,32")
    return numbers


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _ask_secret(key: str) -> str:
    return str(typer.prompt(f"Value of the secret {key}", hide_input=True))


def _ask(question: str, allowed: Sequence[str] | None, default: str | None) -> str:
    if allowed is None:
        return str(typer.prompt(question, default=default, type=int))
    while True:
        answer = str(typer.prompt(question, default=default)).strip()
        if answer in allowed:
            return answer
        _say(f"Choose one of {', '.join(allowed)}.")


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
    hardware: Annotated[str | None, _HARDWARE] = None,
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
    data: Annotated[list[str] | None, _DATA] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
) -> None:
    """Make a Space.

    With --model it looks the model up, shows what it found and why, and asks only what is open;
    without, it asks in a terminal what no option answers.

    Example: spaces-gen new my-space --model distilbert/distilbert-base-cased-distilled-squad
    """
    from spaces_gen.new import new as make
    from spaces_gen.questions import parse_data
    from spaces_gen.terminal import for_figures

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
    ask = _ask if sys.stdin.isatty() and not defaults else None
    make(destination, answers, ask, for_figures())
    typer.echo(f"Your Space is in {destination}. Next:")
    typer.echo(f"  python {destination / 'app.py'}      # serve it here")
    typer.echo(f"  spaces-gen check {destination}")
    typer.echo(f"  spaces-gen plan {destination}      # compare all hardware")


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
            typer.echo(harmless(as_line(finding)))
        typer.echo(f"{space}: {len(errors)} errors, {len(findings) - len(errors)} warnings")
    if errors:
        raise typer.Exit(1)


@app.command()
def publish(
    space: Annotated[Path, typer.Argument(metavar="DEST", help="Folder of the Space.")] = Path(),
    repo_id: Annotated[
        str | None, typer.Option(metavar="NS/NAME", help="The Space; by default the last one.")
    ] = None,
    hardware: Annotated[
        str | None, typer.Option(help="Flavor; by default that of the answers.")
    ] = None,
    sleep_time: Annotated[int | None, _SLEEP] = None,
    private: Annotated[bool, typer.Option("--private", help="Only you see it.")] = False,
    protected: Annotated[
        bool, typer.Option("--protected", help="Everybody uses it, only you see its files.")
    ] = False,
    secret: Annotated[list[str] | None, _SECRET] = None,
    secrets_file: Annotated[Path | None, _SECRETS_FILE] = None,
    variable: Annotated[list[str] | None, _VARIABLE] = None,
    volume: Annotated[
        list[str] | None, typer.Option(metavar="hf://SOURCE:/PATH", help="Mounted in the Space.")
    ] = None,
    pull_request: Annotated[
        bool, typer.Option("--pr", help="Propose the files as a pull request.")
    ] = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "Publish with spaces-gen",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until it runs.")] = True,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="For the Space to start.")
    ] = START_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Publish a Space: one commit, the settings that differ, then wait until it runs.

    Nothing is sent where nothing changed, and nothing of somebody else's is overwritten.

    Example: spaces-gen publish my-space --repo-id me/my-space --hardware t4-small
    """
    from spaces_gen.hub import given
    from spaces_gen.hub.changes import Settings
    from spaces_gen.hub.plan import Request
    from spaces_gen.publish import run

    if private and protected:
        raise UsageError("--private and --protected exclude each other")
    ask = _ask_secret if sys.stdin.isatty() else None
    settings = Settings(
        hardware=hardware,
        sleep_time=sleep_time,
        visibility="private" if private else "protected" if protected else None,
        variables=given.variables(variable or []),
        volumes=given.volumes(volume or []),
    )
    secrets = given.secrets(secret or [], secrets_file, ask)
    request = Request(space, repo_id, settings, secrets, pull_request, message)
    raise typer.Exit(run(request, dry_run=dry_run, wait=wait, timeout=timeout, as_json=as_json))


@app.command()
def status(
    repo_id: Annotated[str, typer.Argument(metavar="NS/NAME", help="The Space.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show how a Space on the Hub is: stage, hardware, price, last commit, variables.

    Example: spaces-gen status me/my-space
    """
    from rich.console import Console

    from spaces_gen.hub.client import Hub
    from spaces_gen.hub.show import print_space
    from spaces_gen.status import status as read

    about = read(Hub(HUB_SECONDS, _say), repo_id)
    if as_json:
        typer.echo(json.dumps(about, indent=2))
    else:
        print_space(Console(), about)


@app.command()
def logs(
    repo_id: Annotated[str, typer.Argument(metavar="NS/NAME", help="The Space.")],
    build: Annotated[bool, typer.Option("--build", help="Of the build.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the log of a Space on the Hub.

    Example: spaces-gen logs me/my-space --build
    """
    from spaces_gen.hub.client import Hub
    from spaces_gen.status import logs as read

    for line in read(Hub(FOLLOW_SECONDS if follow else HUB_SECONDS, _say), repo_id, build, follow):
        typer.echo(line)


@app.command()
def upgrade(
    space: Annotated[str, _SPACE] = ".",
    hardware: Annotated[str | None, _HARDWARE] = None,
    data: Annotated[list[str] | None, _DATA] = None,
    to_version: Annotated[str | None, _VERSION] = None,
    conflict: Annotated[
        Conflict, typer.Option(help="Stop at a clash, or write both sides with markers.")
    ] = Conflict.stop,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    then_publish: Annotated[
        bool, typer.Option("--publish", help="Publish it then, where it was published to.")
    ] = False,
    pull_request: Annotated[
        bool, typer.Option("--pr/--no-pr", help="On the Hub: as a pull request, or at once.")
    ] = True,
) -> None:
    """Move a Space to other hardware, answers or a newer template; your edits stay.

    Works in a folder, in git or not, and on the Hub without a clone.

    Example: spaces-gen upgrade my-space --hardware a10g-small
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    wish = _wish(hardware, data, to_version)
    if is_on_hub(space):
        from spaces_gen.hub.client import Hub
        from spaces_gen.publish import SEND_SECONDS
        from spaces_gen.upgrade_on_hub import upgrade_on_hub

        if conflict is not Conflict.stop or then_publish:
            raise UsageError("--conflict inline and --publish are for a folder")
        upgrade_on_hub(
            Hub(SEND_SECONDS, _say),
            repo_id_of(space),
            wish,
            pull_request=pull_request,
            dry_run=dry_run,
            console=console,
        )
        return
    from spaces_gen.upgrade import upgrade as change

    folder = Path(space)
    inline = conflict is Conflict.inline
    code = change(folder, wish, inline=inline, dry_run=dry_run, console=console)
    if code or dry_run or not then_publish:
        raise typer.Exit(code)
    from spaces_gen.hub.plan import Request
    from spaces_gen.publish import run

    raise typer.Exit(
        run(Request(folder), dry_run=False, wait=True, timeout=START_SECONDS, as_json=False)
    )


@app.command()
def diff(
    space: Annotated[str, _SPACE] = ".",
    hardware: Annotated[str | None, _HARDWARE] = None,
    data: Annotated[list[str] | None, _DATA] = None,
    to_version: Annotated[str | None, _VERSION] = None,
) -> None:
    """Show what an upgrade would change: files, tuned values, memory, throughput, price.

    Example: spaces-gen diff my-space --hardware a10g-small
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    wish = _wish(hardware, data, to_version)
    if is_on_hub(space):
        from spaces_gen.hub.client import Hub
        from spaces_gen.upgrade_on_hub import diff_on_hub

        raise typer.Exit(diff_on_hub(Hub(HUB_SECONDS, _say), repo_id_of(space), wish, console))
    from spaces_gen.upgrade import show_diff

    raise typer.Exit(show_diff(Path(space), wish, console))


@app.command()
def fork(
    source: Annotated[str, typer.Argument(metavar="hf:NS/NAME", help="The Space to copy.")],
    target: Annotated[str, typer.Argument(metavar="NS/NAME", help="The copy; yours by default.")],
    hardware: Annotated[
        str | None, typer.Option(help="Flavor; by default that of the original's answers.")
    ] = None,
    sleep_time: Annotated[int | None, _SLEEP] = None,
    public: Annotated[bool, typer.Option("--public", help="Everybody sees the copy.")] = False,
    secret: Annotated[list[str] | None, _SECRET] = None,
    secrets_file: Annotated[Path | None, _SECRETS_FILE] = None,
    variable: Annotated[list[str] | None, _VARIABLE] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> None:
    """Copy a Space on the Hub, and make the copy for its hardware.

    Tells which secrets the copy lacks, since they are never copied.

    Example: spaces-gen fork hf:them/their-space my-space --hardware t4-small
    """
    from rich.console import Console

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
    secrets = given.secrets(secret or [], secrets_file, _ask_secret if sys.stdin.isatty() else None)
    copy(
        Hub(SEND_SECONDS, _say),
        repo_id_of(source),
        target,
        settings,
        secrets,
        dry_run=dry_run,
        console=Console(highlight=False, soft_wrap=True),
    )


@app.command()
def adopt(
    space: Annotated[Path, typer.Argument(metavar="DEST", help="Folder of the Space.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write them without asking.")] = False,
) -> None:
    """Find out how a Space was made whose answers file is lost or damaged, and write it anew.

    Example: spaces-gen adopt my-space
    """
    from spaces_gen.adopt import Origin
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

    typer.echo("written" if find(space, agree, _say) else "nothing was written")


@app.command()
def plan(
    space: Annotated[Path | None, typer.Argument(metavar="DEST", help="Folder of a Space.")] = None,
    model: Annotated[
        str | None, typer.Option(help="owner/name on the Hub, or a local folder.")
    ] = None,
    model_type: Annotated[
        str | None, typer.Option(help="Pipeline tag; see `spaces-gen model-types`.")
    ] = None,
    parameters: Annotated[int | None, typer.Option(help="Of the model, in millions.")] = None,
    rate: Annotated[float, typer.Option(min=0.001, help="Requests a second.")] = 1.0,
    p95: Annotated[
        float | None, typer.Option(help="Seconds for 95 %; by default of the model type.")
    ] = None,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it, as .svg or .png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what each hardware would do for a model: fit, batch, requests/s, p95, price.

    Example: spaces-gen plan --model-type text-generation --rate 5
    """
    from spaces_gen.plan import report

    options = {"model_id": model, "model_type": model_type, "model_parameters": parameters}
    answers = {key: value for key, value in options.items() if value is not None}
    if space is None and not answers:
        raise UsageError("name a folder, --model or --model-type")
    report(space, answers, rate=rate, p95=p95, plot_file=plot_file, as_json=as_json)


@app.command()
def bench(
    target: Annotated[str, typer.Argument(metavar="DEST|URL", help="A folder, or an address.")],
    vs: Annotated[
        str | None, typer.Option(metavar="DEST|URL", help="Another one, measured in turn.")
    ] = None,
    users: Annotated[
        str, typer.Option(metavar="N,N", help="Visitors who ask again when answered.")
    ] = "1,8,32",
    rates: Annotated[
        str, typer.Option(metavar="R,R", help="Arrivals a second; by default found out.")
    ] = "",
    route: Annotated[
        list[str] | None, typer.Option(help="queue or direct; by default both.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each run.")] = 10,
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds before each.")] = 2,
    p95: Annotated[
        float | None, typer.Option(help="Seconds for 95 %; by default of the model type.")
    ] = None,
    hardware: Annotated[
        str | None, typer.Option(help="Whose price counts; by default of the answers.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="ARGUMENT=VALUE", help="Always sent so.")
    ] = None,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it, as .svg or .png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Put real load on a Space: throughput, latency, batches, memory, price.

    Visitors come through Gradio's queue and on the direct route, first so many at once, then at
    random times. Every request is accounted for.

    Example: spaces-gen bench my-space --users 1,32
    """
    from spaces_gen.bench import report

    report(
        [target, *([vs] if vs else [])],
        users=_numbers(users, "--users"),
        rates=_numbers(rates, "--rates") if rates else None,
        routes=route,
        seconds=seconds,
        warm_up=warm_up,
        p95=p95,
        hardware=hardware,
        data=data or [],
        plot_file=plot_file,
        as_json=as_json,
    )


@app.command()
def tune(
    space: Annotated[Path, typer.Argument(metavar="DEST", help="Folder of the Space.")] = Path(),
    p95: Annotated[
        float | None, typer.Option(help="Seconds for 95 %; by default of the model type.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="For measuring; starting and comparing come on top.")
    ] = 90,
    ways: Annotated[
        bool, typer.Option("--ways/--no-ways", help="Try other engines and dtypes, too.")
    ] = True,
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="ARGUMENT=VALUE", help="Always sent so.")
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="FILE", help="That runs the Space; this one by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, but write nothing.")] = False,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it, as .svg or .png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Measure a Space on this machine, and write the best values into it.

    Batch, workers, queue, dtype and what computes the model. What is worse than before is not
    written.

    Example: spaces-gen tune my-space
    """
    from spaces_gen.tune import parse_data, report
    from spaces_gen.tuning.found import Settings

    settings = Settings(p95, seconds, ways, dict(parse_data(data or [])), python or sys.executable)
    raise typer.Exit(report(space, settings, dry_run=dry_run, plot_file=plot_file, as_json=as_json))


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="similarity or chat.")] = "similarity",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 7860,
    copies: Annotated[
        int, typer.Option(help="Copies of the model, on a local Ray; 0: without Ray.", min=0)
    ] = 0,
) -> None:
    """Serve a Space with a real model here, without the Hub.

    Example: spaces-gen demo chat
    """
    from spaces_gen.demo import demo as serve

    raise typer.Exit(serve(name, port, copies))


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


def _end(number: int, frame: object) -> None:
    sys.exit(128 + number)  # as a shell reports it


def main() -> None:
    """Run the command; an error is one line and exit code 1, wrong usage is exit code 2."""
    debug = "--debug" in sys.argv
    for name in ("SIGTERM", "SIGHUP"):  # what was begun is ended in order, as after Ctrl-C
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)
    try:
        app()
    except UserError as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"Error: {harmless(str(error))}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        typer.echo(f"Error: {harmless(reason)} (spaces-gen --debug shows where)", err=True)
        sys.exit(1)
