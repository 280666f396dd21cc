"""The model: pairs of texts in, cosine similarity out. Put your own code here."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

from serving.batcher import similar
from serving.engine import compiled
from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

Pair = tuple[list[int], list[int]]

tokenizer: Any
model: Any
network: Any  # what computes the model


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModel.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    model.to(runtime.device).eval()
    sample = padded(prepare("A text.", "Another, longer text."))
    network = compiled(model, sample)


def prepare(first: str, second: str) -> Pair:
    """Check and tokenize one pair, while the model is busy with others."""
    for text in (first, second):
        checked(text, runtime.tier.max_input, "Please type two texts first.")
    one, other = tokenizer([first, second], truncation=True)["input_ids"]
    return one, other


def cost(pair: Pair) -> int:
    """Tokens of one pair; pairs of similar length share a batch."""
    return sum(map(len, pair))


@torch.inference_mode()
def predict(batch: list[Pair]) -> list[float]:
    """Compare a batch of tokenized pairs."""
    vectors = embed([tokens for pair in batch for tokens in pair])
    return torch.cosine_similarity(vectors[0::2], vectors[1::2]).tolist()


def embed(texts: list[list[int]]) -> torch.Tensor:
    """Embed texts, shape (texts, width), in passes of texts of similar length."""
    vectors = torch.empty(len(texts), model.config.hidden_size)
    lengths = [len(tokens) for tokens in texts]
    tier = runtime.tier
    for indices in similar(lengths, tier.call_cost, tier.max_batch_cost, len(texts)):
        inputs = padded([texts[index] for index in indices]).to(runtime.device)
        states = network(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"].unsqueeze(-1)
        means = (states * mask).sum(1) / mask.sum(1)  # as sentence-transformers does
        vectors[indices] = means.cpu()
    return vectors


def padded(texts: Sequence[list[int]]) -> Any:
    """Tokens as tensors of shape (texts, length of the longest)."""
    return tokenizer.pad([{"input_ids": one} for one in texts], return_tensors="pt")
