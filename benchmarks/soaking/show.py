"""What was found, as Markdown."""

from __future__ import annotations

from typing import Any

from report import place

PROCESSES = {"page": "page, MB", "model": "model, MB", "page_fds": "page, file descriptors"}
PROCESSES |= {"model_fds": "model, file descriptors", "page_threads": "page, threads"}
PROCESSES |= {"files": "temporary files", "others": "files in TMPDIR"}
WHO = {"": "nobody", "queue": "queue", "direct": "direct"}


def page(kept: dict[str, Any]) -> str:
    """All of it."""
    lines = [
        "# Soak",
        "",
        f"{place()} Visitors and servers share these CPUs, and partly with other work, so the "
        "latencies are noisy; the counts are not. Made by `make soak`; every sample is in "
        "soak.json. “Plain” is the same model behind Gradio's defaults.",
        "",
    ]
    soaks = {name: found for name, found in kept.items() if "soak" in name}
    if soaks:
        lines += ["## Minutes of visitors", "", *lasting(soaks)]
    floods = {name: found for name, found in kept.items() if "overload" in name}
    if floods:
        lines += ["## Ten times too many", "", *flooded(floods)]
    fair = {name: found for name, found in kept.items() if "fairness" in name}
    if fair:
        lines += ["## One who takes all", "", *shared(fair)]
    return "\n".join(lines).rstrip() + "\n"


def lasting(soaks: dict[str, Any]) -> list[str]:
    """The soaks."""
    lines = [
        "Most use the queue as a browser does, with the page's heartbeat; some are programs on the "
        "direct route, which plain Gradio lacks. Some hang up before the answer, half of them come "
        "again in the same session, some load the page anew, and every 30 s all ask at once. Each "
        "answer is compared with the one computed beforehand for this very input, and no input is "
        "asked twice. Lost, wrong and other errors must be 0.",
        "",
        "| | asked | right | refused | left | lost | wrong | error | pages failed "
        "| streams not closed | right/s | p50 s | p95 s | most s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in soaks.items():
        hows = ("asked", "right", "refused", "left", "lost", "wrong", "error", "pages failed")
        counts = " | ".join(str(found[how]) for how in (*hows, "streams not closed"))
        spread = found["latency"].get("queue", {})
        times = " | ".join(number(spread.get(one)) for one in ("p50", "p95", "max"))
        what = f"{name}, {found['users']} users, {found['seconds'] / 60:g} min"
        lines.append(f"| {what} | {counts} | {found['rate']:.1f} | {times} |")
    lines += ["", "p50, p95 and most are of the queue. How the answers are checked:", ""]
    for name, found in soaks.items():
        lines.append(f"- {name}: {checked(found['questions'])}")
        lines += [f"  - problem: {one}" for one in found["problems"]]
    lines += [
        "",
        "What the Space held, by process: before, at most, after a calm, and the slope of a "
        "straight line per hour after the first quarter of the time, with its 95 % interval "
        "(wider where neighbouring samples resemble each other). The kept answers are bounded to "
        "0.25 MB, in place of 64, so that they are full by then. Temporary files are deleted when "
        "they are 60 s old, in place of a day.",
        "",
        "| | | before | most | after | slope per hour | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in soaks.items():
        for key, label in PROCESSES.items():
            line = found["slopes"][key]
            held = " | ".join(f"{found[when][key]:.0f}" for when in ("before", "most", "after"))
            reach = f"{line['low']:.0f} to {line['high']:.0f}"
            lines.append(f"| {name} | {label} | {held} | {line['per_hour']:.0f} | {reach} |")
    return [*lines, ""]


def checked(about: dict[str, Any]) -> str:
    """How the answers are checked, and how well."""
    said = str(about["inputs"])
    tolerance, passed = about.get("tolerance"), about["swapped unnoticed"]
    if not isinstance(passed, dict):
        passed, tolerance = {"": passed}, {"": tolerance}
    for way, share in passed.items():
        said += f"; {way + ': ' if way else ''}within {tolerance[way]:g}, "
        said += f"a swapped answer passes with {share:.2g}"
    return said


def flooded(floods: dict[str, Any]) -> list[str]:
    """The overloads."""
    first = next(iter(floods.values()))
    lines = [
        f"The model sleeps 0.6 + 0.1 x b seconds for a batch of b, at most 4: it can answer "
        f"{first['capacity']:g} requests a second, few enough that client and server fit two CPUs "
        f"at ten times as many. MAX_SIZE={first['max_size']} bounds those who wait; "
        f"{first['at_once']} more are prepared or computed. So who is let in is answered within "
        f"({first['max_size']} + {first['at_once']}) / {first['capacity']:g} + 1 = "
        f"{first['limit']:g} s. Arrivals are independent of each other, each another visitor, "
        f"{first['seconds']:g} s long, 30 % on the direct route. Half of those who are refused "
        "come again, once, after the seconds that they were told, unless the minute is over by "
        "then. Without an answer within "
        f"{first['patience']:g} s a visitor gives up (lost).",
        "",
        "| | arrivals/s | asked | right | refused | lost | error | p95 s (queue, direct) | limit s "
        "| most s | refused within (p95) s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in floods.items():
        counts = " | ".join(str(found[how]) for how in ("asked", "right", "refused", "lost"))
        ways = ", ".join(number(one.get("p95")) for one in found["latency"].values())
        times = f"{number(found['p95'])} ({ways}) | {number(found['limit'], 0)}"
        late = f"{times} | {number(found['most'])} | {number(found['refusal p95'])}"
        lines.append(f"| {name} | {found['rate']:.1f} | {counts} | {found['error']} | {late} |")
    lines.append("")
    for name, found in floods.items():
        again = found["came again"]
        told = found["told"]
        lines.append(
            f"- {name}: a lone visitor usually takes {found['usual']:.2f} s, and "
            + (
                "is not answered so soon any more in the 20 s after the burst."
                if found["usual again after"] is None
                else f"does so again {found['usual again after']:.1f} s after the burst."
            )
        )
        if told["median"] is not None:
            lines.append(
                f"  Who was refused was told to come again in {told['median']:g} s (median; "
                f"{told['most']} at most); let in then: {again['let in']} of {again['came']}."
            )
        lines += [f"  - problem: {one}" for one in found["problems"]]
    return [*lines, ""]


def shared(fair: dict[str, Any]) -> list[str]:
    """People beside a robot."""
    first = next(iter(fair.values()))
    lines = [
        "Twenty people who think between their questions (5 s where the model sleeps, batches of "
        "8; 2 s with MiniLM), and a robot with one address that keeps 100 requests in flight. "
        f"{first['rounds']} rounds of {first['seconds']:g} s of each case, in turns. The ratio is "
        "people's p95 with the robot by that without it; wanted is at most 1.5. The three spans "
        "are where people's time went (p50 / p95): until their batch began, in it, after it.",
        "",
        "| | robot on | people on | asked | not right | p50 s | p95 s | ratio (rounds) | people/s "
        "| robot/s | batch | until s | in s | after s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in fair.items():
        for one in found["rows"]:
            wrong = one["asked"] - one["hows"].get("right", 0)
            ratios = ", ".join(f"{ratio:.2f}" for ratio in one["ratios"])
            spans = " | ".join(
                f"{half:.2f} / {most:.2f}" for half, most in one.get("spans", {}).values()
            )
            cells = (
                f"{name} | {WHO[one['robot']]} | {one['people']} | {one['asked']} | {wrong} | "
                f"{one['p50']:.3f} | {one['p95']:.3f} | {one['ratio']:.2f} ({ratios}) | "
                f"{one['people/s']:.2f} | {one['robot/s']:.2f} | "
                f"{number(one.get('batch'), 1)} | {spans or ' | | '}"
            )
            lines.append(f"| {cells} |")
    return [*lines, ""]


def number(value: float | None, digits: int = 3) -> str:
    """It, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"
