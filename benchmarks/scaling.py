"""One copy of the model and two of them on Ray Serve, and what visitors notice of faults.

The model sleeps 0.6 + 0.1 x b seconds for a batch of b, at most 8: it leaves the CPUs alone, as one
on a card does, so that two copies on this machine do not compete for them. 48 visitors ask again
when answered, through Gradio's queue. The lone visitor is compared with the same Space on one
machine, `python app.py`. Then, while 12 visitors ask by the direct route, parts are killed or
replaced.

    python benchmarks/scaling.py [--rounds 3] [--seconds 15]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compare import ROOT
from report import RESULTS, place

sys.path.append(str(ROOT / "tests"))

from ray_cluster import Cluster
from ray_load import LISTENS, under_load
from redis_server import Redis
from space_process import RunningSpace

from spaces_gen.bench import Demand, Target, measure
from spaces_gen.load.endpoint import find_endpoint
from spaces_gen.render import render

MODEL = """
import time


def load():
    pass


def prepare(text):
    return text


def predict(batch):
    time.sleep(0.6 + 0.1 * len(batch))
    return [{text: 1.0} for text in batch]
"""
BATCH, USERS = 8, 48
CAPACITY = BATCH / (0.6 + 0.1 * BATCH)  # requests a second of one copy


def texts() -> Iterator[dict[str, Any]]:
    """Each another one."""
    return ({"text": f"number {number}"} for number in itertools.count())


def target(name: str, url: str) -> Target:
    """What is put under load."""
    return Target(name, url, find_endpoint(url), None, None, 60.0)


def space_in(folder: Path, name: str, model: str, model_type: str, scale: str) -> Path:
    """A Space with a model.py of its own."""
    space = folder / name
    render({"model_type": model_type, "scale": scale}, space)
    (space / "model.py").write_text(model, encoding="utf-8")
    return space


def throughput(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """With one copy and with two, and a lone visitor's latency, on Ray and without it."""
    kind = "text-classification"
    values = texts()
    busy = Demand(seconds=options.seconds, warm_up=4.0)
    settings = {"MAX_BATCH_SIZE": str(BATCH), "CACHE_EXAMPLES": "off", "METRICS": "1"}
    found: dict[str, list[float]] = {"one": [], "two": [], "lone": [], "lone on Ray": []}
    plain = space_in(folder, "plain", MODEL, kind, "one-machine")
    several = space_in(folder, "several", MODEL, kind, "ray-serve")
    with (
        RunningSpace(plain, TIER="cpu-basic", WORKERS="1", **settings) as alone,
        Cluster(several, (1, 2), WORKERS="1", **settings) as cluster,
    ):
        here, there = target("one machine", alone.url), target("Ray", cluster.url)
        for turn in range(options.rounds):
            for name, copies in (("one", 1), ("two", 2)):
                cluster.scaling |= {"min_replicas": copies, "max_replicas": copies}
                cluster.deploy()
                rate = measure(there, "queue", True, USERS, busy, values)
                assert rate.clean, rate
                found[name].append(rate.throughput)
                print(turn, name, rate.throughput, flush=True)
            for name, one in (("lone", here), ("lone on Ray", there)):
                lone = measure(one, "queue", True, 1, Demand(seconds=10, warm_up=2), values)
                assert lone.p50 is not None
                found[name].append(lone.p50)
                print(turn, name, lone.p50, flush=True)
    return found


def faults(folder: Path) -> list[dict[str, Any]]:
    """How many requests were answered, and how many not, while parts end."""
    kind = "automatic-speech-recognition"
    space = space_in(folder, "faults", LISTENS, kind, "ray-serve")
    redis = Redis(folder)
    found = []
    settings = {"MAX_BATCH_SIZE": "4", "CACHE_EXAMPLES": "off", "CACHE_URL": redis.url}
    try:
        with Cluster(space, (2, 2), **settings) as cluster:

            def redeploy() -> None:
                code = (space / "model.py").read_text(encoding="utf-8")
                code = code.replace("VERSION = 1", "VERSION = 2")
                (space / "model.py").write_text(code, encoding="utf-8")
                cluster.model["runtime_env"]["env_vars"]["VERSION"] = "2"
                cluster.deploy()

            def kill_page() -> None:
                (page,) = cluster.processes("page")
                page.kill()

            for what, happen in (
                ("nothing", lambda: None),
                ("a copy of the model is killed", lambda: cluster.processes("model")[0].kill()),
                ("another model.py is deployed", redeploy),
                ("Redis is killed", redis.process.kill),
                ("the page is killed", kill_page),
            ):
                visitors = under_load(cluster.url)
                visitors.start()
                time.sleep(5)
                began = time.monotonic()
                happen()
                time.sleep(max(0.0, 20 - (time.monotonic() - began)))
                outcomes = visitors.end()
                found.append({"what": what, "outcomes": dict(outcomes)})
                print(found[-1], flush=True)
    finally:
        redis.process.kill()
        redis.process.wait()
    return found


def table(rates: dict[str, list[float]], seen: list[dict[str, Any]], rounds: int) -> str:
    """All of it as Markdown."""
    middle = {name: statistics.median(found) for name, found in rates.items()}
    lines = [
        "# Scaling out",
        "",
        f"{place('ray')} Medians of {rounds} alternating rounds. The model sleeps 0.6 + 0.1 x b "
        f"seconds for a batch of b, at most {BATCH}: one copy can answer {CAPACITY:.2f} requests a "
        f"second. {USERS} visitors through Gradio's queue.",
        "",
        "| copies of the model | requests/s | of what they can |",
        "|---|---|---|",
        f"| 1 | {middle['one']:.2f} | {middle['one'] / CAPACITY:.2f} |",
        f"| 2 | {middle['two']:.2f} | {middle['two'] / CAPACITY / 2:.2f} |",
        "",
        f"Two give {middle['two'] / middle['one']:.2f} times the throughput of one.",
        "",
        f"A lone visitor waits {middle['lone']:.3f} s on one machine and "
        f"{middle['lone on Ray']:.3f} s on Ray, {middle['lone on Ray'] / middle['lone']:.3f} times "
        "as long (p50).",
        "",
        "Under the load of 12 visitors by the direct route, for 25 s each, with two copies:",
        "",
        "| what happens | answered | failed |",
        "|---|---|---|",
    ]
    for one in seen:
        good = sum(n for how, n in one["outcomes"].items() if how.startswith("model "))
        bad = {how: n for how, n in one["outcomes"].items() if not how.startswith("model ")}
        said = ", ".join(f"{n} x {how[:80]}" for how, n in bad.items()) or "0"
        lines.append(f"| {one['what']} | {good} | {said} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rates = throughput(folder, options)
        seen = faults(folder)
    (RESULTS / "scaling.json").write_text(
        json.dumps({"rates": rates, "faults": seen}, indent=2) + "\n", encoding="utf-8"
    )
    text = table(rates, seen, options.rounds)
    (RESULTS / "scaling.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
