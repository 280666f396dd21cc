"""How long the tool itself takes, beside bare Python and plain Copier.

The wheel of this checkout is built and installed into a folder of its own, as people have it; a
repository with the same template is there for Copier. Each round runs every command once, in turn.

    python benchmarks/tool.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from compare import ROOT
from report import RESULTS, place

BIN = Path(sys.executable).parent
VERSION = "1.0.0"  # a released one, whose template comes with the package
GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
OTHER = "hardware=t4-small"


@dataclass(frozen=True)
class Took:
    """Seconds of one command: on the clock, and of the processor with all child processes."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Target:
    """A bound of one command by another one.

    Attributes:
        factor, plus: at most so many times the other one, and so many seconds.
    """

    command: str
    other: str
    factor: float
    plus: float = 0.0

    @property
    def words(self) -> str:
        """The bound in words."""
        plus = f" + {1000 * self.plus:.0f} ms" if self.plus else ""
        return f"{self.factor:.2f} × {self.other}{plus}"


PASS, HELP = "`python -c pass`", "`spaces-gen --help`"
COPY, NEW = "`copier copy`", "`spaces-gen new --defaults`"
UPDATE, UPGRADE = "`copier update`", "`spaces-gen upgrade`"
TARGETS = [
    Target(HELP, PASS, 1.5, 0.06),
    Target(NEW, COPY, 1.0),
    Target(UPGRADE, UPDATE, 1 / 3),
]


def timed(command: list[str], environment: Mapping[str, str], cwd: Path) -> Took:
    """Run a command without a terminal; a failure ends it all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout}\n{done.stderr}")
    return Took(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def quiet(command: list[str | Path], cwd: Path) -> None:
    """Run what is not measured."""
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


def install(folder: Path) -> Path:
    """Build the wheel of this checkout as a released version, and install it without the rest."""
    source, wheels, site = folder / "source", folder / "wheels", folder / "site"
    leave_out = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in ("generator", "template", "hooks"):
        shutil.copytree(ROOT / name, source / name, ignore=leave_out)
    for name in ("pyproject.toml", "copier.yml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    init = source / "generator" / "spaces_gen" / "__init__.py"
    text = init.read_text(encoding="utf-8")
    lines = [
        f'__version__ = "{VERSION}"' if line.startswith("__version__") else line
        for line in text.splitlines()
    ]
    init.write_text("\n".join(lines) + "\n", encoding="utf-8")
    python: list[str | Path] = [sys.executable, "-m"]
    quiet([*python, "build", "--wheel", "--no-isolation", "--outdir", wheels], source)
    (wheel,) = wheels.glob("*.whl")
    quiet([*python, "pip", "install", "--no-deps", "--target", site, wheel], folder)
    return site


def template(folder: Path) -> Path:
    """The template as plain files."""
    plain = folder / "template"
    leave_out = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in ("template", "generator/spaces_gen/tables"):
        shutil.copytree(ROOT / name, plain / name, ignore=leave_out)
    shutil.copy(ROOT / "copier.yml", plain)
    return plain


def repository(plain: Path, folder: Path) -> Path:
    """The same as a repository with one version."""
    repository = folder / "repository"
    shutil.copytree(plain, repository)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "1"], ["tag", f"v{VERSION}"]):
        quiet([*GIT, *command], repository)
    return repository


def measures(folder: Path) -> dict[str, Callable[[], Took]]:
    """What is measured, by name."""
    site, plain = install(folder), template(folder)
    source = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["source"]["default"]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HF_", "GIT_"))},
        "PYTHONPATH": str(site),
        "HF_HUB_OFFLINE": "1",
        "COPIER_CACHE_DIR": str(folder / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository(plain, folder)}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"{source}.git",
    }
    ours, copier = str(site / "bin" / "spaces-gen"), str(BIN / "copier")
    made, space = folder / "made", folder / "space"

    def run(*command: str, cwd: Path = folder) -> Took:
        return timed(list(command), environment, cwd)

    def makes(*command: str) -> Took:
        took = run(*command, str(made))
        assert (made / "app.py").is_file()
        shutil.rmtree(made)
        return took

    def changes(*command: str) -> Took:
        took = run(*command, cwd=space)
        assert 'TIER = "t4-small"' in (space / "tuning.py").read_text(encoding="utf-8")
        quiet([*GIT, "checkout", "-q", "--", "."], space)
        return took

    run(ours, "new", str(space), "--defaults")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "mine"]):
        quiet([*GIT, *command], space)
    copy = (copier, "copy", "--defaults", "--quiet", str(plain))
    update = (copier, "update", "--defaults", "--quiet", "--vcs-ref=:current:", "--data", OTHER)
    return {
        PASS: lambda: run(sys.executable, "-c", "pass"),
        HELP: lambda: run(ours, "--help"),
        "`spaces-gen new --help`": lambda: run(ours, "new", "--help"),
        "`spaces-gen tiers`": lambda: run(ours, "tiers"),
        COPY: lambda: makes(*copy),
        NEW: lambda: makes(ours, "new", "--defaults"),
        UPDATE: lambda: changes(*update),
        UPGRADE: lambda: changes(ours, "upgrade", ".", "--data", OTHER),
    }


def report(times: Mapping[str, list[Took]], rounds: int) -> str:
    """The figures as Markdown."""
    wall = {name: statistics.median(one.wall for one in took) for name, took in times.items()}
    cpu = {name: statistics.median(one.cpu for one in took) for name, took in times.items()}
    lines = [
        "# The tool itself",
        "",
        f"{place('copier', 'typer', 'rich')} Medians of {rounds} alternating rounds, each command "
        "a process of its own; CPU with all child processes.",
        "",
        "| command | seconds | CPU seconds |",
        "|---|---|---|",
        *(f"| {name} | {wall[name]:.3f} | {cpu[name]:.3f} |" for name in times),
        "",
        "| command | at most | that is, s | took, s | ratio | ratio of CPU | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in TARGETS:
        most = one.factor * wall[one.other] + one.plus
        met = "yes" if wall[one.command] <= most else "no"
        ratio, of_cpu = wall[one.command] / wall[one.other], cpu[one.command] / cpu[one.other]
        lines.append(
            f"| {one.command} | {one.words} | {most:.3f} | {wall[one.command]:.3f} | {ratio:.2f} "
            f"| {of_cpu:.2f} | {met} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write the tables to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = measures(Path(folder).resolve())
        times: dict[str, list[Took]] = {name: [] for name in commands}
        for number in range(options.rounds + 1):
            for name, measure in commands.items():
                took = measure()
                if number:  # the first round fills the caches of the disk
                    times[name].append(took)
    found = {name: [vars(one) for one in took] for name, took in times.items()}
    data = {"place": place("copier", "typer", "rich"), "rounds": options.rounds, "seconds": found}
    (RESULTS / "tool.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    text = report(times, options.rounds)
    (RESULTS / "tool.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
