"""Publishing a Space beside what else there is, against the local Hub of the tests.

Each publisher gets its own copy of one Space, with a `.venv` and a `.env` beside the files as on
many a laptop, publishes it, and publishes it again unchanged. Times are of the whole command.

    python benchmarks/publishing.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compare import ROOT
from report import RESULTS, machine

from spaces_gen.render import render

sys.path.append(str(ROOT / "tests"))

from hub import Hub

BIN = Path(sys.executable).parent
VENV_FILES, VENV_BYTES = 400, 20_000  # a small one


@dataclass(frozen=True)
class Publisher:
    """A command that publishes a folder as the Space me/NAME."""

    name: str
    shown: str
    command: Callable[[Path, str], list[str]]
    typed: str = ""  # on its standard input


@dataclass
class Figures:
    """What one publish did."""

    seconds: list[float] = field(default_factory=list)
    requests: int = 0
    writes: int = 0
    commits: int = 0
    builds: int = 0
    restarts: int = 0
    sent: int = 0  # bytes


PUBLISHERS = [
    Publisher(
        "ours",
        "`spaces-gen publish`",
        lambda folder, name: [
            *(str(BIN / "spaces-gen"), "publish", str(folder), "--repo-id", name),
            *("--hardware", "cpu-basic", "--no-wait"),
        ],
    ),
    Publisher(
        "upload",
        "`hf upload`",
        lambda folder, name: [str(BIN / "hf"), "upload", name, str(folder), ".", "--type", "space"],
    ),
    Publisher(
        "deploy",
        "`gradio deploy`",
        lambda folder, name: [
            *(str(BIN / "gradio"), "deploy", "--title", name.split("/")[1]),
            *("--app-file", "app.py"),
        ],
        "\n\n\n",
    ),
]


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
        [seconds],
        len(requests),
        sum(one.write for one in requests),
        *(new - old for new, old in zip(after, before)),
        sum(len(one.body) for one in requests),
    )


def run(publisher: Publisher, hub: Hub, folder: Path, repo_id: str, environment: Any) -> None:
    """Publish; a failure ends it all."""
    done = subprocess.run(
        publisher.command(folder, repo_id),
        cwd=folder,
        env=environment,
        input=publisher.typed,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{publisher.shown} failed:\n{done.stdout}\n{done.stderr}")


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    first: dict[str, Figures] = {}
    again: dict[str, Figures] = {}
    files: dict[str, dict[str, bytes]] = {}
    with tempfile.TemporaryDirectory() as temporary, Hub() as hub:
        hub.user("me", pro=True, can_pay=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub.token("me"),
            "HF_HOME": str(Path(temporary, "home")),
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        }
        original = Path(temporary, "original")
        # `gradio deploy` takes the card's title for the Space's name
        render({"model_type": "text-classification", "title": "deploy"}, original)
        laptop(original)
        for one in PUBLISHERS:
            folder = Path(temporary, one.name)
            shutil.copytree(original, folder)
            repo_id = f"me/{one.name}"
            go = lambda one=one, folder=folder, repo_id=repo_id: run(  # noqa: E731
                one, hub, folder, repo_id, environment
            )
            first[one.name] = measured(hub, repo_id, go)
            files[one.name] = hub.space(repo_id).files()
            for number in range(options.rounds):
                done = measured(hub, repo_id, go)
                if number:
                    done.seconds += again[one.name].seconds
                again[one.name] = done
    text = table(options.rounds, first, again, files)
    (RESULTS / "publishing.md").write_text(text, encoding="utf-8")
    print(text)


def table(
    rounds: int,
    first: dict[str, Figures],
    again: dict[str, Figures],
    files: dict[str, dict[str, bytes]],
) -> str:
    """The figures as Markdown."""
    lines = [
        "# Publishing",
        "",
        f"{machine(rounds)} A Space with a `.venv` of {VENV_FILES} files and a `.env` beside it, "
        "without a `.gitignore`, published to a local Hub and then again, unchanged.",
        "",
        "| | | s | requests | writes | commits | builds | restarts | kB sent | files there | "
        "`.env` there |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for when, figures in (("first", first), ("again", again)):
        for one in PUBLISHERS:
            done = figures[one.name]
            there = files[one.name]
            cells = (
                f"{when} | {one.shown} | {statistics.median(done.seconds):.1f} | {done.requests} | "
                f"{done.writes} | {done.commits} | {done.builds} | {done.restarts} | "
                f"{done.sent / 1000:.0f} | {len(there)} | {'yes' if '.env' in there else 'no'}"
            )
            lines.append(f"| {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
