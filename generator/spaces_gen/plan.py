"""`spaces-gen plan`: every tier for a model, and the cheapest that does what is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from spaces_gen.answers import ANSWERS
from spaces_gen.capacity.queue import HIGHEST_LOAD, ROUGH, highest_rate, simulate
from spaces_gen.capacity.service import throughput
from spaces_gen.carried import ESTIMATED, Measurement, known_of, measurements
from spaces_gen.errors import UserError
from spaces_gen.estimate import (
    batch_seconds,
    bounds,
    holding,
    largest_model,
    tuning_values,
)
from spaces_gen.fit import fit, price, typical_items
from spaces_gen.inspect_model import inspect_model
from spaces_gen.inspecting.show import print_found
from spaces_gen.plots import figure
from spaces_gen.questions import check_kinds
from spaces_gen.tables import ModelType, Tier, load_model_types, load_quotas, load_tiers
from spaces_gen.terminal import for_figures, harmless, progress
from spaces_gen.upgrading.change import content
from spaces_gen.upgrading.files import Folder
from spaces_gen.upgrading.recorded import parse

SECONDS_PER_HOUR = 3600
ANY_RATE = 1.0  # requests a second, for rows of which nothing about it is shown
MARKS = {"measured": "", "estimated": "~"}  # before a figure that is not certain
CARRIED_MARK = "≈"


@dataclass(frozen=True)
class Row:
    """What a tier would do; seconds, requests a second, USD, GB. None: it does not fit.

    Attributes:
        max_batch: requests in a full batch.
        highest_rate: arrivals a second up to which 95 % are answered within the target.
        p95: at the wanted rate; infinite where more arrive than are answered.
        per_thousand: of 1,000 requests at the highest rate.
        meets: whether the wanted rate and target are met.
        source: of batch, rate, p95 and price: "measured", "from" another hardware, "estimated".
        certainty: they are within this factor.
    """

    hardware: str
    name: str
    fits: bool
    memory_needed: float
    memory_available: float
    price_per_hour: float
    dtype: str
    max_batch: int | None = None
    highest_rate: float | None = None
    p95: float | None = None
    per_thousand: float | None = None
    meets: bool = False
    source: str = "estimated"
    certainty: float = ESTIMATED


@dataclass(frozen=True)
class Plan:
    """All tiers for a model.

    Attributes:
        parameters: of the model, in millions.
        rate, target: that are wanted: arrivals a second, seconds for 95 %.
        quota: requests a day that a visitor has on ZeroGPU, by kind of account; None where the
            model does not fit it.
    """

    model_type: str
    model_id: str
    parameters: int
    rate: float
    target: float
    rows: tuple[Row, ...]
    quota: Mapping[str, int] | None

    @property
    def cheapest(self) -> Row | None:
        """The cheapest tier that meets what is wanted; ZeroGPU is for each visitor's own quota."""
        good = [row for row in self._of_ones_own if row.meets]
        return min(good, key=lambda row: row.price_per_hour, default=None)

    @property
    def _of_ones_own(self) -> list[Row]:
        tiers = load_tiers()
        return [row for row in self.rows if not tiers[row.hardware].zero_gpu]

    @property
    def front(self) -> tuple[Row, ...]:
        """The tiers than which none is both cheaper and faster, by price; without ZeroGPU."""
        found: list[Row] = []
        for row in sorted(
            self._of_ones_own, key=lambda one: (one.price_per_hour, -(one.highest_rate or 0))
        ):
            if row.highest_rate and row.highest_rate > max(
                (one.highest_rate or 0 for one in found), default=0
            ):
                found.append(row)
        return tuple(found)


def make_plan(answers: Mapping[str, Any], rate: float, target: float | None) -> Plan:
    """Work out every tier.

    Args:
        answers: `model_type`, and `model_id` and `model_parameters` where they are not its default.

    Raises:
        UserError: the model type is unknown, or no tier holds such a model.
    """
    types = load_model_types()
    key = str(answers.get("model_type"))
    if key not in types:
        raise UserError(f"model_type: {key!r} is not known; choose one of {', '.join(types)}")
    model_type = types[key]
    check_kinds(answers)
    given = answers.get("model_parameters")
    parameters = model_type.parameters if given is None else int(given)
    if parameters < 1:
        raise UserError(f"model_parameters: {parameters} is not above 0")
    wanted = target or model_type.estimate.p95_s
    model_id = str(answers.get("model_id") or model_type.model_id)
    measured = measurements(answers, model_id)
    rows = tuple(
        row_of(tier, model_type, parameters, rate, wanted, measured)
        for tier in load_tiers().values()
    )
    return Plan(
        key,
        model_id,
        parameters,
        rate,
        wanted,
        rows,
        quota_of(model_type, parameters),
    )


def row_of(
    tier: Tier,
    model_type: ModelType,
    parameters: int,
    rate: float,
    target: float,
    measured: Mapping[str, Measurement],
) -> Row:
    """One tier."""
    own = measured.get(tier.key)
    fits = own is not None or parameters <= largest_model(tier, model_type)
    values = (
        tuning_values(tier, model_type, step_of(tier, model_type, parameters))
        if fits and own is None
        else None
    )
    items = own.requests if own else typical_items(model_type, values) if values else 1
    needed = fit(tier, model_type, parameters, items)
    row = Row(
        hardware=tier.key,
        name=tier.name,
        fits=fits,
        memory_needed=own.room.of_batch(items, own.workers) if own else needed.needed,
        memory_available=needed.available,
        price_per_hour=tier.price_per_hour,
        dtype=own.dtype if own else tier.dtype,
    )
    if not fits:
        return row
    known = known_of(tier, model_type, parameters, measured)
    service = known.service
    copies = 1 if tier.zero_gpu else holding(tier, model_type, parameters)[1].gpus or 1
    workers = own.workers if own else copies
    batch = max(1, round(items))
    of_front_end = 1 / service.front_end  # there is one, however many cards
    best = min(highest_rate(service, target, batch, workers, ROUGH), HIGHEST_LOAD * of_front_end)
    capacity = min(throughput(service, batch, workers), of_front_end)
    p95 = simulate(service, rate, batch, workers, arrivals=ROUGH.arrivals).p95
    p95 = p95 if rate < capacity else float("inf")
    paid = tier.price_per_hour > 0 and best > 0
    return Row(
        **{
            **asdict(row),
            "max_batch": batch,
            "highest_rate": best,
            "p95": p95,
            "per_thousand": tier.price_per_hour / SECONDS_PER_HOUR / best * 1000 if paid else None,
            "meets": best >= rate and p95 <= target,
            "source": known.source,
            "certainty": known.certainty,
        }
    )


def step_of(tier: Tier, model_type: ModelType, parameters: int) -> int:
    """The size of model whose values a Space of this size gets."""
    return next(bound for bound in bounds(tier, model_type) if bound >= parameters)


def quota_of(model_type: ModelType, parameters: int) -> dict[str, int] | None:
    """Requests a day on ZeroGPU, by kind of account: each visitor pays with their own quota."""
    for tier in load_tiers().values():
        if tier.zero_gpu and parameters <= largest_model(tier, model_type):
            seconds = batch_seconds(tier, model_type, parameters, 1)
            return {kind: int(quota / seconds) for kind, quota in load_quotas().items()}
    return None


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan for programs; what cannot be is null."""

    def plain(row: Row) -> dict[str, Any]:
        data = asdict(row)
        data["p95"] = None if data["p95"] == float("inf") else data["p95"]
        return data

    return {
        "model_type": plan.model_type,
        "model_id": plan.model_id,
        "parameters_millions": plan.parameters,
        "rate": plan.rate,
        "p95_target": plan.target,
        "cheapest": plan.cheapest.hardware if plan.cheapest else None,
        "pareto": [row.hardware for row in plan.front],
        "zero_gpu_requests_a_day": plan.quota,
        "rows": [plain(row) for row in plan.rows],
    }


def report(
    space: Path | None,
    answers: dict[str, Any],
    *,
    rate: float,
    p95: float | None,
    plot_file: Path | None,
    as_json: bool,
) -> None:
    """Plan, and show it.

    Args:
        space: a folder whose answers count where `answers` say nothing.

    Raises:
        UserError: it cannot be planned.
    """
    if space is not None:
        recorded = parse(content(Folder(space), ANSWERS), str(space)).answers
        if "model_id" in answers or "model_type" in answers:
            recorded = {}
        answers = {**recorded, **answers}
    found = None
    said = dict(answers)
    if "model_id" in answers and not {"model_type", "model_parameters"} <= answers.keys():
        with progress(f"Looking at {answers['model_id']}"):
            found = inspect_model(str(answers["model_id"]))
        answers = {**found.answers(), **answers}
        if "model_type" not in answers:
            found.served()
    with progress("Working out every hardware"):
        plan = make_plan(answers, rate, p95)
    if plot_file is not None:
        draw(plan, plot_file)
    if as_json:
        print(json.dumps(as_data(plan), indent=2))
        return
    console = for_figures()
    if found is not None:
        print_found(console, found, said)
    print_plan(console, plan)


def print_plan(console: Console, plan: Plan) -> None:
    """A table of all tiers, and what follows from it."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for column in ("hardware", "memory GB", "dtype"):
        table.add_column(column, no_wrap=True)
    for column in ("batch", "req/s", f"p95 at {plan.rate:g}/s", "$/hour", "$/1000"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in plan.rows:
        style = "bold green" if row is plan.cheapest else "" if row.meets else "dim"
        table.add_row(*cells(row), style=style)
    console.print(
        f"{harmless(plan.model_id)} ({plan.model_type}, {plan.parameters}M)", markup=False
    )
    console.print(table)
    best = plan.cheapest
    wanted = f"{plan.rate:g} requests/s with p95 within {plan.target:g} s"
    if best is None:
        console.print(f"no hardware is expected to bear {wanted}", markup=False)
    else:
        of_best = price(load_tiers()[best.hardware])
        console.print(f"the cheapest for {wanted}: {best.hardware} ({of_best})", markup=False)
    if plan.quota is not None:
        shares = ", ".join(f"{count} {kind}" for kind, count in plan.quota.items())
        console.print(f"on ZeroGPU a visitor has so many requests a day: {shares}", markup=False)
    for sentence in legend(plan.rows):
        console.print(sentence, style="dim", markup=False)


def legend(rows: Iterable[Row]) -> Iterator[str]:
    """What the marks of the figures mean."""
    known = dict.fromkeys((row.source, row.certainty) for row in rows if row.fits)
    for source, certainty in sorted(known, key=lambda one: one[1]):
        meaning = {
            "measured": "measured on that hardware",
            "estimated": "estimated from data sheets",
        }.get(source, f"carried over {source} by data sheets")
        mark = MARKS.get(source, CARRIED_MARK) or "no mark"
        yield f"{mark}: {meaning}, expect them within a factor of {certainty:g}"
    yield "memory is estimated where the batch is not measured; prices are the platform's"


def cells(row: Row) -> list[str]:
    """A row as texts; each figure says how it is known."""
    memory = f"{row.memory_needed:.1f} of {row.memory_available:.0f}"
    price = f"{row.price_per_hour:.2f}" if row.price_per_hour else "free"
    if not row.fits:
        return [row.hardware, memory, row.dtype, "-", "-", "-", price, "-", "does not fit"]
    mark = MARKS.get(row.source, CARRIED_MARK)
    p95 = "too slow" if row.p95 == float("inf") else f"{mark}{row.p95:.3g} s"
    paid = f"{mark}{row.per_thousand:.4f}" if row.per_thousand is not None else "-"
    rate, batch = f"{mark}{row.highest_rate:.3g}", f"{mark}{row.max_batch}"
    return [row.hardware, memory, row.dtype, batch, rate, p95, price, paid, row.source]


def draw(plan: Plan, path: Path) -> None:
    """Price against throughput, with the front of the best marked.

    Raises:
        UserError: matplotlib is missing, or the file cannot be written.
    """
    with figure(path, (7, 4.5)) as (drawing,):
        shown = [row for row in plan.rows if row.highest_rate]
        drawing.scatter(
            [row.price_per_hour for row in shown],
            [row.highest_rate for row in shown],
            color="tab:gray",
        )
        front = plan.front
        drawing.plot(
            [row.price_per_hour for row in front],
            [row.highest_rate for row in front],
            "o-",
            color="tab:green",
        )
        for row in front:
            drawing.annotate(
                row.hardware,
                (row.price_per_hour, row.highest_rate or 0),
                fontsize=7,
                xytext=(3, 3),
                textcoords="offset points",
            )
        drawing.axhline(plan.rate, linestyle="--", linewidth=0.8, color="tab:red")
        drawing.set_xlabel("$ an hour")
        drawing.set_ylabel(f"requests/s with p95 within {plan.target:g} s")
        drawing.grid(alpha=0.3)
