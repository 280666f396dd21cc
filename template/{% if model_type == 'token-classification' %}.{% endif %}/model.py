"""The model: texts in, the entities in them out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from serving.engine import compiled
from serving.runtime import runtime
from texts import checked, longest
from windows import Place, Window, padded, passes, trimmed, windows

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
OVERLAP = 64  # tokens that two windows of a long text share
OUTSIDE = "O"  # the label of what is no entity

tokenizer: Any
model: Any
network: Any  # what computes the model
most: int  # tokens that the model reads at once


class Item(NamedTuple):
    """One request: a text, and the windows that it was cut into."""

    text: str
    windows: list[Window]


class Token(NamedTuple):
    """What the model says about one token."""

    label: str
    score: float
    place: Place


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network, most
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForTokenClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    most = longest(tokenizer, model.config)
    sample = [*prepare("A text.").windows, *prepare("Another, longer text.").windows]
    network = compiled(model, padded(tokenizer, sample))


def prepare(text: str) -> Item:
    """Check and tokenize one text, while the model is busy with others."""
    checked(text, runtime.tier.max_input)
    return Item(text, windows(tokenizer, text, most, OVERLAP))


def cost(item: Item) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return sum(len(window.places) for window in item.windows)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[list[dict[str, Any]]]:
    """Find the entities in a batch of texts: all their windows go through the model."""
    cut = [window for item in batch for window in item.windows]
    found: list[list[Token]] = [[] for _ in cut]
    for indices in passes(cut):
        inputs = padded(tokenizer, [cut[index] for index in indices])
        logits = network(**inputs.to(runtime.device)).logits
        best = logits.float().softmax(-1).max(-1)
        rows = zip(indices, best.values.tolist(), best.indices.tolist())
        for index, scores, labels in rows:
            found[index] = own_tokens(cut[index], scores, labels)
    tokens = iter(found)
    return [
        merge(item.text, [one for _ in item.windows for one in next(tokens)])
        for item in batch
    ]


def own_tokens(window: Window, scores: list[float], labels: list[int]) -> list[Token]:
    """What the model says about the tokens that belong to a window."""
    names = model.config.id2label
    rows = zip(window.places[window.own], scores[window.own], labels[window.own])
    return [Token(names[label], score, place) for place, score, label in rows if place]


def merge(text: str, tokens: list[Token]) -> list[dict[str, Any]]:
    """Entities from tokens: neighbours of the same kind are one, up to the next "B-"."""
    groups: list[list[Token]] = []
    kind = OUTSIDE
    for token in tokens:
        begins, own = token.label.startswith("B-"), kind_of(token.label)
        if own != OUTSIDE and (own != kind or begins):
            groups.append([])
        if own != OUTSIDE:
            groups[-1].append(token)
        kind = own
    return [entity(text, group) for group in groups]


def kind_of(label: str) -> str:
    """PER for B-PER, I-PER and PER."""
    return label[2:] if label.startswith(("B-", "I-")) else label


def entity(text: str, group: list[Token]) -> dict[str, Any]:
    """One entity, as Gradio's HighlightedText takes it."""
    start, end = trimmed(text, group[0].place[0], group[-1].place[1])
    return {
        "entity": kind_of(group[0].label),
        "score": sum(token.score for token in group) / len(group),
        "word": text[start:end],
        "start": start,
        "end": end,
    }
