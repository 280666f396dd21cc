"""`spaces-gen bench`: real load on a Space, and what its visitors meet."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.answers import read_answers
from spaces_gen.errors import UsageError, UserError
from spaces_gen.load.endpoint import Endpoint, find_endpoint
from spaces_gen.load.figures import Figures, as_data, counters, figures, highest_rate
from spaces_gen.load.inputs import inputs
from spaces_gen.load.loops import Load, Run
from spaces_gen.load.served import Served, served
from spaces_gen.load.show import plot, print_figures, print_ratios
from spaces_gen.load.visitor import DirectVisitor, QueueVisitor
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.terminal import for_figures, make_console

ROUTES: dict[str, Callable[[Any, Endpoint], Any]] = {
    "queue": QueueVisitor,
    "direct": DirectVisitor,
}
SHARES = (0.3, 0.6, 0.8, 0.95)  # of the best closed loop: where arrivals at random are tried
LOOK_SECONDS = 0.25  # between two looks at the memory
DEFAULT_TARGET = 2.0


@dataclass(frozen=True)
class Demand:
    """What load is put on a Space.

    Attributes:
        users: visitors of the closed loops, one after the other.
        rates: arrivals a second of the open loops; None for shares of the best closed loop.
        routes: "queue", "direct".
        seconds, warm_up: that count, and before them.
        given: fixed values of some arguments.
    """

    users: tuple[int, ...] = (1, 8, 32)
    rates: tuple[float, ...] | None = None
    routes: tuple[str, ...] = ("queue", "direct")
    seconds: float = 10.0
    warm_up: float = 2.0
    patience: float = 60.0
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A Space that runs.

    Attributes:
        served: the processes, where they were started here.
        price_per_hour: USD of its hardware; None where it is not known.
    """

    name: str
    url: str
    endpoint: Endpoint
    served: Served | None
    price_per_hour: float | None
    p95: float


@dataclass(frozen=True)
class Result:
    """All rows of a Space, in the order in which they were measured."""

    target: Target
    rows: tuple[Figures, ...]

    def best(self, route: str, p95: float) -> float | None:
        """The highest rate of arrivals that meets the target."""
        return highest_rate([one for one in self.rows if one.route == route], p95)


def bench(
    names: list[str], demand: Demand, hardware: str | None, say: Callable[[str], None]
) -> list[Result]:
    """Put load on one Space, or on several in turn; folders are served for it.

    Raises:
        UserError: a Space does not start or answer, or cannot be asked.
    """
    with ExitStack() as stack:
        targets = [stack.enter_context(opened(name, hardware, say)) for name in names]
        rows: list[list[Figures]] = [[] for _ in targets]
        sources = [source(target, demand) for target in targets]
        for route in demand.routes:
            steps: list[tuple[bool, float]] = [(True, users) for users in demand.users]
            done = 0
            while done < len(steps):
                closed, offered = steps[done]
                for target, found, values in zip(targets, rows, sources):
                    if route == "direct" and not target.endpoint.direct:
                        continue
                    said = f"{offered:g} visitors" if closed else f"{offered:.3g} arrivals/s"
                    say(f"{target.name}: {route}, {said}")
                    found.append(measure(target, route, closed, offered, demand, values))
                done += 1
                if done == len(demand.users):
                    steps += [(False, rate) for rate in open_rates(demand, rows[0], route)]
        return [Result(target, tuple(found)) for target, found in zip(targets, rows)]


def open_rates(demand: Demand, rows: list[Figures], route: str) -> list[float]:
    """The rates of arrivals to try: those wanted, or shares of what a closed loop reached."""
    if demand.rates is not None:
        return list(demand.rates)
    reached = max((one.throughput for one in rows if one.route == route), default=0.0)
    return [share * reached for share in SHARES if reached > 0]


@contextmanager
def opened(
    name: str,
    hardware: str | None,
    say: Callable[[str], None],
    variables: Mapping[str, str] | None = None,
) -> Iterator[Target]:
    """A Space at an address, or in a folder, which is served meanwhile.

    Args:
        variables: of the environment of one that is served.

    Raises:
        UserError: it does not start or answer.
    """
    tiers, types = load_tiers(), load_model_types()
    if hardware is not None and hardware not in tiers:
        raise UserError(f"there is no hardware {hardware!r}; choose one of {', '.join(tiers)}")
    if name.startswith(("http://", "https://")):
        tier = tiers.get(hardware or "")
        price = tier.price_per_hour if tier else None
        yield Target(name, name.rstrip("/"), find_endpoint(name), None, price, DEFAULT_TARGET)
        return
    folder = Path(name)
    answers = read_answers(folder)
    tier = tiers.get(hardware or str(answers.get("hardware")))
    model_type = types.get(str(answers.get("model_type")))
    say(f"starting {name}")
    with served(folder.resolve(), {"METRICS": "1", **(variables or {})}) as running:
        endpoint = find_endpoint(running.url)
        price = tier.price_per_hour if tier else None
        target = model_type.estimate.p95_s if model_type else DEFAULT_TARGET
        yield Target(name, running.url, endpoint, running, price, target)


def source(target: Target, demand: Demand) -> Iterator[dict[str, Any]]:
    """Endless inputs for a Space, made and checked before the first run."""

    def fetch(address: str) -> bytes:
        url = address if address.startswith("http") else f"{target.url}/gradio_api/file={address}"
        try:
            answer = httpx.get(url, timeout=30, follow_redirects=True).raise_for_status()
        except httpx.HTTPError as error:
            raise UserError(f"the example {address} cannot be fetched") from error
        return bytes(answer.content)

    return inputs(target.endpoint, fetch, dict(demand.given))


def measure(
    target: Target,
    route: str,
    closed: bool,
    offered: float,
    demand: Demand,
    values: Iterator[dict[str, Any]],
) -> Figures:
    """One run of load."""
    load = Load(
        target.url,
        lambda client: ROUTES[route](client, target.endpoint),
        values,
        seconds=demand.seconds,
        warm_up=demand.warm_up,
        patience=demand.patience,
    )
    before = counters(target.url)
    with watched(target.served) as memory:
        run: Run = asyncio.run(load.closed(int(offered)) if closed else load.open(offered))
    after = counters(target.url) if before else {}
    return figures(route, run, before, after, max(memory, default=None), target.price_per_hour)


@contextmanager
def watched(running: Served | None) -> Iterator[list[float]]:
    """Looks at the memory of a Space again and again; the list grows meanwhile."""
    seen: list[float] = []
    if running is None:
        yield seen
        return
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            seen.append(running.memory_mb())

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    try:
        yield seen
    finally:
        over.set()
        looker.join()


def report(
    names: list[str],
    *,
    users: list[float],
    rates: list[float] | None,
    routes: list[str] | None,
    seconds: float,
    warm_up: float,
    p95: float | None,
    hardware: str | None,
    data: list[str],
    plot_file: Path | None,
    as_json: bool,
) -> None:
    """Measure, and show it: progress on standard error, the figures on standard output.

    Raises:
        UserError: a Space cannot be measured.
        UsageError: an option makes no sense.
    """
    unknown = sorted(set(routes or []) - set(ROUTES))
    if unknown:
        raise UsageError(f"--route {unknown[0]}: choose queue or direct")
    demand = Demand(
        users=tuple(int(one) for one in users),
        rates=None if rates is None else tuple(rates),
        routes=tuple(routes or ROUTES),
        seconds=seconds,
        warm_up=warm_up,
        given=dict(parse_value(pair) for pair in data),
    )
    progress = make_console(sys.stderr, soft_wrap=False)
    with progress.status("…") as status:
        results = bench(names, demand, hardware, status.update)
    if plot_file is not None:
        plot(plot_file, {one.target.name: list(one.rows) for one in results})
    if as_json:
        print(json.dumps([as_json_result(one, p95) for one in results], indent=2))
        return
    console = for_figures()
    for result in results:
        console.print(result.target.name, markup=False, style="bold")
        print_figures(console, list(result.rows))
        for sentence in verdicts(result, p95):
            console.print(sentence, markup=False)
    if len(results) > 1:
        print_ratios(console, list(results[0].rows), list(results[1].rows))


def parse_value(pair: str) -> tuple[str, Any]:
    """ARGUMENT=VALUE; numbers and the like as JSON, anything else as a text.

    Raises:
        UsageError: there is no "=".
    """
    name, equals, value = pair.partition("=")
    if not equals:
        raise UsageError(f"--data {pair}: write ARGUMENT=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def verdicts(result: Result, p95: float | None) -> Iterator[str]:
    """Up to which rate each route meets the target."""
    target = p95 or result.target.p95
    for route in dict.fromkeys(row.route for row in result.rows):
        best = result.best(route, target)
        rate = "at none of these rates" if best is None else f"up to {best:.3g} arrivals/s"
        yield f"{route}: everybody answered and p95 within {target:g} s {rate}"


def as_json_result(result: Result, p95: float | None) -> dict[str, Any]:
    """Everything about a Space, for programs."""
    target = p95 or result.target.p95
    routes = dict.fromkeys(row.route for row in result.rows)
    return {
        "target": result.target.name,
        "p95_target": target,
        "highest_rate": {route: result.best(route, target) for route in routes},
        "rows": [as_data(row) for row in result.rows],
    }
