"""Hostile input for every component of every model type: what is answered, what is refused.

    python benchmarks/fuzz.py [TYPE ...] [--mutants 200]

The inputs are those of tests/hostile_values.py and tests/hostile_files.py, by Gradio's queue and by
the direct route, then good requests with something changed at random, the same each time. The
models are the tiny ones of the tests. Exits with 1 where anything is not as it should be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from compare import ROOT
from report import RESULTS, place

from spaces_gen.render import render

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


def attack(model_type: str, mutants: int) -> tuple[str, list[int], list[str]]:
    """A row of the table, its counts, and the defects of one type."""
    import tiny_models
    from cases import case
    from hostile_requests import attacked
    from hostile_visit import CANARY
    from space_process import RunningSpace

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
    seconds, _ = found.slowest
    counts = [found.tried, found.answered, found.refused, len(found.defects)]
    row = [model_type, *map(str, counts), f"{seconds:.1f}"]
    return (
        f"| {' | '.join([*row, ', '.join(map(str, found.grown.values()))])} |",
        counts,
        found.defects,
    )


def main() -> None:
    """Send everything, print, and write the table to results/."""
    from cases import CASES

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("types", nargs="*", default=list(CASES), metavar="TYPE")
    parser.add_argument("--mutants", type=int, default=200)
    options = parser.parse_args()
    rows, all_counts, defects = [], [], []
    for name in options.types:
        row, counts, found = attack(name, options.mutants)
        print(row, *found, sep="\n", flush=True)
        rows.append(row)
        all_counts.append(counts)
        defects += [f"{name}: {one}" for one in found]
        sums = " | ".join(str(sum(column)) for column in zip(*all_counts))
        measured = place("torch", "transformers")
        text = "\n".join([TITLE, "", f"{measured} {ABOUT}", "", HEAD, *rows])
        text += f"\n| **all** | {sums} | | |\n"
        (RESULTS / "fuzz.md").write_text(text, encoding="utf-8")
    sys.exit(bool(defects))


if __name__ == "__main__":
    main()
