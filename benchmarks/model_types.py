"""Every model type: whether a batch equals its singles, what it gains, and how soon it starts.

    python benchmarks/model_types.py [TYPE ...] [--inputs 16] [--starts 3]

The models are the tiny ones of the tests, whose time is mostly overhead; all inputs go through the
model in one call, also texts of very different lengths, which a Space would not put together.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from compare import ROOT
from report import RESULTS, place

from spaces_gen.render import render
from spaces_gen.tables import load_model_types

ROUNDS = 5


def measured(model_type: str, inputs: int, count: int) -> dict[str, Any]:
    """The figures of one type; seconds, the start is the median of `count`."""
    import tiny_models
    from space_process import RunningSpace
    from test_batch_equals_single import BATCHED, compared

    model = tiny_models.build(model_type, ROOT / ".cache" / "tiny-models")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        space = folder / "space"
        render({"model_type": model_type}, space)
        found = {}
        if model_type in BATCHED:
            found = compared(space, model_type, model, folder, inputs, ROUNDS)
        starts = []
        for _ in range(count):
            began = time.monotonic()
            with RunningSpace(space, MODEL_ID=str(model), CACHE_EXAMPLES="off"):
                starts.append(time.monotonic() - began)
    return {"model_type": model_type, "start": statistics.median(starts), **found}


def table(rows: list[dict[str, Any]], inputs: int, starts: int) -> str:
    """The figures as Markdown."""
    types = load_model_types()
    lines = [
        "# Every model type",
        "",
        f"{place('torch', 'transformers')} Tiny models, float32; {inputs} different inputs, "
        "in three orders, one thread of PyTorch. Difference: the largest between an answer in "
        "a batch and the same alone; spread: the median between the answers to different "
        "inputs, inf where words or labels differ. Gain: requests a second in one call for "
        "all, texts of 1 to 60 words among them, over one by one; a Space packs texts of "
        "similar length, which gains more. The models are so small that most of their time is "
        "overhead. "
        f"Start: from `python app.py` to the page, median of {starts}.",
        "",
        "| model type | difference | spread | largest batch | gain | start (s) |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "difference" in row:
            gain = row["alone"] / row["together"]
            figures = (
                f"{row['difference']:.0e} | {row['spread']:.2g} | {row['largest_batch']} | "
                f"{gain:.1f}"
            )
        else:
            how = types[row["model_type"]].batches_by
            note = "streams share a pass" if how == "streams" else "one request at a time"
            figures = f"{note} | | | "
        lines.append(f"| {row['model_type']} | {figures} | {row['start']:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("types", nargs="*", default=list(load_model_types()), metavar="TYPE")
    parser.add_argument("--inputs", type=int, default=16)
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for name in options.types:
        rows.append(measured(name, options.inputs, options.starts))
        print(json.dumps(rows[-1]), flush=True)
        text = table(rows, options.inputs, options.starts)
        (RESULTS / "model_types.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
