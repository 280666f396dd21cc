"""What `spaces-gen VERB --help` tells beside the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from spaces_gen.commands.verbs import ENVIRONMENT, EXIT_CODES, VERBS

HUB = ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE")
ANSWERS = {".copier-answers.yml": "how the Space was made: its answers, and the template."}
TUNING = {"tuning.py": "the values of each hardware."}


class Manual(NamedTuple):
    """The texts of one verb.

    Attributes:
        details: paragraphs that follow its summary.
        examples: what is typed, and what for.
        exits: exit codes that mean something of their own here.
        environment: variables that count, keys of `ENVIRONMENT`.
        files: that are read or written, and what for.
        see: other verbs.
    """

    details: tuple[str, ...]
    examples: Mapping[str, str]
    exits: Mapping[int, str] = {}
    environment: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    see: tuple[str, ...] = ()


MANUAL = {
    "new": Manual(
        (
            "In a terminal it asks step by step what no option answers: the model, what it does, "
            "the hardware with prices and what fits, and the name. One step back is possible at "
            "each of them, and nothing is written before the last.",
            "With --defaults, or where input or messages are no terminal, nothing is asked: what "
            "can be found out about the model is, and the rest has its default. A model is looked "
            "at, not loaded, and none of its code is run.",
        ),
        {
            "spaces-gen new my-space": "answer a few questions",
            "spaces-gen new my-space --model distilbert/distilbert-base-cased-distilled-squad": (
                "of this model; only what is open is asked"
            ),
            "spaces-gen new my-space --model ./my-model --hardware t4-small --defaults": (
                "of a folder, without a question"
            ),
            "spaces-gen new my-space --data requests_per_minute=30 --defaults": (
                "any answer by the name of its question"
            ),
        },
        environment=(*HUB, "NO_COLOR"),
        files=ANSWERS,
        see=("plan", "check", "publish", "model-types", "tiers"),
    ),
    "demo": Manual(
        (
            "The model comes inside an installed package, so neither the Hub nor an account is "
            "needed. It listens on 127.0.0.1 only, until Ctrl-C. Where the package is missing, "
            "the line that installs it is shown.",
        ),
        {
            "spaces-gen demo": "how alike two sentences are",
            "spaces-gen demo chat --port 8000": "a small language model",
            "spaces-gen demo similarity --copies 2": "two copies of the model, on a local Ray",
        },
        see=("new", "bench"),
    ),
    "check": Manual(
        (
            "Card, secrets in files, conflict markers, sizes, links, syntax. No code of the Space "
            "is run, and nothing is written or sent.",
        ),
        {
            "spaces-gen check my-space": "a folder",
            "spaces-gen check my-space --json": "for programs",
        },
        exits={1: "something would go wrong on the Hub; warnings alone are 0."},
        see=("publish",),
    ),
    "publish": Manual(
        (
            "One commit, the settings that differ, then it waits until the Space runs. Nothing is "
            "sent where nothing changed, and nothing of somebody else's is overwritten.",
            "The values of secrets come from the environment, from a file or from a prompt, never "
            "from the command line.",
        ),
        {
            "spaces-gen publish my-space --repo-id me/my-space": "make it, or bring it up to date",
            "spaces-gen publish my-space --hardware t4-small --sleep-time 3600": "elsewhere",
            "spaces-gen publish my-space --secret HF_TOKEN": "with a secret",
            "spaces-gen publish my-space --dry-run": "show what would change",
        },
        exits={1: "it could not be published, or does not run; the log is shown."},
        environment=(*HUB, "NO_COLOR"),
        files=ANSWERS,
        see=("check", "status", "logs"),
    ),
    "status": Manual(
        ("Stage, hardware, price, last commit, variables; of secrets only the names.",),
        {
            "spaces-gen status me/my-space": "for people",
            "spaces-gen status me/my-space --json": "for programs",
        },
        environment=HUB,
        see=("logs", "publish"),
    ),
    "logs": Manual(
        ("What the Space printed, or with --build what its build did.",),
        {
            "spaces-gen logs me/my-space --build": "why it was not built",
            "spaces-gen logs me/my-space --follow": "until Ctrl-C",
        },
        environment=HUB,
        see=("status",),
    ),
    "upgrade": Manual(
        (
            "Three versions of each file are merged: as it was generated, as it would be, and "
            "yours. Your edits stay; where both changed a line, nothing is written. It works in a "
            "folder, in git or not, and on the Hub without a clone.",
        ),
        {
            "spaces-gen upgrade my-space --hardware a10g-small": "other hardware",
            "spaces-gen upgrade my-space --to-version latest --dry-run": "what a newer one changes",
            "spaces-gen upgrade hf:me/my-space --hardware t4-small": "on the Hub: a pull request",
            "spaces-gen upgrade my-space --data title=Other --conflict inline": (
                "clashes between markers"
            ),
        },
        exits={1: "it could not be done, or files clash."},
        environment=HUB,
        files=ANSWERS,
        see=("diff", "adopt", "publish"),
    ),
    "diff": Manual(
        ("Files, tuned values, memory, throughput and price; nothing is written.",),
        {
            "spaces-gen diff my-space --hardware a10g-small": "of other hardware",
            "spaces-gen diff hf:me/my-space --to-version latest": "of a newer template",
        },
        exits={1: "it could not be done, or files would clash."},
        environment=HUB,
        files=ANSWERS,
        see=("upgrade",),
    ),
    "fork": Manual(
        (
            "The copy has the original's files, made for its own hardware. Secrets are never "
            "copied: it tells which ones the copy lacks.",
        ),
        {
            "spaces-gen fork hf:them/their-space my-space --hardware t4-small": "a private copy",
            "spaces-gen fork hf:them/their-space me/mine --public --dry-run": "what would be done",
        },
        environment=HUB,
        see=("upgrade", "publish"),
    ),
    "adopt": Manual(
        (
            "It renders what the files hint at, and compares. What it found is shown, and written "
            "only when you agree.",
        ),
        {
            "spaces-gen adopt my-space": "ask before writing",
            "spaces-gen adopt my-space --yes": "write it at once",
        },
        files=ANSWERS,
        see=("upgrade",),
    ),
    "plan": Manual(
        (
            "For each hardware: whether the model fits, batch, requests a second, p95 and price. "
            "Each figure says how it is known: measured there, carried over from a measurement "
            "elsewhere, or estimated from data sheets.",
        ),
        {
            "spaces-gen plan my-space": "of a Space, with what was measured",
            "spaces-gen plan --model owner/name --rate 5": "of a model, for 5 requests a second",
            "spaces-gen plan --model-type text-generation --parameters 7000 --p95 2": (
                "of 7 billion parameters, 95 % within 2 s"
            ),
            "spaces-gen plan my-space --plot plan.svg": "price against throughput",
        },
        environment=HUB,
        files={**ANSWERS},
        see=("tune", "bench", "tiers"),
    ),
    "bench": Manual(
        (
            "Throughput, latency, batches, memory, price. Visitors come through Gradio's queue "
            "and on the direct route, first so many at once, then at random times. Every request "
            "is accounted for.",
        ),
        {
            "spaces-gen bench my-space --users 1,32": "a folder, which is started for it",
            "spaces-gen bench http://127.0.0.1:7860 --route queue": "one that runs already",
            "spaces-gen bench my-space --vs other-space --plot bench.svg": "two of them, in turn",
        },
        see=("tune", "plan"),
    ),
    "tune": Manual(
        (
            "Batch, workers, queue, dtype and what computes the model. What is worse than before "
            "is not written, and answers must stay the same.",
        ),
        {
            "spaces-gen tune my-space": "on this machine",
            "spaces-gen tune my-space --seconds 300 --p95 0.5": "longer, for a target of your own",
            "spaces-gen tune my-space --dry-run": "measure, but write nothing",
        },
        files={**TUNING, **ANSWERS},
        see=("plan", "bench"),
    ),
    "tiers": Manual(
        ("Flavor, CPUs, memory, card and price an hour.",),
        {
            "spaces-gen tiers": "for people",
            "spaces-gen tiers --json": "for programs",
        },
        see=("plan",),
    ),
    "model-types": Manual(
        ("Pipeline tag, name, and the model that is taken where none is named.",),
        {
            "spaces-gen model-types": "for people",
            "spaces-gen model-types --json": "for programs",
        },
        see=("new",),
    ),
}


def text(name: str) -> str:
    """What a verb does: its summary, then the details."""
    return "\n\n".join((VERBS[name].summary, *MANUAL[name].details))


def epilog(name: str) -> str:
    """What follows the options."""
    return "\n\n".join(sections(MANUAL[name]))


def sections(manual: Manual) -> Iterator[str]:
    """Examples, exit codes, environment, files, see also; as far as there are any."""
    examples = [f"  {typed}\n      {meaning}" for typed, meaning in manual.examples.items()]
    yield "\n".join(["Examples:", *examples])
    codes = {**EXIT_CODES, **manual.exits}
    yield "\n".join(["Exit codes:", *(f"  {code}  {codes[code]}" for code in codes)])
    variables = {name: ENVIRONMENT[name] for name in manual.environment}
    for title, rows in (("Environment", variables), ("Files", manual.files)):
        if rows:
            yield "\n".join([f"{title}:", *(f"  {one}  {rows[one]}" for one in rows)])
    if manual.see:
        yield "See also: " + ", ".join(f"spaces-gen {name}" for name in manual.see)
