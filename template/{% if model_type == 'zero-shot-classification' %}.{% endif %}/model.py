"""The model: a text and candidate labels in, scores out. Put your own code here.

A language-inference model says for each label how far the text entails "This example is
<label>."
"""

from typing import Any, NamedTuple

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from serving.engine import compiled
from serving.errors import InputError
from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
HYPOTHESIS = "This example is {}."
MAX_LABELS = 20

tokenizer: Any
model: Any
network: Any  # what computes the model
entailment: int


class Item(NamedTuple):
    """One request: its labels, and the tokens of its text paired with each of them."""

    labels: list[str]
    pairs: list[dict[str, list[int]]]


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network, entailment
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForSequenceClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    sample = prepare("A text.", "short, a longer label").pairs
    network = compiled(model, tokenizer.pad(sample, return_tensors="pt"))
    names = {name.lower(): number for name, number in model.config.label2id.items()}
    entailment = next(
        number for name, number in names.items() if name.startswith("entail")
    )


def prepare(text: str, labels: str) -> Item:
    """Check one request and tokenize it, while the model is busy with others."""
    candidates = list(
        dict.fromkeys(label.strip() for label in labels.split(",") if label.strip())
    )
    empty = "Please type a text and at least one label first."
    checked(text, runtime.tier.max_input, empty)
    checked(labels.strip(" ,"), runtime.tier.max_input, empty)
    if len(candidates) > MAX_LABELS:
        raise InputError(f"These are too many labels: {MAX_LABELS} are the limit.")
    hypotheses = [HYPOTHESIS.format(label) for label in candidates]
    tokens = tokenizer([text] * len(candidates), hypotheses, truncation="only_first")
    pairs = [{name: tokens[name][i] for name in tokens} for i in range(len(candidates))]
    return Item(candidates, pairs)


def cost(item: Item) -> int:
    """Tokens of all pairs of one request; requests of similar length share a batch."""
    return len(item.pairs) * max(len(pair["input_ids"]) for pair in item.pairs)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[dict[str, float]]:
    """Score a batch of requests: all their pairs go through the model together."""
    pairs = [pair for item in batch for pair in item.pairs]
    inputs = tokenizer.pad(pairs, return_tensors="pt").to(runtime.device)
    entailed = network(**inputs).logits[:, entailment].float()
    rows = entailed.split([len(item.labels) for item in batch])
    return [
        dict(zip(item.labels, row.softmax(0).tolist()))
        for item, row in zip(batch, rows)
    ]
