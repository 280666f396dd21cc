"""The rendered Space beside plain Gradio, on one machine, in one run.

MiniLM with mixed lengths from a real text, 1 and 32 visitors through Gradio's queue; rounds
alternate, medians count. Also: the time until each answers its first request, and the time of
`copier copy` and `spaces-gen new`.

    python benchmarks/queue_throughput.py [--rounds 5] [--seconds 15]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gradio_load import Result, drive

from spaces_gen.embedded import minilm
from spaces_gen.render import render

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))

from space_process import RunningSpace  # noqa: E402  # the tests' own way to run a Space

RESULTS = ROOT / "benchmarks" / "results"
USERS = (1, 32)


def pairs() -> Iterator[list[Any]]:
    """Endless pairs of texts of 4 to 120 words, mean about 20, from the licence of this project."""
    words = (ROOT / "LICENSE").read_text(encoding="utf-8").split()
    chance = random.Random(7)

    def text() -> str:
        length = min(120, max(4, round(chance.lognormvariate(2.6, 0.8))))
        start = chance.randrange(len(words) - length)
        return " ".join(words[start : start + length])

    while True:
        yield [text(), text()]


def measure(folder: Path, rounds: int, seconds: float) -> dict[str, dict[int, list[Result]]]:
    """Alternate between the two apps and the numbers of visitors."""
    results: dict[str, dict[int, list[Result]]] = {
        name: {users: [] for users in USERS} for name in ("plain", "space")
    }
    for number, name in itertools.product(range(rounds), results):
        with RunningSpace(folder / name, MODEL_ID=str(minilm())) as space:
            for users in USERS:
                result = asyncio.run(drive(space.url, pairs(), users, 3, seconds))
                results[name][users].append(result)
                print(f"round {number + 1}, {name}, {users} visitors: {result.rate:.1f} per second")
    return results


def first_answer(folder: Path) -> float:
    """Seconds from the start of the process to its first answered request."""
    began = time.monotonic()
    with RunningSpace(folder, MODEL_ID=str(minilm())) as space:
        result = asyncio.run(drive(space.url, pairs(), 1, 0, 0.5))
        assert not result.errors
        return time.monotonic() - began - 0.5


def timed(command: list[str], folder: Path) -> float:
    """Seconds of a command that makes `folder`."""
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    took = time.monotonic() - began
    shutil.rmtree(folder)
    return took


def generator_times(folder: Path, rounds: int) -> tuple[float, float]:
    """Medians of `copier copy` and `spaces-gen new`, alternating."""
    source, target = folder / "template", folder / "made"
    leave_out = shutil.ignore_patterns("__pycache__")
    for name in ("template", "generator"):
        shutil.copytree(ROOT / name, source / name, ignore=leave_out)
    shutil.copy(ROOT / "copier.yml", source)
    python = [sys.executable, "-m"]
    copy = [
        *python,
        "copier",
        "copy",
        "--defaults",
        "--quiet",
        str(source),
        str(target),
    ]
    new = [*python, "spaces_gen", "new", str(target), "--defaults"]
    times = [(timed(copy, target), timed(new, target)) for _ in range(rounds)]
    return statistics.median(one for one, _ in times), statistics.median(two for _, two in times)


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        render({"model_type": "sentence-similarity"}, folder / "space")
        (folder / "plain").mkdir()
        shutil.copy(ROOT / "benchmarks" / "plain_app.py", folder / "plain" / "app.py")
        results = measure(folder, options.rounds, options.seconds)
        starts = [
            (first_answer(folder / "plain"), first_answer(folder / "space"))
            for _ in range(options.rounds)
        ]
        copy, new = generator_times(folder, options.rounds)
    lines = [
        "# The rendered Space beside plain Gradio",
        "",
        f"Measured {date.today()} on {os.cpu_count()} CPUs ({platform.machine()}), Python "
        f"{platform.python_version()}, Gradio {version('gradio')}, torch {version('torch')}, "
        f"transformers {version('transformers')}. Medians of {options.rounds} alternating rounds "
        f"of {options.seconds:g} s; visitors and server share the CPUs.",
        "",
        "| visitors | | requests/s | p50 s | p95 s | errors |",
        "|---|---|---|---|---|---|",
    ]
    for users in USERS:
        rates = {}
        for name in ("plain", "space"):
            runs = results[name][users]
            rates[name] = statistics.median(run.rate for run in runs)
            p50 = statistics.median(run.quantile(50) for run in runs)
            p95 = statistics.median(run.quantile(95) for run in runs)
            errors = sum(run.errors for run in runs)
            row = f"{users} | {name} | {rates[name]:.1f} | {p50:.3f} | {p95:.3f} | {errors}"
            lines.append(f"| {row} |")
        lines.append(f"| {users} | ratio | {rates['space'] / rates['plain']:.2f} | | | |")
    plain, space = (statistics.median(times) for times in zip(*starts))
    lines += [
        "",
        f"First answer after the start: plain {plain:.1f} s, Space {space:.1f} s "
        f"(ratio {space / plain:.2f}).",
        "",
        f"`copier copy` {copy:.2f} s, `spaces-gen new` {new:.2f} s (ratio {new / copy:.2f}).",
    ]
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    (RESULTS / "queue_throughput.md").write_text(text, encoding="utf-8")
    raw = {
        name: {users: [run.rate for run in runs] for users, runs in by_users.items()}
        for name, by_users in results.items()
    }
    (RESULTS / "queue_throughput.json").write_text(json.dumps(raw, indent=2) + "\n")
    print(text)


if __name__ == "__main__":
    main()
