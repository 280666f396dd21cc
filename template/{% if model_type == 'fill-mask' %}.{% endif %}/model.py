"""The model: texts with a gap in, words for it with scores out. Put your own code here."""

import re
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from serving.engine import compiled
from serving.errors import InputError
from serving.runtime import runtime
from texts import checked, longest

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
WORDS = 10  # how many are told
GAP = re.compile(r"\[MASK\]|<mask>|_{3,}")  # whichever the model's own is

tokenizer: Any
model: Any
network: Any  # what computes the model
most: int  # tokens that the model reads at once


class Item(NamedTuple):
    """One request: the tokens of a text, and which of them is the gap."""

    inputs: dict[str, list[int]]
    gap: int


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network, most
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForMaskedLM.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    model.to(runtime.device).eval()
    most = longest(tokenizer, model.config)
    network = compiled(model, padded([prepare("A ___."), prepare("One more ___.")]))


def prepare(text: str) -> Item:
    """Check and tokenize one text, while the model is busy with others."""
    checked(text, runtime.tier.max_input)
    text = GAP.sub(lambda _: tokenizer.mask_token, text)
    inputs = dict(tokenizer(text, verbose=False))
    tokens = inputs["input_ids"]
    if tokens.count(tokenizer.mask_token_id) != 1:
        raise InputError(
            "Please write ___ (three underscores) in place of one word, and only one."
        )
    if len(tokens) > most:
        raise InputError(
            f"This text is too long: {most:,} tokens, which are about "
            f"{most * 3 // 4:,} words, are the limit."
        )
    return Item(inputs, tokens.index(tokenizer.mask_token_id))


def cost(item: Item) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(item.inputs["input_ids"])


@torch.inference_mode()
def predict(batch: list[Item]) -> list[dict[str, float]]:
    """Score the words for the gaps in a batch of texts."""
    logits = network(**padded(batch).to(runtime.device)).logits
    gaps = torch.tensor([item.gap for item in batch])
    scores = logits[torch.arange(len(batch)), gaps].float().softmax(-1)
    best = scores.topk(WORDS)
    return [by_word(*row) for row in zip(best.indices.tolist(), best.values.tolist())]


def by_word(tokens: list[int], scores: list[float]) -> dict[str, float]:
    """Scores by word; tokens that differ only in spaces are the same word."""
    words: dict[str, float] = {}
    for token, score in zip(tokens, scores):
        word = tokenizer.decode([token]).strip()
        words[word] = words.get(word, 0) + score
    return words


def padded(batch: list[Item]) -> Any:
    """Tokens as tensors of shape (texts, length of the longest)."""
    rows = [item.inputs for item in batch]
    return tokenizer.pad(rows, padding_side="right", return_tensors="pt")
