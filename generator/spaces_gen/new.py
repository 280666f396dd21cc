"""`spaces-gen new`: a Space from a model, or from a few answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from spaces_gen.answers import read_answers
from spaces_gen.fit import default_tier, price, why_tier
from spaces_gen.inspect_model import OWN, Inspected, inspect_model, types
from spaces_gen.inspecting.show import SAID, print_found
from spaces_gen.plan import row_of
from spaces_gen.questions import check_choice
from spaces_gen.render import check_destination, render
from spaces_gen.tables import load_model_types, load_tiers

# Asks for an answer: question, what is allowed (None: a number), what is taken without one.
Ask = Callable[[str, Sequence[str] | None, str | None], str]
RATE = 1.0  # requests a second, of which nothing is shown: a row of the plan needs one


def new(destination: Path, answers: dict[str, Any], ask: Ask | None, console: Console) -> None:
    """Render a Space into `destination`, and tell what was found out about its model.

    Args:
        answers: by question. With a model among them, the others follow from it.
        ask: None where there is nobody to ask.

    Raises:
        UserError: an answer is not allowed, the model is not there, or `destination` is taken.
    """
    check_destination(destination)
    check_choice("model_type", answers, types())
    check_choice("hardware", answers, list(load_tiers()))
    if "model_id" not in answers:
        render(answers, destination, interactive=ask is not None)
        return
    found = inspect_model(str(answers["model_id"]))
    if ask is not None:
        print_found(console, found, answers)
    settled = complete(answers, found, ask)
    render(settled, destination)
    if ask is None:
        print_found(console, found, answers)
    print_choice(console, destination, settled, hardware_said="hardware" in answers)


def complete(answers: Mapping[str, Any], found: Inspected, ask: Ask | None) -> dict[str, Any]:
    """The answers with what was found out; what is open is asked, or has its default.

    Raises:
        UserError: the model type is open, and there is nobody to ask.
    """
    settled = {**found.answers(), **answers, "model_id": found.model_id}
    if found.needs_token:
        settled["needs_token"] = True
    if "model_type" not in answers:
        settled["model_type"] = ask_type(found, ask) if ask else found.served()
    row = load_model_types()[settled["model_type"]]
    if ask and "model_parameters" not in settled and found.model_id != row.model_id:
        question = "How many million parameters does it have?"
        settled["model_parameters"] = int(ask(question, None, str(row.parameters)))
    return settled


def ask_type(found: Inspected, ask: Ask) -> str:
    """The model type; asked where it is open."""
    if found.model_type and not found.alternatives:
        return found.model_type
    likely = [one for one in (found.model_type, *found.alternatives) if one]
    default = likely[0] if likely else OWN if OWN in types() else None
    return ask("Which model type serves it?", likely or types(), default)


def print_choice(
    console: Console, destination: Path, settled: Mapping[str, Any], *, hardware_said: bool
) -> None:
    """The hardware of a Space that was made, why it, and what is expected of it."""
    made = read_answers(destination)
    model_type = load_model_types()[made["model_type"]]
    tier, parameters = load_tiers()[made["hardware"]], int(made["model_parameters"])
    if "model_parameters" not in settled and made["model_id"] != model_type.model_id:
        unknown = f"its size is not known: taken as {parameters}M, that of {model_type.model_id}"
        console.print(f"note: {unknown}; --parameters says another", markup=False)
    by_default = not hardware_said and tier == default_tier(model_type, parameters)
    why = why_tier(tier, model_type) if by_default else SAID
    console.print(f"hardware: {tier.key} ({price(tier)}), {why}", markup=False)
    row = row_of(tier, model_type, parameters, RATE, model_type.estimate.p95_s, {})
    memory = f"{row.memory_needed:.1f} of {row.memory_available:.0f} GB of memory"
    most = f"up to {row.highest_rate:.2g} requests/s with 95 % in time"
    console.print(f"there, by estimate: {memory}, {most}", markup=False)
