"""The simulated queue beside Gradio's own, with functions that sleep, in one run.

A page with `batch=True` sleeps t(b) seconds for a batch of b, in three shapes of t. Visitors arrive
at random, each on their own, through the queue as the page's. The simulator gets the moments at
which they came, and of the page only what was measured before, in the same run:

- held: the time of a worker between two full batches of a crowd that came at once, by size of the
  batch: what the queue, the components and the answers of the batch before take. Added to t(b).
- h: CPU time of the page per request, with a function that does nothing, asked by 16 visitors at
  once. `ServiceTime.front_end`, not shared: a sleep leaves the page its core, as a GPU does.
- way: a visitor's time outside of any worker, in and out. What a lone visitor waits for a function
  that does nothing, less what is held; and, for more than one in a batch, how much later than a
  lone one they get their answers on average, since these leave one after the other. Added to the
  latencies.

Nothing is fitted to the runs that are compared. The page's settings are those of a rendered Space.
One row has Gradio's defaults, with which it counts up a table after each answer, and tells all who
wait about each batch that begins: work that grows with the line, which the simulator does not know.

    python benchmarks/simulator.py [--share 1.0]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import statistics
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from report import RESULTS, place

from spaces_gen.capacity.queue import quantile, run, simulate
from spaces_gen.capacity.service import ServiceTime
from spaces_gen.load.endpoint import find_endpoint
from spaces_gen.load.loops import Load, Run
from spaces_gen.load.served import Served, served
from spaces_gen.load.visitor import QueueVisitor, Refused
from spaces_gen.plots import figure

PAGE = Path(__file__).parent / "sleeping"
LIMIT = 0.15  # within which the two should agree
WARM_UP = 6.0
PATIENCE = 60.0
CALIBRATION_SECONDS = 5.0
CROWD_SIZES = (1, 4, 8, 16)
CROWDS = 6
CROWD_BATCHES = 4
CROWD_SLEEP = 0.3  # long enough for a crowd to join meanwhile
# As template/serving/launch.py sets them.
SETTINGS = {
    "UPDATES": "5",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
}


@dataclass(frozen=True)
class Function:
    """Seconds that it sleeps for a batch of 1, 2, …; the batches that may run at once."""

    seconds: tuple[float, ...]
    workers: int = 1

    @property
    def capacity(self) -> float:
        """Requests a second with full batches."""
        return self.workers * len(self.seconds) / self.seconds[-1]


def linear(largest: int) -> tuple[float, ...]:
    """Each item costs as much as the one before."""
    return tuple(0.3 + 0.05 * size for size in range(1, largest + 1))


FUNCTIONS = {
    "linear": Function(linear(16)),
    "flat": Function((0.5,) * 8),
    "step": Function((0.5,) * 8 + (1.0,) * 8),
    "two": Function(linear(4), workers=2),
    "nothing": Function((0.0,) * 16),
    **{f"crowd{size}": Function((CROWD_SLEEP,) * size) for size in CROWD_SIZES},
}
SHAPES = {
    "linear": "0.3 + 0.05 b, b to 16",
    "flat": "0.5, b to 8",
    "step": "0.5, above 8: 1, b to 16",
    "two": "0.3 + 0.05 b, b to 4",
}


@dataclass(frozen=True)
class Case:
    """A load to compare.

    Attributes:
        load: arrivals, as a share of the capacity.
        requests: that count, about.
        defaults: with Gradio's settings instead of those of a rendered Space.
    """

    function: str
    load: float
    requests: int
    max_size: int | None = None
    defaults: bool = False

    @property
    def rate(self) -> float:
        """Arrivals a second."""
        return self.load * FUNCTIONS[self.function].capacity


CASES = [
    *(
        Case(function, load, requests)
        for function in ("linear", "flat", "step")
        for load, requests in ((0.3, 220), (0.6, 400), (0.85, 600))
    ),
    Case("two", 0.6, 900),
    Case("linear", 1.2, 600, max_size=20),
    Case("linear", 0.6, 300, defaults=True),
]


@dataclass
class Visit:
    """When somebody came and was answered; never where the line was full."""

    came: float
    answered: float = math.inf
    refused: bool = False


class Recorded:
    """A visitor of the queue whose visits are written down."""

    def __init__(self, visitor: QueueVisitor, visits: list[Visit]) -> None:
        self._visitor, self._visits = visitor, visits

    async def ask(self, values: dict[str, Any]) -> list[float]:
        """See `spaces_gen.load.visitor.Visitor`."""
        visit = Visit(time.monotonic())
        self._visits.append(visit)
        try:
            parts = await self._visitor.ask(values)
        except Refused:
            visit.refused = True
            raise
        visit.answered = time.monotonic()
        return parts


@dataclass(frozen=True)
class Batch:
    """A call of a function."""

    began: float
    ended: float
    size: int


class Page:
    """The app that sleeps, while it runs."""

    def __init__(self, running: Served, log: Path) -> None:
        self.url, self._pid, self._log = running.url, running.pid, log

    def batches(self, name: str, since: float) -> list[Batch]:
        """Calls of a function that began after a moment."""
        rows = [line.split() for line in self._log.read_text(encoding="utf-8").splitlines()]
        found = [Batch(float(one[1]), float(one[2]), int(one[3])) for one in rows if one[0] == name]
        return [one for one in found if one.began >= since]

    def cpu_seconds(self) -> float:
        """That its processes have used."""
        first = psutil.Process(self._pid)
        return sum(sum(one.cpu_times()[:2]) for one in [first, *first.children(recursive=True)])

    async def load(
        self, name: str, seconds: float, users: int | None = None, rate: float = 0, seed: int = 7
    ) -> tuple[Run, list[Visit]]:
        """Visitors of a function: so many, or at random with a rate."""
        endpoint, visits = find_endpoint(self.url, name), list[Visit]()
        load = Load(
            self.url,
            lambda client: Recorded(QueueVisitor(client, endpoint), visits),
            ({endpoint.arguments[0].name: f"text {number}"} for number in itertools.count()),
            seconds=seconds,
            warm_up=WARM_UP if users is None else 1.0,
            patience=PATIENCE,
        )
        done = await (load.closed(users) if users else load.open(rate, seed))
        return done, visits

    async def crowd(self, name: str, count: int) -> list[Visit]:
        """So many visitors at once, each once."""
        endpoint, visits = find_endpoint(self.url, name), list[Visit]()
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE) as client:
            visitor = Recorded(QueueVisitor(client, endpoint), visits)
            values = {endpoint.arguments[0].name: "text"}
            await asyncio.gather(*(visitor.ask(values) for _ in range(count)))
        return visits


@contextmanager
def page(max_size: int | None = None, defaults: bool = False) -> Iterator[Page]:
    """Serve the app that sleeps."""
    sleeps = {
        name: {"seconds": one.seconds, "workers": one.workers} for name, one in FUNCTIONS.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "batches"
        log.touch()
        variables = {
            "SLEEPS": json.dumps(sleeps),
            "BATCHES": str(log),
            "MAX_SIZE": str(max_size or ""),
            "GRADIO_ANALYTICS_ENABLED": "False",
            **({} if defaults else SETTINGS),
        }
        with served(PAGE, variables) as running:
            yield Page(running, log)


@dataclass(frozen=True)
class Overhead:
    """What Gradio adds, in seconds.

    Attributes:
        lone: a lone visitor's wait for nothing.
        front_end: CPU time of the page per request.
        held, way: by size of the batch; see above.
    """

    lone: float
    front_end: float
    held: dict[int, float]
    way: dict[int, float]

    def service(self, function: Function) -> ServiceTime:
        """A function as its visitors meet it."""
        held = ServiceTime(self.held)
        known = {
            size: seconds + held.of_model(size) for size, seconds in enumerate(function.seconds, 1)
        }
        return ServiceTime(known, self.front_end, shared=False)

    def way_of(self, batch: float) -> float:
        """A visitor's time outside, by the mean size of the batches."""
        return ServiceTime(self.way).of_model(round(batch))


def measured_overhead(page: Page) -> Overhead:
    """Of a page that has nothing else to do."""
    seconds = CALIBRATION_SECONDS
    asyncio.run(page.load("nothing", 1.0, users=1))
    _, lone = asyncio.run(page.load("nothing", seconds, users=1))
    before = page.cpu_seconds()
    _, many = asyncio.run(page.load("nothing", seconds, users=16))
    front_end = (page.cpu_seconds() - before) / len(many)
    held, out = {}, {}
    for size in CROWD_SIZES:
        gaps, delays = list[float](), list[float]()
        for _ in range(CROWDS):
            since = time.monotonic()
            visits = asyncio.run(page.crowd(f"crowd{size}", CROWD_BATCHES * size))
            batches = page.batches(f"crowd{size}", since)
            gaps += between(batches, size)
            delays += until_answered(visits, batches, size)
        held[size], out[size] = statistics.mean(gaps), statistics.mean(delays)
    wait = statistics.median(one.answered - one.came for one in lone)
    way = {size: max(0.0, wait - held[1]) + out[size] - out[1] for size in CROWD_SIZES}
    return Overhead(wait, front_end, held, {size: max(1e-6, one) for size, one in way.items()})


def between(batches: list[Batch], size: int) -> list[float]:
    """Seconds from the end of a full batch to the begin of the next, that of the first excepted."""
    pairs = itertools.pairwise(batches[1:])
    return [later.began - one.ended for one, later in pairs if one.size == later.size == size]


def until_answered(visits: list[Visit], batches: list[Batch], size: int) -> list[float]:
    """Seconds from the end of a full batch until each of its visitors has the answer."""
    ends = [one.ended for one in batches]
    own = [(one, batches[bisect_right(ends, one.answered) - 1]) for one in visits]
    return [visit.answered - one.ended for visit, one in own if one.size == size]


@dataclass(frozen=True)
class Seen:
    """What visitors met, or would meet; seconds, requests, shares."""

    mean: float
    p95: float
    refused: float
    batch: float


@dataclass(frozen=True)
class Compared:
    """A case: what was, what the simulator makes of the same arrivals, and of arrivals of its own.

    Attributes:
        requests: that count.
        own: of 6,000 arrivals that the simulator makes up, as `spaces-gen plan` does; it differs
            also by the chance of a few hundred arrivals.
        bare: of the same arrivals, knowing only how long the function sleeps.
        held: mean seconds between two full batches in this run, for a look at the differences.
        failures: requests without an answer that were not refused.
    """

    case: Case
    requests: int
    real: Seen
    simulated: Seen
    bare: Seen
    own: Seen
    held: float | None
    failures: int


def compare(page: Page, case: Case, overhead: Overhead, number: int, share: float) -> Compared:
    """Put the load on the page, then on the simulator."""
    function = FUNCTIONS[case.function]
    since = time.monotonic()
    seconds = share * case.requests / case.rate
    done, visits = asyncio.run(page.load(case.function, seconds, rate=case.rate, seed=number))
    start = visits[0].came
    counted = [one for one in visits if one.came - start >= WARM_UP]
    times, begin = [one.came - start for one in visits], counted[0].came - start

    def simulated(service: ServiceTime, way: Callable[[float], float]) -> Seen:
        size = len(function.seconds)
        found = run(times, begin, service.of_batch, size, function.workers, case.max_size)
        return of_simulation(found, way)

    service = overhead.service(function)
    own = simulate(
        service, case.rate, len(function.seconds), function.workers, case.max_size, seed=number
    )
    answered = sorted(one.answered - one.came for one in counted if one.answered < math.inf)
    batches = [one for one in page.batches(case.function, since) if one.began >= counted[0].came]
    gaps = between(batches, len(function.seconds)) if function.workers == 1 else []
    return Compared(
        case,
        len(counted),
        Seen(
            statistics.mean(answered),
            quantile(answered, 0.95),
            sum(one.refused for one in counted) / len(counted),
            statistics.mean(one.size for one in batches),
        ),
        simulated(service, overhead.way_of),
        simulated(ServiceTime(dict(enumerate(function.seconds, 1))), lambda batch: 0.0),
        of_simulation(own, overhead.way_of),
        statistics.mean(gaps) if gaps else None,
        done.unfinished + sum(done.failures.values()),
    )


def of_simulation(found: Any, way: Callable[[float], float]) -> Seen:
    """What simulated visitors meet, their way included."""
    outside = way(found.mean_batch)
    return Seen(found.mean + outside, found.p95 + outside, found.loss, found.mean_batch)


def measure(share: float) -> tuple[Overhead, list[Compared]]:
    """All cases; those with the same settings share a page."""
    found: dict[int, Compared] = {}
    overhead: Overhead | None = None
    numbered = list(enumerate(CASES, 1))
    for settings in dict.fromkeys((one.max_size, one.defaults) for one in CASES):
        with page(*settings) as running:
            overhead = overhead or measured_overhead(running)
            for number, case in numbered:
                if (case.max_size, case.defaults) == settings:
                    found[number] = compare(running, case, overhead, number, share)
                    print(cells(found[number]), flush=True)
    assert overhead is not None
    return overhead, [found[number] for number, _ in numbered]


def main() -> None:
    """Measure, print, and write table and plot to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the requests, for a quick run")
    parser.add_argument("--output", type=Path, default=RESULTS / "simulator.md")
    options = parser.parse_args()
    overhead, found = measure(options.share)
    text = table(overhead, found)
    options.output.write_text(text, encoding="utf-8")
    raw = {"overhead": asdict(overhead), "cases": [asdict(one) for one in found]}
    raw_text = json.dumps(raw, indent=2) + "\n"
    options.output.with_suffix(".json").write_text(raw_text, encoding="utf-8")
    plot(options.output.with_suffix(".svg"), [one for one in found if plain(one.case)])
    print(text)


def plain(case: Case) -> bool:
    """Whether it is one of those that have to agree, and no extra."""
    return case.max_size is None and not case.defaults


def off(simulated: float, real: float) -> float:
    """By which share the simulation is above what was."""
    return simulated / real - 1


def cells(one: Compared) -> str:
    """A row of the table."""
    case, real, simulated = one.case, one.real, one.simulated
    special = [
        f"{FUNCTIONS[case.function].workers} workers" if case.function == "two" else "",
        f"line of {case.max_size}" if case.max_size else "",
        "Gradio's defaults" if case.defaults else "",
    ]
    refused = f"{real.refused:.1%} | {simulated.refused:.1%}" if case.max_size else " | "
    return (
        f"| {', '.join([SHAPES[case.function], *filter(None, special)])} | {case.load:.0%} | "
        f"{case.rate:.1f} | {one.requests} | {real.batch:.1f} | {simulated.batch:.1f} | "
        f"{real.mean:.3f} | {simulated.mean:.3f} | {off(simulated.mean, real.mean):+.1%} | "
        f"{real.p95:.3f} | {simulated.p95:.3f} | {off(simulated.p95, real.p95):+.1%} | "
        f"{refused} |"
    )


def largest(found: list[Compared], which: str) -> str:
    """The largest differences of mean and p95."""
    rows = [(getattr(one, which), one.real) for one in found if plain(one.case)]
    mean = max((off(one.mean, real.mean) for one, real in rows), key=abs)
    p95 = max((off(one.p95, real.p95) for one, real in rows), key=abs)
    return f"{mean:+.1%} of the mean and {p95:+.1%} of p95"


def milliseconds(values: dict[int, float]) -> str:
    """By size."""
    return ", ".join(f"{1000 * one:.1f} ({size})" for size, one in values.items())


def table(overhead: Overhead, found: list[Compared]) -> str:
    """The figures as Markdown."""
    rows = [one for one in found if plain(one.case)]
    differences = [
        abs(off(getattr(one.simulated, name), getattr(one.real, name)))
        for one in rows
        for name in ("mean", "p95")
    ]
    within = sum(one <= LIMIT for one in differences)
    lines = [
        "# The simulated queue beside Gradio's",
        "",
        f"{place()} Functions sleep; visitors come at random through the queue, {WARM_UP:g} s "
        "before they count; the simulator gets the moments at which they came. Loads are shares "
        "of the capacity, b the size of a batch, times in seconds.",
        "",
        f"{within} of {len(differences)} figures of the rows without a bound, with the settings of "
        f"a rendered Space, agree within {LIMIT:.0%}. The largest differences, simulated against "
        f"real: {largest(found, 'simulated')}. Knowing nothing of Gradio's own work: "
        f"{largest(found, 'bare')}.",
        "",
        f"Gradio's own work, measured before with nothing else to do: a lone visitor waits "
        f"{1000 * overhead.lone:.1f} ms for nothing; the page's CPU time per request is "
        f"{1000 * overhead.front_end:.1f} ms; a worker is held between two batches for "
        f"{milliseconds(overhead.held)} ms, by size; a visitor's way in and out takes "
        f"{milliseconds(overhead.way)} ms. `benchmarks/simulator.py` tells how they are used.",
        "",
        "| t(b) | load | arrivals/s | requests | mean b | simulated | mean | simulated | off | "
        "p95 | simulated | off | refused | simulated |",
        f"|{14 * '---|'}",
        *map(cells, found),
    ]
    failures = sum(one.failures for one in found)
    lines += ["", f"{failures or 'No'} requests failed or were not answered in time."]
    return "\n".join(lines) + "\n"


def plot(path: Path, found: list[Compared]) -> None:
    """Real against simulated; the band is the limit."""
    with figure(path, (9, 4.2), columns=2) as axes:
        for one, name in zip(axes, ("mean", "p95")):
            for function in dict.fromkeys(row.case.function for row in found):
                rows = [row for row in found if row.case.function == function]
                real = [getattr(row.real, name) for row in rows]
                one.plot(
                    [getattr(row.simulated, name) for row in rows],
                    real,
                    "o",
                    label=f"{SHAPES[function]}, {FUNCTIONS[function].workers} worker(s)",
                )
            end = 1.1 * max(one.get_xlim()[1], one.get_ylim()[1])
            one.plot([0, end], [0, end], color="grey", linewidth=1)
            ends = [0.0, end]
            low, high = ([edge * (1 + sign * LIMIT) for edge in ends] for sign in (-1, 1))
            one.fill_between(ends, low, high, color="grey", alpha=0.15)
            one.set(xlabel=f"simulated {name}, s", ylabel=f"real {name}, s")
            one.set(xlim=(0, end), ylim=(0, end))
            one.legend(fontsize=7)


if __name__ == "__main__":
    main()
