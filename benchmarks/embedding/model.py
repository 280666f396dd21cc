"""The model of the comparison, as an owner would write it: texts in, embeddings out."""

from typing import Any

import torch
from serving.engine import compiled
from serving.runtime import runtime
from transformers import AutoModel, AutoTokenizer

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

tokenizer: Any
model: Any
network: Any  # what computes the model


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModel.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    model.to(runtime.device).eval()
    sample = [prepare("A text."), prepare("Another, longer text.")]
    network = compiled(model, padded(sample))


def prepare(text: str) -> list[int]:
    """Tokenize one text, while the model is busy with others."""
    return tokenizer(text, truncation=True)["input_ids"]


def cost(tokens: list[int]) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(tokens)


@torch.inference_mode()
def predict(batch: list[list[int]]) -> list[list[float]]:
    """Embed a batch of tokenized texts."""
    inputs = padded(batch).to(runtime.device)
    states = network(**inputs).last_hidden_state.float()
    mask = inputs["attention_mask"].unsqueeze(-1)
    means = (states * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(means).tolist()


def padded(batch: list[list[int]]) -> Any:
    """Tokens as tensors of shape (texts, length of the longest)."""
    return tokenizer.pad([{"input_ids": one} for one in batch], return_tensors="pt")
