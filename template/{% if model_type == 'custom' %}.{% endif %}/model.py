"""Your function. Put any Python code here.

The page in app.py calls `server.answer(...)` with what a visitor gave; from there on it
goes through the functions below. Only `load` and `predict` must be there:

    load()            once, before the first request: read weights, open files, and keep
                      them in a global variable
    prepare(*inputs)  checks and converts one request, in a thread, while `predict` is
                      busy with others; gets what `server.answer` got. Refuse what
                      cannot be answered: `raise InputError("What to do.")`, a sentence
                      that this visitor reads
    predict(batch)    a list of what `prepare` returned, at most `max_batch_size` of
                      tuning.py; returns a list with one result for each, in the same
                      order. Without `prepare` it gets one list per input
    group(item)       what must be equal within a batch
    cost(item)        how long it is: items of similar cost share a batch
    size(item)        how much it is, in the unit of `max_input` in tuning.py

A result is text, numbers, lists, dicts, a picture of PIL, or
`serving.values.Media(content, ".wav")`. Packages that you import belong into
requirements.txt. If your code loads a model, `runtime.model_id` is the one that tuning.py
or the variable MODEL_ID names, and `runtime.device` is "cpu" or "cuda".

`predict` may run in several threads at once, as many as `workers` in tuning.py says; an
error in it is that request's alone, and a process that crashes is replaced.
"""

import math
import re

from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
WORDS_A_MINUTE = 240  # that people read


def load() -> None:
    """Nothing is loaded: this function needs no model."""


def prepare(text: str) -> str:
    """Check one text."""
    return checked(text, runtime.tier.max_input)


def predict(batch: list[str]) -> list[str]:
    """Answer all texts of a batch."""
    return [describe(text) for text in batch]


def describe(text: str) -> str:
    """How long a text is."""
    words = len(re.findall(r"\w+(?:['’-]\w+)*", text))
    sentences = len(re.findall(r"[^.!?…]*\w[^.!?…]*", text))
    minutes = math.ceil(words / WORDS_A_MINUTE)
    return (
        f"{count(words, 'word')} in {count(sentences, 'sentence')}\n"
        f"{count(len(text), 'character')}\n"
        f"about {count(minutes, 'minute')} to read"
    )


def count(number: int, what: str) -> str:
    """A number of things in words."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
