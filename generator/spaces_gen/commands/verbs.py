"""Which verbs there are; all that `spaces-gen --help` shows of them."""

from __future__ import annotations

from typing import NamedTuple

ABOUT = "Turn a model and a hardware tier into a Hugging Face Space that holds up under traffic."
MAKE, CHANGE, MEASURE, PUBLISH, LOOK = (
    "Make a Space",
    "Change a Space",
    "Size and measure it",
    "Publish it",
    "Look up",
)


class Verb(NamedTuple):
    """One verb.

    Attributes:
        module: of this package, which holds a function of its name.
        panel: under which heading it is listed.
        summary: one sentence of at most 60 characters.
    """

    module: str
    panel: str
    summary: str


# In the order in which they are listed.
VERBS = {
    "new": Verb("making", MAKE, "Make a Space from a model, or from a few answers."),
    "demo": Verb("making", MAKE, "Serve a Space with a real model here, without the Hub."),
    "plan": Verb("measuring", MEASURE, "Show what each hardware would do for a model."),
    "bench": Verb("measuring", MEASURE, "Put real load on a Space, and measure it."),
    "tune": Verb("measuring", MEASURE, "Measure a Space here, and write the best values."),
    "check": Verb("publishing", PUBLISH, "Check a Space before it is published."),
    "publish": Verb("publishing", PUBLISH, "Publish a Space and wait until it runs."),
    "status": Verb("publishing", PUBLISH, "Show how a Space on the Hub is."),
    "logs": Verb("publishing", PUBLISH, "Show the log of a Space on the Hub."),
    "upgrade": Verb("changing", CHANGE, "Move a Space to other hardware or a newer template."),
    "diff": Verb("changing", CHANGE, "Show what an upgrade would change."),
    "fork": Verb("changing", CHANGE, "Copy a Space on the Hub, made for other hardware."),
    "adopt": Verb("changing", CHANGE, "Write a lost or damaged answers file anew."),
    "tiers": Verb("looking", LOOK, "Show the hardware of Spaces with its prices."),
    "model-types": Verb("looking", LOOK, "Show the kinds of model there are templates for."),
}

# Of `spaces-gen` itself.
OPTIONS = {
    "--version": "Show the version.",
    "--debug": "Show where an error comes from.",
    "--install-completion": "Complete words in this shell from now on.",
    "--show-completion": "Print what does that, to put it in place by hand.",
    "--help": "Show this page; after a verb, all about that verb.",
}

ENVIRONMENT = {
    "HF_TOKEN": "a token of the Hub; else the one of `hf auth login` is used.",
    "HF_ENDPOINT": "another Hub than https://huggingface.co.",
    "HF_HUB_OFFLINE": "1: nothing is asked of the Hub.",
    "NO_COLOR": "anything: no colours, and nothing that moves.",
}

EXIT_CODES = {
    0: "done.",
    1: "it could not be done; one line says why, and what helps.",
    2: "wrong usage.",
    130: "broken off with Ctrl-C; what was begun was undone or ended.",
}
