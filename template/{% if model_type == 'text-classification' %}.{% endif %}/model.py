"""The model: texts in, labels with scores out. Put your own code here."""

from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from serving.engine import compiled
from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

tokenizer: Any
model: Any
network: Any  # what computes the model


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForSequenceClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    sample = [prepare("A text."), prepare("Another, longer text.")]
    network = compiled(model, tokenizer.pad(sample, return_tensors="pt"))


def prepare(text: str) -> dict[str, list[int]]:
    """Check and tokenize one text, while the model is busy with others."""
    checked(text, runtime.tier.max_input)
    return dict(tokenizer(text, truncation=True))


def cost(tokens: dict[str, list[int]]) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(tokens["input_ids"])


@torch.inference_mode()
def predict(batch: list[dict[str, list[int]]]) -> list[dict[str, float]]:
    """Score a batch of tokenized texts."""
    inputs = tokenizer.pad(batch, return_tensors="pt").to(runtime.device)
    scores = network(**inputs).logits.float().softmax(-1)
    labels = model.config.id2label
    return [
        {labels[i]: score for i, score in enumerate(row)} for row in scores.tolist()
    ]
