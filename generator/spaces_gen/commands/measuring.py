"""`plan`, `bench` and `tune`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spaces_gen.commands import completions
from spaces_gen.commands.options import (
    ABOUT_LOAD,
    DRY_RUN,
    HARDWARE,
    JSON,
    MODEL,
    MODEL_TYPE,
    P95,
    PARAMETERS,
    PLOT,
    SENT,
    SPACE,
)
from spaces_gen.errors import UsageError


def numbers(text: str, option: str) -> list[float]:
    """The numbers of an option, which stand between commas.

    Raises:
        UsageError: there are none, or others.
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise UsageError(f"{option} {text}: write numbers above 0, such as 1,8,32")
    return found


def plan(
    space: Annotated[Path | None, SPACE] = None,
    model: Annotated[str | None, MODEL] = None,
    model_type: Annotated[str | None, MODEL_TYPE] = None,
    parameters: Annotated[int | None, PARAMETERS] = None,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Requests a second.", rich_help_panel=ABOUT_LOAD)
    ] = 1.0,
    p95: Annotated[float | None, P95] = None,
    plot_file: Annotated[Path | None, PLOT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Work out every hardware, and show it."""
    from spaces_gen.plan import report

    options = {"model_id": model, "model_type": model_type, "model_parameters": parameters}
    answers = {key: value for key, value in options.items() if value is not None}
    if space is None and not answers:
        raise UsageError("name a folder, --model or --model-type")
    report(space, answers, rate=rate, p95=p95, plot_file=plot_file, as_json=as_json)


def bench(
    target: Annotated[
        str,
        typer.Argument(
            metavar="DEST|URL",
            help="A folder, or an address.",
            autocompletion=completions.folders,
        ),
    ],
    vs: Annotated[
        str | None, typer.Option(metavar="DEST|URL", help="Another one, measured in turn.")
    ] = None,
    users: Annotated[
        str,
        typer.Option(
            metavar="N,N",
            help="Visitors who ask again when answered.",
            rich_help_panel=ABOUT_LOAD,
        ),
    ] = "1,8,32",
    rates: Annotated[
        str,
        typer.Option(
            metavar="R,R",
            help="Arrivals a second; by default found out.",
            rich_help_panel=ABOUT_LOAD,
        ),
    ] = "",
    route: Annotated[
        list[str] | None,
        typer.Option(help="queue or direct; by default both.", rich_help_panel=ABOUT_LOAD),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.5, help="Of each run.", rich_help_panel=ABOUT_LOAD)
    ] = 10,
    warm_up: Annotated[
        float, typer.Option(min=0, help="Seconds before each.", rich_help_panel=ABOUT_LOAD)
    ] = 2,
    p95: Annotated[float | None, P95] = None,
    hardware: Annotated[str | None, HARDWARE] = None,
    data: Annotated[list[str] | None, SENT] = None,
    plot_file: Annotated[Path | None, PLOT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Put load on one Space, or on two in turn."""
    from spaces_gen.bench import report

    report(
        [target, *([vs] if vs else [])],
        users=numbers(users, "--users"),
        rates=numbers(rates, "--rates") if rates else None,
        routes=route,
        seconds=seconds,
        warm_up=warm_up,
        p95=p95,
        hardware=hardware,
        data=data or [],
        plot_file=plot_file,
        as_json=as_json,
    )


def tune(
    space: Annotated[Path, SPACE] = Path(),
    p95: Annotated[float | None, P95] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="For measuring; starting and comparing come on top.")
    ] = 90,
    ways: Annotated[
        bool, typer.Option("--ways/--no-ways", help="Try other engines and dtypes, too.")
    ] = True,
    data: Annotated[list[str] | None, SENT] = None,
    python: Annotated[
        str | None, typer.Option(metavar="FILE", help="That runs the Space; this one by default.")
    ] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    plot_file: Annotated[Path | None, PLOT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Measure, and write what is better."""
    from spaces_gen.tune import parse_data, report
    from spaces_gen.tuning.found import Settings

    settings = Settings(p95, seconds, ways, dict(parse_data(data or [])), python or sys.executable)
    raise typer.Exit(report(space, settings, dry_run=dry_run, plot_file=plot_file, as_json=as_json))
