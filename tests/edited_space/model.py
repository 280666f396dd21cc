"""The model: texts in, labels with scores out, for reviews of films."""

from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from serving.errors import InputError
from serving.runtime import runtime
from words import plain

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_CHARACTERS = 5_000

tokenizer: Any
model: Any


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForSequenceClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(text: str) -> dict[str, list[int]]:
    """Check and tokenize one text, while the model is busy with others."""
    if not text.strip():
        raise InputError("Please type a text first.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"This text is too long: {MAX_CHARACTERS:,} characters are the limit."
        )
    text = plain(text)
    if not text:
        raise InputError("There is nothing but markup in this text.")
    return dict(tokenizer(text, truncation=True))


def cost(tokens: dict[str, list[int]]) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(tokens["input_ids"])


@torch.inference_mode()
def predict(batch: list[dict[str, list[int]]]) -> list[dict[str, float]]:
    """Score a batch of tokenized texts."""
    inputs = tokenizer.pad(batch, return_tensors="pt").to(runtime.device)
    scores = model(**inputs).logits.float().softmax(-1)
    labels = model.config.id2label
    return [
        {labels[i].capitalize(): score for i, score in enumerate(row)}
        for row in scores.tolist()
    ]
