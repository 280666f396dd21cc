"""Publishing a Space beside what else there is, against the local Hub of the tests.

In each round each publisher gets its own copy of one Space, with a `.venv` and a `.env` beside its
files as on many a laptop, and an empty Hub. It publishes the Space, publishes it again unchanged,
with one file changed, and on other hardware. Times are of the whole command.

    python benchmarks/publishing.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from compare import ROOT
from report import RESULTS, machine

from spaces_gen.render import render

sys.path.append(str(ROOT / "tests"))

from hub import Hub

BIN = Path(sys.executable).parent
# Variables that are not passed on; an installed command has its bytecode.
OTHERS = ("HF_", "PYTHONDONTWRITEBYTECODE")
VENV_FILES, VENV_BYTES = 400, 20_000  # a small one


@dataclass(frozen=True)
class Publisher:
    """A command that publishes a folder as the Space me/NAME, in the folder.

    Attributes:
        command: for the Space's name, and for other hardware where that is asked for; empty for
            what it cannot do.
        typed: on its standard input.
    """

    name: str
    shown: str
    command: Callable[[str, str | None], list[str]]
    typed: str = ""


@dataclass
class Figures:
    """What one publish did."""

    seconds: float
    requests: int
    writes: int
    commits: int
    builds: int
    restarts: int
    sent: int  # bytes
    files: dict[str, bytes]  # that are there then


PUBLISHERS = [
    Publisher(
        "ours",
        "`spaces-gen publish`",
        lambda name, hardware: [
            *(str(BIN / "spaces-gen"), "publish", ".", "--repo-id", f"me/{name}", "--no-wait"),
            *("--hardware", hardware or "cpu-basic"),
        ],
    ),
    Publisher(
        "upload",
        "`hf upload`",
        lambda name, hardware: (
            [str(BIN / "hf"), "spaces", "settings", f"me/{name}", "--hardware", hardware]
            if hardware
            else [str(BIN / "hf"), "upload", f"me/{name}", ".", ".", "--type", "space"]
        ),
    ),
    Publisher(
        "deploy",
        "`gradio deploy`",
        lambda name, hardware: (
            []
            if hardware
            else [str(BIN / "gradio"), "deploy", "--title", name, "--app-file", "app.py"]
        ),
        "\n\n\n",
    ),
]
STEPS = {
    "first": "a new Space",
    "again": "unchanged",
    "changed": "one changed file",
    "hardware": "other hardware",
}


def laptop(space: Path) -> None:
    """Put into a Space's folder what lies there on a laptop; it has no .gitignore yet."""
    (space / ".gitignore").unlink()
    (space / ".env").write_text("OPENAI_API_KEY=not-for-others\n")
    for number in range(VENV_FILES):
        file = space / ".venv" / "lib" / f"package{number}" / "__init__.py"
        file.parent.mkdir(parents=True)
        file.write_bytes(f"# {number}\n".encode() + os.urandom(VENV_BYTES // 2).hex().encode())
    (space / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")


def measured(hub: Hub, repo_id: str, action: Callable[[], None]) -> Figures:
    """What an action does to the Space."""

    def state() -> tuple[int, int, int]:
        if not hub.has_space(repo_id):
            return 0, 0, 0
        there = hub.space(repo_id)
        return len(there.commits), there.builds, there.restarts

    before, asked = state(), len(hub.requests)
    began = time.monotonic()
    action()
    seconds = time.monotonic() - began
    after, requests = state(), hub.requests[asked:]
    return Figures(
        seconds,
        len(requests),
        sum(one.write for one in requests),
        *(new - old for new, old in zip(after, before)),
        sum(len(one.body) for one in requests),
        hub.space(repo_id).files(),
    )


def run(command: list[str], typed: str, folder: Path, environment: dict[str, str]) -> None:
    """Publish; a failure ends it all."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout}\n{done.stderr}")


def steps(publisher: Publisher, folder: Path) -> dict[str, Figures]:
    """All steps of one publisher, on a Hub of its own."""
    with tempfile.TemporaryDirectory() as home, Hub() as hub:
        hub.user("me", pro=True, can_pay=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(OTHERS)},
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub.token("me"),
            "HF_HOME": home,
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        }
        repo_id = f"me/{publisher.name}"
        found = {}
        for step in STEPS:
            if step == "changed":
                model = folder / "model.py"
                model.write_text(model.read_text(encoding="utf-8") + "\n# mine\n", encoding="utf-8")
            hardware = "t4-small" if step == "hardware" else None
            command = publisher.command(publisher.name, hardware)
            if command:
                go = partial(run, command, publisher.typed, folder, environment)
                found[step] = measured(hub, repo_id, go)
                hub.space(repo_id).run()
        return found


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds: list[dict[str, dict[str, Figures]]] = []
    for number in range(options.rounds):
        order = [*PUBLISHERS[number % 3 :], *PUBLISHERS[: number % 3]]
        found = {}
        for one in order:
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary, "space")
                # `gradio deploy` takes the card's title for the Space's name
                render({"model_type": "text-classification", "title": one.name}, folder)
                laptop(folder)
                found[one.name] = steps(one, folder)
        rounds.append(found)
    text = table(rounds)
    (RESULTS / "publishing.md").write_text(text, encoding="utf-8")
    print(text)


def table(rounds: list[dict[str, dict[str, Figures]]]) -> str:
    """The figures as Markdown: times are medians, all else is of the last round."""
    lines = [
        "# Publishing",
        "",
        f"{machine(len(rounds))} A Space with a `.venv` of {VENV_FILES} files and a `.env` beside "
        "it, without a `.gitignore`, published to a local Hub on the same machine. Other "
        "hardware is beyond `gradio deploy`; for `hf upload` it is `hf spaces settings`.",
        "",
        "| | | s | requests | writes | commits | builds | restarts | kB sent | files there | "
        "`.env` there |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for step, shown in STEPS.items():
        for one in PUBLISHERS:
            if step not in rounds[-1][one.name]:
                continue
            done = rounds[-1][one.name][step]
            seconds = statistics.median(found[one.name][step].seconds for found in rounds)
            cells = (
                f"{shown} | {one.shown} | {seconds:.1f} | {done.requests} | {done.writes} | "
                f"{done.commits} | {done.builds} | {done.restarts} | {done.sent / 1000:.0f} | "
                f"{len(done.files)} | {'yes' if '.env' in done.files else 'no'}"
            )
            lines.append(f"| {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
