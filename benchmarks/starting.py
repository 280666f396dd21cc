"""How long it takes until something answers, and until something is rendered.

The time from the start of the process to the first answered request, plain Gradio beside the Space
with the same model; and `copier copy` beside `spaces-gen new`.

    python benchmarks/starting.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compare import HERE, ROOT, WORKLOADS, Server
from load import Visitor, learn
from report import RESULTS, machine

from spaces_gen.render import render


def first_answer(name: str, space: Path, folder: Path) -> float:
    """Seconds from the start of the process to its first answered request."""
    began = time.monotonic()
    server = Server(name, space, WORKLOADS["embedding"], folder)
    try:
        learn(server.url)
        asyncio.run(Visitor(server.url, "text", "queue").ask("A wonderful film."))
        return time.monotonic() - began
    finally:
        server.stop()


def timed(command: list[str], folder: Path) -> float:
    """Seconds of a command that makes `folder`."""
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    took = time.monotonic() - began
    shutil.rmtree(folder)
    return took


def rendering(folder: Path) -> dict[str, Callable[[], float]]:
    """`copier copy` of a copy without the repository's history, and `spaces-gen new`."""
    source, target = folder / "template", folder / "made"
    leave_out = shutil.ignore_patterns("__pycache__")
    for name in ("template", "generator"):
        shutil.copytree(ROOT / name, source / name, ignore=leave_out)
    shutil.copy(ROOT / "copier.yml", source)
    python = [sys.executable, "-m"]
    copy = [*python, "copier", "copy", "--defaults", "--quiet", str(source), str(target)]
    new = [*python, "spaces_gen", "new", str(target), "--defaults"]
    return {
        "`copier copy`": lambda: timed(copy, target),
        "`spaces-gen new`": lambda: timed(new, target),
    }


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        space = folder / "space"
        render({"model_type": "sentence-similarity"}, space)
        shutil.rmtree(space / "examples")
        for file in (HERE / "embedding").glob("*.py"):
            shutil.copy(file, space)
        measured: dict[str, Callable[[], Any]] = {
            "plain Gradio, first answer": lambda: first_answer("plain_gradio", space, folder),
            "our Space, first answer": lambda: first_answer("space", space, folder),
            **rendering(folder),
        }
        times: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(options.rounds):
            for name, measure in measured.items():
                times[name].append(measure())
    lines = ["# Starting", "", machine(options.rounds), "", "| what | seconds |", "|---|---|"]
    lines += [f"| {name} | {statistics.median(found):.2f} |" for name, found in times.items()]
    text = "\n".join(lines) + "\n"
    (RESULTS / "starting.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
