"""`spaces-gen new`: a Space from a model, or from a few answers."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces_gen.questions import check_choice
from spaces_gen.render import check_destination, render
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.terminal import for_figures, progress

if TYPE_CHECKING:  # they take long to import, and are not always needed
    from rich.console import Console

    from spaces_gen.inspect_model import Inspected

# Asks for what is open: takes answers, returns all of them and what was found out about the model.
Ask = Callable[[dict[str, Any]], "tuple[dict[str, Any], Inspected | None]"]


def new(
    destination: Path,
    answers: dict[str, Any],
    ask: Ask | None = None,
    console: Console | None = None,
) -> None:
    """Render a Space into `destination`, and tell what was found out about its model.

    Args:
        answers: by question. With a model among them, the others follow from it.
        ask: None where there is nobody to ask.
        console: standard output by default.

    Raises:
        UserError: an answer is not allowed, the model is not there, or `destination` is taken.
    """
    check_destination(destination)
    check_choice("model_type", answers, list(load_model_types()))
    check_choice("hardware", answers, list(load_tiers()))
    found: Inspected | None = None
    settled = answers
    if ask is not None:
        settled, found = ask(answers)
    elif "model_id" in answers:
        found = look(str(answers["model_id"]))
        settled = complete(answers, found)
    with progress("Making the Space"):
        render(settled, destination)
    if found is not None:
        console = console or for_figures()
        if ask is None:
            print_model(console, found, answers)
        print_choice(console, destination, settled, hardware_said="hardware" in settled)


def look(model_id: str) -> Inspected:
    """Find out about a model.

    Raises:
        UserError: it is not there.
    """
    from spaces_gen.inspect_model import inspect_model

    with progress(f"Looking at {model_id}"):
        return inspect_model(model_id)


def print_model(console: Console, found: Inspected, answers: Mapping[str, Any]) -> None:
    """What was found out."""
    from spaces_gen.inspecting.show import print_found

    print_found(console, found, answers)


def complete(answers: Mapping[str, Any], found: Inspected) -> dict[str, Any]:
    """The answers with what was found out.

    Raises:
        UserError: the model type is open.
    """
    settled = {**found.answers(), **answers, "model_id": found.model_id}
    if found.needs_token:
        settled["needs_token"] = True
    if "model_type" not in answers:
        settled["model_type"] = found.served()
    return settled


def next_steps(destination: Path) -> Iterator[str]:
    """What comes next, as commands to copy."""
    folder = shlex.quote(str(destination))
    app = shlex.quote(str(destination / "app.py"))
    yield f"Your Space is in {destination}. Next:"
    commands = {
        f"python {app}": "serve it here",
        f"spaces-gen plan {folder}": "compare all hardware",
        f"spaces-gen publish {folder}": "check it and send it to the Hub",
    }
    width = max(map(len, commands))
    yield from (f"  {command:{width}}  # {meaning}" for command, meaning in commands.items())


def print_choice(
    console: Console, destination: Path, settled: Mapping[str, Any], *, hardware_said: bool
) -> None:
    """The hardware of a Space that was made, why it, and what is expected of it."""
    from spaces_gen.answers import read_answers
    from spaces_gen.fit import default_tier, price, why_tier
    from spaces_gen.inspecting.show import SAID
    from spaces_gen.plan import ANY_RATE, row_of

    made = read_answers(destination)
    model_type = load_model_types()[made["model_type"]]
    tier, parameters = load_tiers()[made["hardware"]], int(made["model_parameters"])
    if "model_parameters" not in settled and made["model_id"] != model_type.model_id:
        unknown = f"its size is not known: taken as {parameters}M, that of {model_type.model_id}"
        console.print(f"note: {unknown}; --parameters says another", markup=False)
    by_default = not hardware_said and tier == default_tier(model_type, parameters)
    why = why_tier(tier, model_type) if by_default else SAID
    console.print(f"hardware: {tier.key} ({price(tier)}), {why}", markup=False)
    row = row_of(tier, model_type, parameters, ANY_RATE, model_type.estimate.p95_s, {})
    memory = f"{row.memory_needed:.1f} of {row.memory_available:.0f} GB of memory"
    most = f"up to {row.highest_rate:.2g} requests/s with 95 % in time"
    console.print(f"there, by estimate: {memory}, {most}", markup=False)
