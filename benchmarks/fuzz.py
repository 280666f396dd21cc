"""Hostile input for every component of every model type: what is answered, what is refused.

    python benchmarks/fuzz.py [TYPE ...] [--mutants 200]

The inputs are those of tests/hostile_values.py and tests/hostile_files.py, by Gradio's queue and by
the direct route, then good requests with something changed at random, the same each time. The
models are the tiny ones of the tests. Types that are not named keep their rows in the table. Exits
with 1 where anything is not as it should be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from compare import ROOT  # it makes the modules of the tests known
from report import RESULTS, place

from spaces_gen.render import render

import tiny_models  # isort: skip
from cases import CASES, case  # isort: skip
from hostile_requests import attacked  # isort: skip
from hostile_visit import CANARY  # isort: skip
from space_process import RunningSpace  # isort: skip

COLUMNS = 6  # beside the name
TITLE = "# Hostile input"
ABOUT = """Broken, lying, enormous and forged input for each component of each model type, then good
requests with something changed at random (seeded). Two to four processes are watched: none may end,
and a good request in between must get the very same answer. A defect is an answer that is no clear
sentence, tells a path, a secret or an exception, reads a file that was not uploaded, asks another
server, or takes longer than 30 s. Grown: the most memory above that at the start, of the page and
of the model's process. Texts of gigabytes, recordings in other formats than WAV (no ffmpeg here)
and GPUs are not among it."""
HEAD = """| model type | tried | answered | refused | defects | slowest (s) | grown (MB) |
|---|---|---|---|---|---|---|"""


def attack(model_type: str, mutants: int) -> tuple[list[str], list[str]]:
    """The figures of one type, as in the table, and the defects."""
    model = tiny_models.build(model_type, ROOT / ".cache" / "tiny-models")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "space"
        render({"model_type": model_type}, folder)
        one = case(model_type, model, Path(temporary) / "inputs")
        settings = {"MODEL_ID": str(model), "DTYPE": "float32", "CACHE_EXAMPLES": "off"}
        with RunningSpace(folder, **settings, SECRET_OF_THE_OWNER=CANARY) as space:
            found = attacked(space, one, mutants=mutants)
        if "Traceback" in space.log:
            found.defects.append("a traceback in the log")
    counts = [found.tried, found.answered, found.refused, len(found.defects)]
    grown = ", ".join(map(str, found.grown.values()))
    return [*map(str, counts), f"{found.slowest[0]:.1f}", grown], found.defects


def main() -> None:
    """Send everything, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("types", nargs="*", default=list(CASES), metavar="TYPE")
    parser.add_argument("--mutants", type=int, default=200)
    options = parser.parse_args()
    rows, failed = known(), False
    for name in options.types:
        rows[name], defects = attack(name, options.mutants)
        print(f"{name}: {' | '.join(rows[name])}", *defects, sep="\n", flush=True)
        failed = failed or bool(defects)
        (RESULTS / "fuzz.md").write_text(table(rows), encoding="utf-8")
    sys.exit(failed)


def known() -> dict[str, list[str]]:
    """The rows of the table as it is, which those of the types of this run replace."""
    path = RESULTS / "fuzz.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    cells = [[one.strip() for one in line.strip("|").split("|")] for line in lines]
    return {name: row for name, *row in cells if name in CASES and len(row) == COLUMNS}


def table(rows: dict[str, list[str]]) -> str:
    """All of it as Markdown."""
    lines = [f"| {' | '.join([name, *rows[name]])} |" for name in CASES if name in rows]
    sums = [str(sum(int(row[place]) for row in rows.values())) for place in range(4)]
    lines.append(f"| **all** | {' | '.join(sums)} | | |")
    about = f"{place('torch', 'transformers')} {ABOUT}"
    return "\n".join([TITLE, "", about, "", HEAD, *lines]) + "\n"


if __name__ == "__main__":
    main()
