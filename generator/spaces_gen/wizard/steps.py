"""The steps of the wizard: each asks for one answer, where it is open."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from spaces_gen.errors import UserError
from spaces_gen.fit import check_fits, default_tier, price, why_tier
from spaces_gen.inspect_model import OWN, Inspected, inspect_model, types
from spaces_gen.inspecting.show import print_found
from spaces_gen.plan import ANY_RATE, MARKS, Row, make_plan
from spaces_gen.questions import check_choice, check_kinds
from spaces_gen.tables import ModelType, Tier, load_model_types, load_tiers
from spaces_gen.terminal import harmless, make_console, progress
from spaces_gen.wizard import screen
from spaces_gen.wizard.form import Form, Option

MOST_ID = 500  # characters of a model's name that are looked up
MAKE, MORE = "make", "more"


@dataclass
class Talk:
    """What is known so far.

    Attributes:
        given: answers from the command line; they are not asked.
        chosen: answers of the steps.
        found: what the model says of itself; None without one of its own.
    """

    given: dict[str, Any]
    chosen: dict[str, Any] = field(default_factory=dict)
    found: Inspected | None = None

    @cached_property
    def form(self) -> Form:
        """The questions."""
        return Form()

    @property
    def answers(self) -> dict[str, Any]:
        """All of them: those given win, then those of the steps, then what was found."""
        found = self.found.answers() if self.found else {}
        token = {"needs_token": True} if self.found and self.found.needs_token else {}
        return {**found, **token, **self.chosen, **self.given}

    @property
    def model_type(self) -> ModelType:
        """The row of the model type."""
        return load_model_types()[self.answers["model_type"]]

    @property
    def parameters(self) -> int:
        """Of the model, in millions."""
        return int(self.answers.get("model_parameters", self.model_type.parameters))


def check_given(talk: Talk) -> None:
    """Refuse a wrong answer before anything is asked, as far as it is wrong by itself.

    Raises:
        UserError: with the question, and what is allowed.
    """
    check_kinds(talk.given)
    for key in talk.form.asked():
        allowed = [one.value for one in talk.form.options(key, talk.given)]
        if allowed:
            check_choice(key, talk.given, allowed)
        elif key in talk.given:
            complaint = talk.form.complaint(key, str(talk.given[key]), talk.given)
            if complaint:
                raise UserError(complaint)


def model(talk: Talk, *, back: bool) -> bool:
    """Which model; looks it up."""
    if "model_id" in talk.given:
        if talk.found is None:
            look(talk, str(talk.given["model_id"]))
        return False
    default = str(talk.chosen.get("model_id", ""))
    while True:
        name = screen.write(
            "Model: owner/name on the Hub, a folder such as ./model, or nothing to choose by task",
            default,
            complaint_about_id,
            back=back,
        ).strip()
        talk.found = None
        talk.chosen.pop("model_id", None)
        if not name:
            return True
        try:
            look(talk, name)
        except UserError as error:
            print(harmless(str(error)), file=sys.stderr)
            default = name
            continue
        talk.chosen["model_id"] = talk.found.model_id if talk.found else name
        return True


def complaint_about_id(text: str) -> str:
    """Why no model can be called so; "" where one can."""
    if len(text) > MOST_ID:
        return f"a name has at most {MOST_ID} characters"
    return "" if text.isprintable() else "a name has no control characters"


def look(talk: Talk, name: str) -> None:
    """Find out about a model, and show it.

    Raises:
        UserError: there is none.
    """
    with progress(f"Looking at {name}"):
        talk.found = inspect_model(name)
    print_found(make_console(sys.stderr), talk.found, talk.given)


def model_type(talk: Talk, *, back: bool) -> bool:
    """Which model type serves it; what was inferred is preselected, with why."""
    if "model_type" in talk.given:
        return False
    found, rows = talk.found, load_model_types()
    likely = [one for one in (found.model_type, *found.alternatives) if one] if found else []
    if found and not likely and OWN in rows:
        likely = [OWN]
    why = found.reasons.get("model_type", "") if found else ""
    inferred = found.model_type if found else None
    options = [
        Option(key, label_of(rows[key], found is None, why if key == inferred else ""))
        for key in dict.fromkeys([*likely, *types()])
    ]
    first = talk.chosen.get("model_type") or next(iter(likely), None)
    first = first or talk.form.default("model_type", {})
    words = "What does it do?" if found else "What shall it do?"
    talk.chosen["model_type"] = screen.choose(words, options, first, back=back)
    return True


def label_of(row: ModelType, with_model: bool, why: str) -> str:
    """A model type, with its default model or why it is likely."""
    own = row.model_id.startswith(".")
    model = "a function of your own" if own else f"{row.model_id}, {row.parameters}M"
    more = f": {model}" if with_model else f" - {why}" if why else ""
    return f"{row.name} ({row.key}){more}"


def size(talk: Talk, *, back: bool) -> bool:
    """How large it is, where nothing tells."""
    of_default = talk.answers.get("model_id", talk.model_type.model_id) == talk.model_type.model_id
    if "model_parameters" in talk.given or of_default or (talk.found and talk.found.parameters):
        return False
    default = talk.chosen.get("model_parameters", talk.model_type.parameters)
    answer = screen.write(
        talk.form.question("model_parameters", talk.answers),
        str(default),
        lambda text: talk.form.complaint("model_parameters", text, talk.answers),
        back=back,
    )
    talk.chosen["model_parameters"] = int(answer)
    return True


def hardware(talk: Talk, *, back: bool) -> bool:
    """On which hardware; what the model does not fit is greyed out, with the reason.

    Raises:
        UserError: it does not fit the one that was given, or any.
    """
    known = {**talk.answers, "model_parameters": talk.parameters}
    if "hardware" in talk.given:
        check_fits(known)
        return False
    with progress("Working out what fits"):
        plan = make_plan(known, ANY_RATE, None)
    if not any(row.fits for row in plan.rows):
        raise UserError(f"no hardware of Spaces holds {talk.parameters}M parameters")
    best = default_tier(talk.model_type, talk.parameters)
    header, *labels = table(plan.rows)
    options = [
        tier_option(row, label, best, talk.model_type) for row, label in zip(plan.rows, labels)
    ]
    first = talk.chosen.get("hardware") or (best.key if best else None)
    words = f"On which hardware? ~ is estimated; rate with 95 % within {plan.target:g} s"
    talk.chosen["hardware"] = screen.choose(words, options, first, back=back, header=header)
    return True


def tier_option(row: Row, label: str, best: Tier | None, model_type: ModelType) -> Option:
    """One tier."""
    if not row.fits:
        needs = f"{row.memory_needed:.1f} of {row.memory_available:.0f} GB"
        return Option(row.hardware, label, f"does not fit: needs {needs}")
    if best is not None and row.hardware == best.key:
        why = why_tier(best, model_type)
        return Option(row.hardware, f"{label}  recommended", note=f"recommended: {why}")
    return Option(row.hardware, label)


def table(rows: tuple[Row, ...]) -> list[str]:
    """A line of headings and one for each tier, in columns."""
    tiers = load_tiers()
    cells = [("hardware", "price", "memory", "model takes", "up to")]
    cells += [
        (
            row.hardware,
            price(tiers[row.hardware]).replace("an hour", "/h"),
            f"{row.memory_available:.0f} GB",
            f"{row.memory_needed:.1f} GB",
            f"{MARKS.get(row.source, '~')}{row.highest_rate:.2g} req/s" if row.fits else "-",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in cells]


def title(talk: Talk, *, back: bool) -> bool:
    """What it is called."""
    return question("title", talk, back=back)


def question(key: str, talk: Talk, *, back: bool) -> bool:
    """Any question of copier.yml."""
    if key in talk.given:
        return False
    form, answers = talk.form, talk.answers
    options = form.options(key, answers)
    first = str(talk.chosen.get(key, form.default(key, answers)))
    words = form.question(key, answers)
    if options:
        answer = screen.choose(words, options, first, back=back)
    else:
        answer = screen.write(
            words, first, lambda text: form.complaint(key, text, answers), back=back
        )
    talk.chosen[key] = answer
    return True


def others(talk: Talk) -> list[str]:
    """The questions that have no step of their own."""
    steps = ("model_type", "model_id", "model_parameters", "hardware", "title")
    return [key for key in talk.form.asked() if key not in steps]


def summary(talk: Talk, *, back: bool) -> str:
    """Show what will be made; returns whether to make it, or to ask for more first."""
    console = make_console(sys.stderr)
    console.print()
    for name, value in said(talk):
        console.print(f"  {name:12} {harmless(value)}", markup=False)
    options = [
        Option(MAKE, "Make it"),
        Option(MORE, f"Change more first ({', '.join(others(talk)[:3])} …)"),
    ]
    return screen.choose("Like this?", options, MAKE, back=back)


def said(talk: Talk) -> Iterator[tuple[str, str]]:
    """The answers that matter, and all that were given or chosen."""
    answers: Mapping[str, Any] = talk.answers
    tier = load_tiers()[str(answers.get("hardware") or talk.form.default("hardware", answers))]
    yield "model", f"{answers.get('model_id', talk.model_type.model_id)}, {talk.parameters}M"
    yield "model type", talk.model_type.key
    yield "hardware", f"{tier.key}, {price(tier)}"
    yield "title", str(answers.get("title") or talk.form.default("title", answers))
    for key in others(talk):
        if key in answers:
            yield key.replace("_", " "), str(answers[key])
