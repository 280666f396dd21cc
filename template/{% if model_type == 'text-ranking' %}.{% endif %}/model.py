"""The model: a query and passages in, the passages by relevance out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from serving.batcher import similar
from serving.engine import compiled
from serving.errors import InputError
from serving.runtime import runtime
from texts import checked, longest

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_QUERY = 1_000  # characters
MAX_PASSAGES = 100

tokenizer: Any
model: Any
network: Any  # what computes the model
most: int  # tokens that the model reads at once


class Item(NamedTuple):
    """One request: its passages, and the tokens of the query paired with each of them."""

    passages: list[str]
    pairs: list[dict[str, list[int]]]


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network, most
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForSequenceClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    if model.config.num_labels != 1:
        raise ValueError(
            f"{runtime.model_id} does not rank: it has more than one label"
        )
    model.to(runtime.device).eval()
    most = longest(tokenizer, model.config)
    network = compiled(model, padded(prepare("A query", "One.\nAnother one.").pairs))


def prepare(query: str, passages: str) -> Item:
    """Check one request and tokenize it, while the model is busy with others."""
    empty = "Please type a query and at least one passage first."
    checked(query, MAX_QUERY, empty)
    checked(passages, runtime.tier.max_input, empty)
    lines = [line.strip() for line in passages.splitlines()]
    different = list(dict.fromkeys(line for line in lines if line))
    if len(different) > MAX_PASSAGES:
        raise InputError(f"These are too many passages: {MAX_PASSAGES} are the limit.")
    tokens = tokenizer(
        [query] * len(different), different, truncation=True, max_length=most
    )
    pairs = [{name: tokens[name][i] for name in tokens} for i in range(len(different))]
    return Item(different, pairs)


def cost(item: Item) -> int:
    """Tokens of all pairs of one request; requests of similar length share a batch."""
    return sum(len(pair["input_ids"]) for pair in item.pairs)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[list[list[Any]]]:
    """Rank a batch: all its pairs, in passes of pairs of similar length."""
    pairs = [pair for item in batch for pair in item.pairs]
    lengths = [len(pair["input_ids"]) for pair in pairs]
    scores = torch.empty(len(pairs))
    tier = runtime.tier
    for indices in similar(lengths, tier.call_cost, tier.max_batch_cost, len(pairs)):
        inputs = padded([pairs[index] for index in indices]).to(runtime.device)
        scores[indices] = network(**inputs).logits[:, 0].float().cpu()
    rows = scores.split([len(item.pairs) for item in batch])
    return [ranked(item.passages, row.tolist()) for item, row in zip(batch, rows)]


def ranked(passages: list[str], scores: list[float]) -> list[list[Any]]:
    """Rows of score and passage, the best first."""
    rows = sorted(zip(scores, passages), key=lambda row: -row[0])
    return [[score, passage] for score, passage in rows]


def padded(pairs: list[dict[str, list[int]]]) -> Any:
    """Tokens as tensors of shape (pairs, length of the longest)."""
    return tokenizer.pad(pairs, padding_side="right", return_tensors="pt")
