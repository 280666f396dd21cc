"""The model of the comparison, as an owner would write it: texts in, embeddings out."""

from typing import Any

import torch
from serving.runtime import runtime
from transformers import AutoModel, AutoTokenizer

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

tokenizer: Any
model: Any


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModel.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    model.to(runtime.device).eval()


def prepare(text: str) -> list[int]:
    """Tokenize one text, while the model is busy with others."""
    return tokenizer(text, truncation=True)["input_ids"]


def cost(tokens: list[int]) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(tokens)


@torch.inference_mode()
def predict(batch: list[list[int]]) -> list[list[float]]:
    """Embed a batch of tokenized texts."""
    chosen = [{"input_ids": tokens} for tokens in batch]
    inputs = tokenizer.pad(chosen, return_tensors="pt").to(runtime.device)
    states = model(**inputs).last_hidden_state.float()
    mask = inputs["attention_mask"].unsqueeze(-1)
    means = (states * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(means).tolist()
