"""Whether a Space lasts: many visitors for minutes, ten times too many, and one who takes all.

    python benchmarks/soak.py [--parts soak overload fairness fairness-similarity] [--minutes 10]
                              [--users 200] [--space similarity|digits] [--plain]

Each part is written to results/soak.json as it ends, and soak.md is made anew from all that is
there; so parts may be measured one after the other.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from report import RESULTS
from soaking import fairness, overload
from soaking.crowd import Habits
from soaking.endurance import soak
from soaking.show import page
from soaking.sites import questions, site, sleeping

PARTS = ("soak", "overload", "fairness", "fairness-similarity")
SLEEPING_THINK, MINILM_THINK = 5.0, 2.0  # seconds: half of what the Space can do
SPACES = {"similarity": "sentence-similarity", "digits": "image-classification"}
JSON, MARKDOWN = RESULTS / "soak.json", RESULTS / "soak.md"


def endurance(options: argparse.Namespace, folder: Path, plain: bool) -> dict[str, Any]:
    """The soak of the chosen Space."""
    seconds = 60 * options.minutes
    habits = Habits(think=options.think)
    # the time between questions is at least what visitors think, but for the rushes
    most = int(options.users * (seconds / options.think * 1.2 + seconds / habits.rush + 3)) + 200
    asked = questions(options.space, folder, most)
    place = site(folder, SPACES[options.space], plain)
    return soak(place, asked, options.users, seconds, habits)


def too_many(options: argparse.Namespace, folder: Path, plain: bool) -> dict[str, Any]:
    """Ten times what the Space can do, for a minute."""
    seconds = min(60.0, 60 * options.minutes)
    settings = {"MAX_BATCH_SIZE": str(overload.BATCH), "MAX_SIZE": str(overload.MAX_SIZE)}
    return overload.overload(sleeping(folder, plain, **settings), seconds, seconds)


def robot(options: argparse.Namespace, folder: Path, plain: bool, sleeps: bool) -> dict[str, Any]:
    """People and a robot, on the Space whose model sleeps, or on MiniLM."""
    seconds = min(20.0, 60 * options.minutes)
    batches = folder / "batches"
    if sleeps:
        place, asked = sleeping(folder, plain, BATCHES=str(batches)), questions("", folder, 0)
    else:
        place = site(folder, SPACES["similarity"], plain)
        asked = questions("similarity", folder, 0)
    think = SLEEPING_THINK if sleeps else MINILM_THINK
    return fairness.fairness(place, asked, options.rounds, seconds, think, batches)


def keep(name: str, found: dict[str, Any]) -> None:
    """Write one part down, beside those that are there."""
    kept = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {}
    found["measured"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    kept[name] = found
    text = json.dumps(kept, separators=(",", ":"))
    JSON.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")
    MARKDOWN.write_text(page(kept), encoding="utf-8")
    print(name, "is written down", flush=True)


def main() -> None:
    """Measure, and write to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--think", type=float, default=15.0, help="seconds between questions")
    parser.add_argument("--rounds", type=int, default=2, help="of fairness")
    parser.add_argument("--space", choices=SPACES, default="similarity")
    parser.add_argument("--plain", action="store_true", help="Gradio's defaults in its place")
    options = parser.parse_args()
    plain = options.plain
    todo: dict[str, Callable[[Path], dict[str, Any]]] = {}
    if "soak" in options.parts:
        todo[f"soak {options.space}"] = lambda folder: endurance(options, folder, plain)
    if "overload" in options.parts:
        todo["overload"] = lambda folder: too_many(options, folder, plain)
    if "fairness" in options.parts:
        todo["fairness sleeping"] = lambda folder: robot(options, folder, plain, sleeps=True)
    if "fairness-similarity" in options.parts:
        todo["fairness similarity"] = lambda folder: robot(options, folder, plain, sleeps=False)
    for name, work in todo.items():
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            keep(f"plain {name}" if plain else name, work(Path(folder)))


if __name__ == "__main__":
    main()
