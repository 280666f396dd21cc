"""`spaces-gen bench` beside hf-perftest, the load tester of Gradio's makers, on one running Space.

Both speak to a rendered Space (MiniLM, sentence similarity) through Gradio's queue, one after the
other in alternating rounds, with inputs of which no two are alike. They count different things:

- `bench` lets each visitor ask again when answered, so that all of them always wait for something,
  and counts the answers inside a window of time.
- hf-perftest lets all visitors ask at once and begins again when the last one is answered. Its
  requests a second are here all its requests over the time that they took. A new client, with new
  connections, is made for each of these rounds, before the clock of its requests starts.

Both take the time from before joining the queue until `process_completed`. To tell the pattern of
the load from the client that makes it, each client also runs in the pattern of the other one.
hf-perftest's own texts are the same in every run, so that a Space answers them from its cache; they
have a row of their own. Its command starts the app by itself, with profiling, and fetches sample
files from the Hub first; here its runner gets the address of the Space.

    python benchmarks/perftest.py [--rounds 3] [--seconds 6] [--users 1 8 32]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hf_perftest.runner import compute_client_summary, run_httpx_tier
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from report import RESULTS, place

from spaces_gen.bench import Demand, Target, measure, source
from spaces_gen.embedded import minilm
from spaces_gen.load.endpoint import Endpoint, find_endpoint
from spaces_gen.load.figures import counters, mean
from spaces_gen.load.served import served
from spaces_gen.load.visitor import QueueVisitor
from spaces_gen.render import render

WARM_UP = 1.5
PATIENCE = 60.0
FEWEST_ROUNDS = 10  # as hf-perftest's default
CLIENTS = 20  # that are made to see how long one takes


@dataclass(frozen=True)
class Figures:
    """Requests, requests a second, seconds, and the Space's own mean size of a batch."""

    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    batch: float = math.nan


class Fresh(list[Any]):
    """Inputs to draw from by chance, of which each comes once: a cache knows those that return."""

    def __init__(self, inputs: Iterator[list[Any]]) -> None:
        super().__init__([next(inputs)])
        self._inputs = inputs

    def __getitem__(self, place: Any) -> Any:
        """The next one, whichever is asked for."""
        return next(self._inputs)


class Space:
    """The Space that is asked, and the inputs for it."""

    def __init__(self, target: Target) -> None:
        self.target, self.url = target, target.url
        self._values = source(target, Demand())

    @property
    def endpoint(self) -> Endpoint:
        """What is asked."""
        return self.target.endpoint

    def values(self) -> Iterator[dict[str, Any]]:
        """Endless arguments by their names; no run gets those of another one."""
        return self._values

    def rows(self) -> Iterator[list[Any]]:
        """The same as rows of Gradio's `data`."""
        for values in self._values:
            yield [values.get(one.name) for one in self.endpoint.arguments]

    async def tier(
        self, users: int, rounds: int, prompts: list[Any] | None
    ) -> list[dict[str, Any]]:
        """hf-perftest with its defaults."""
        template: list[Any] = ["hello" if one.name else None for one in self.endpoint.arguments]
        number = self.endpoint.number
        results: list[dict[str, Any]] = await run_httpx_tier(
            self.url, users, rounds, number, template, prompts=prompts
        )
        return results


def variables() -> dict[str, str]:
    """As `bench` sets them for a folder, and the model."""
    return {"MODEL_ID": str(minilm()), "HF_HUB_OFFLINE": "1", "METRICS": "1"}


@contextmanager
def space() -> Iterator[Space]:
    """Render and serve one."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "space"
        render({"model_type": "sentence-similarity"}, folder)
        with served(folder, variables()) as running:
            endpoint = find_endpoint(running.url)
            yield Space(Target("MiniLM", running.url, endpoint, None, None, 1.0))


def bench(space: Space, users: int, seconds: float, rounds: int) -> Figures:
    """`spaces-gen bench --users`."""
    demand = Demand(seconds=seconds, warm_up=WARM_UP, patience=PATIENCE)
    found = measure(space.target, "queue", True, users, demand, space.values())
    if not found.clean:
        raise SystemExit(f"not everybody was answered: {found}")
    quantiles = [one or math.nan for one in (found.p50, found.p95, found.p99)]
    return Figures(found.sent, found.throughput, *quantiles)


def perftest(space: Space, users: int, seconds: float, rounds: int) -> Figures:
    """hf-perftest, with the inputs of `bench`."""
    return timed(space.tier(users, rounds, Fresh(space.rows())))


def own_texts(space: Space, users: int, seconds: float, rounds: int) -> Figures:
    """hf-perftest, with its own inputs, not for the first time."""
    asyncio.run(space.tier(users, rounds, None))
    return timed(space.tier(users, rounds, None))


def perftest_in_loops(space: Space, users: int, seconds: float, rounds: int) -> Figures:
    """hf-perftest's client in the pattern of `bench`: one for each user."""

    async def loops() -> list[dict[str, Any]]:
        fresh = Fresh(space.rows())
        each = await asyncio.gather(*(space.tier(1, rounds, fresh) for _ in range(users)))
        return [one for results in each for one in results]

    return timed(loops())


def bench_in_bursts(space: Space, users: int, seconds: float, rounds: int) -> Figures:
    """The client of `bench`, made once, in the pattern of hf-perftest."""

    async def ask(visitor: QueueVisitor) -> dict[str, Any]:
        began = time.monotonic()
        await visitor.ask(next(space.values()))
        return {"success": True, "latency_ms": 1000 * (time.monotonic() - began)}

    async def bursts() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with httpx.AsyncClient(base_url=space.url, timeout=PATIENCE) as client:
            visitor = QueueVisitor(client, space.endpoint)
            for _ in range(rounds):
                found += await asyncio.gather(*(ask(visitor) for _ in range(users)))
        return found

    return timed(bursts())


def timed(requests: Any) -> Figures:
    """What hf-perftest makes of its requests, and how many a second there were."""
    began = time.monotonic()
    results = asyncio.run(requests)
    seconds = time.monotonic() - began
    summary = compute_client_summary(results)
    if summary["success_rate"] < 1:
        raise SystemExit(f"not everybody was answered: {summary}")
    quantiles = [summary[name] / 1000 for name in ("p50", "p95", "p99")]
    return Figures(len(results), len(results) / seconds, *quantiles)


WAYS: dict[str, Callable[[Space, int, float, int], Figures]] = {
    "spaces-gen bench": bench,
    "hf-perftest": perftest,
    "hf-perftest's client, each user in a loop": perftest_in_loops,
    "bench's client, all at once": bench_in_bursts,
    "hf-perftest, its own texts again": own_texts,
}


def compare(users: list[int], rounds: int, seconds: float) -> dict[int, dict[str, list[Figures]]]:
    """All ways, in alternating rounds."""
    found: dict[int, dict[str, list[Figures]]] = {
        count: {name: [] for name in WAYS} for count in users
    }
    with space() as running:
        bursts = {}
        for count in users:  # also warms up
            reached = bench(running, count, seconds, 0).rate
            bursts[count] = max(FEWEST_ROUNDS, round(seconds * reached / count))
        for number in range(rounds):
            names = list(WAYS)
            for name in [*names[number % len(names) :], *names[: number % len(names)]]:
                for count in users:
                    before = counters(running.url)
                    one = WAYS[name](running, count, seconds, bursts[count])
                    batch = mean("space_batch_size", before, counters(running.url))
                    one = replace(one, batch=batch or math.nan)
                    found[count][name].append(one)
                    print(f"round {number + 1}, {name}, {count}: {one}", flush=True)
    return found


def middle(runs: list[Figures], name: str) -> float:
    """The median."""
    return float(statistics.median(getattr(one, name) for one in runs))


def client_seconds() -> float:
    """How long it takes to make a client as hf-perftest makes one for each round."""

    async def made() -> float:
        began = time.monotonic()
        await httpx.AsyncClient().aclose()
        return time.monotonic() - began

    return statistics.median(asyncio.run(made()) for _ in range(CLIENTS))


def table(found: dict[int, dict[str, list[Figures]]], rounds: int, seconds: float) -> str:
    """The figures as Markdown."""
    lines = [
        "# spaces-gen bench beside hf-perftest",
        "",
        f"{place('hf-perftest', 'httpx', 'torch', 'transformers')} Medians of {rounds} alternating "
        f"rounds of {seconds:g} s (`bench`) or as many requests. One rendered Space, MiniLM, "
        "sentence similarity, through Gradio's queue; load and Space share the CPUs. No two inputs "
        "are alike, except hf-perftest's own texts.",
        "",
        "| users | | requests | mean batch | requests/s | p50 s | p95 s | p99 s | "
        "of bench: requests/s | p50 | p95 | p99 |",
        f"|{12 * '---|'}",
    ]
    names = ("rate", "p50", "p95", "p99")
    for users, by_way in found.items():
        base = [middle(by_way["spaces-gen bench"], name) for name in names]
        for way, runs in by_way.items():
            rate, *times = (middle(runs, name) for name in names)
            ratios = " | ".join(f"{one / of:.2f}" for one, of in zip((rate, *times), base))
            shown = " | ".join(f"{one:.3f}" for one in times)
            requests = f"{middle(runs, 'requests'):.0f} | {middle(runs, 'batch'):.1f}"
            lines.append(f"| {users} | {way} | {requests} | {rate:.1f} | {shown} | {ratios} |")
    return "\n".join([*lines, "", *why(found)]) + "\n"


def why(found: dict[int, dict[str, list[Figures]]]) -> list[str]:
    """Where the two differ, and what the rows in between say of it."""
    lines = [
        "`bench` counts answers inside a window while every visitor asks again at once. "
        "hf-perftest starts all users at once and begins again when the last is answered: until "
        "then ever fewer wait, and between the rounds the Space has nothing to do. It "
        f"makes a new client for each round ({1000 * client_seconds():.0f} ms with nothing else "
        "to do), outside of the time of its requests but on the CPUs that the Space needs; with "
        "each user in a loop that is one for each request, and all the others wait meanwhile. Both "
        "take the time from before joining the queue until `process_completed`.",
        "",
    ]
    for users, by_way in found.items():
        rates = [middle(runs, "rate") for runs in by_way.values()]
        p95s = [middle(runs, "p95") for runs in by_way.values()]
        lines.append(
            f"- Users {users}: hf-perftest sees {rates[1] / rates[0]:.2f} of the requests/s and "
            f"{p95s[1] / p95s[0]:.2f} of p95. In the same pattern the other client sees: in loops "
            f"{rates[2] / rates[0]:.2f} and {p95s[2] / p95s[0]:.2f} of ours, all at once "
            f"{rates[1] / rates[3]:.2f} and {p95s[1] / p95s[3]:.2f}. With the same client, ours, "
            f"all at once gives {rates[3] / rates[0]:.2f} and {p95s[3] / p95s[0]:.2f} of loops."
        )
    return lines


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--output", type=Path, default=RESULTS / "perftest.md")
    options = parser.parse_args()
    found = compare(options.users, options.rounds, options.seconds)
    text = table(found, options.rounds, options.seconds)
    options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
