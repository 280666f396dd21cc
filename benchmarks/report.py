"""Writes down what the benchmarks measured, as a table and a plot in results/."""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from load import MAX_NEW_TOKENS

RESULTS = Path(__file__).parent / "results"


def place(*packages: str) -> str:
    """Where, when and with what it was measured."""
    used = ", ".join(f"{name} {version(name)}" for name in packages)
    cards = gpus() if "torch" in packages else ""
    return (
        f"Measured {date.today()} on {cards}{os.cpu_count()} CPUs ({platform.machine()}), Python "
        f"{platform.python_version()}, Gradio {version('gradio')}{used and ', '}{used}."
    )


def gpus() -> str:
    """The cards, if there are any."""
    import torch

    count = torch.cuda.device_count()
    return f"{count} x {torch.cuda.get_device_name()}, " if count else ""


def machine(rounds: int) -> str:
    """Where, when and with what alternating rounds were measured."""
    return f"{place('torch', 'transformers')} Medians of {rounds} alternating rounds."


def table(name: str, unit: str, options: argparse.Namespace, found: Any) -> str:
    """The measured figures as Markdown."""
    middle = statistics.median
    bound = middle(one["all"] for one in found["bounds"])
    bounds = {
        users: middle(one["at_hand"][str(users)] for one in found["bounds"])
        for users in options.users
    }
    rates = {
        letter: {users: middle(run.rate for run in runs) for users, runs in by_users.items()}
        for letter, by_users in found["results"].items()
    }
    alone, paused = (
        [1000 * one[name] for one in found["bounds"] if name in one] for name in ("alone", "paused")
    )
    known = ", ".join(f"{rate:.1f} with {users}" for users, rate in bounds.items())
    lines = [
        f"# Serving: {name}",
        "",
        f"{machine(options.rounds)} Each round lasts {options.seconds:g} s; visitors and servers "
        "share the CPUs. Nothing is cached."
        + (f" An answer has at most {MAX_NEW_TOKENS} tokens." if unit == "tokens/s" else ""),
        "",
        f"Two bounds, {unit} of the same model in a loop without a server or visitors: (g) on the "
        f"best batches of many requests that are all known in advance, {bound:.1f}; (h) with as "
        f"many at hand as there are users, which is what a server can know: {known}."
        + (
            f" One direct call takes {middle(alone):.1f} ms in a loop, {middle(paused):.1f} ms "
            "with pauses of 4 ms between the calls."
            if alone
            else ""
        ),
        "",
        "`Interface.from_pipeline` is missing: it fails with transformers 5.",
        "",
        f"| users | | {unit} | of (a) | of (g) | of (h) | p50 s | p95 s | first s | errors |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for users, one in itertools.product(options.users, found["names"]):
        runs = found["results"][one.letter][users]
        rate = rates[one.letter][users]
        base = rates.get("a", {}).get(users) or float("nan")
        p50, p95 = (middle(run.quantile(percent) for run in runs) for percent in (50, 95))
        first = [value for run in runs for value in run.first]
        shown = f"{middle(first):.3f}" if unit == "tokens/s" and first else ""
        errors = sum(run.errors for run in runs)
        shares = " | ".join(f"{rate / whole:.2f}" for whole in (base, bound, bounds[users]))
        times = f"{p50:.3f} | {p95:.3f} | {shown}"
        cells = f"{users} | ({one.letter}) {one.name} | {rate:.1f} | {shares} | {times} | {errors}"
        lines.append(f"| {cells} |")
    used = ", ".join(f"({letter}) {mb:.0f}" for letter, mb in found["memory"].items())
    lines += ["", f"Highest memory at the end of a run (PSS of all its processes), MB: {used}."]
    return "\n".join(lines) + "\n"


def plot(name: str, unit: str, found: Any) -> None:
    """Rate against users, one line per contender, and the bound."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2))
    for one in found["names"]:
        runs = found["results"][one.letter]
        rates = [statistics.median(run.rate for run in runs[users]) for users in runs]
        axes.plot(list(runs), rates, marker="o", label=f"({one.letter}) {one.name}")
    bound = statistics.median(one["all"] for one in found["bounds"])
    axes.axhline(bound, color="grey", linestyle="--", label="(g) no server, all known")
    users = list(map(int, found["bounds"][0]["at_hand"]))
    at_hand = [statistics.median(one["at_hand"][str(n)] for one in found["bounds"]) for n in users]
    axes.plot(users, at_hand, color="grey", linestyle=":", label="(h) no server, users at hand")
    axes.set(xscale="log", xlabel="users", ylabel=unit, title=name, ylim=(0, None))
    axes.set_xticks(list(runs), [str(users) for users in runs])
    axes.minorticks_off()
    axes.legend(fontsize="small")
    figure.savefig(RESULTS / f"serving_{name}.svg", bbox_inches="tight")
