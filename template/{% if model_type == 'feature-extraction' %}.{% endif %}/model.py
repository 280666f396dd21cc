"""The model: texts in, vectors out. Put your own code here."""

import torch

from embeddings import Embedder
from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

embedder: Embedder


def load() -> None:
    """Load the weights, once, before the first request."""
    global embedder
    embedder = Embedder()


def prepare(text: str) -> list[int]:
    """Check and tokenize one text, while the model is busy with others."""
    checked(text, runtime.tier.max_input)
    (tokens,) = embedder.tokens([text])
    return tokens


def cost(tokens: list[int]) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(tokens)


@torch.inference_mode()
def predict(batch: list[list[int]]) -> list[list[float]]:
    """Embed a batch of tokenized texts."""
    return embedder.embed(batch).tolist()
