"""The model: texts in, answers out. Put your own code here."""

import torch

from writer import Writer

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_NEW_TOKENS = 256  # of an answer

writer: Writer


def load() -> None:
    """Load the weights, once, before the first request."""
    global writer
    writer = Writer("text2text-generation", MAX_NEW_TOKENS)


def prepare(text: str) -> list[int]:
    """Check and tokenize one text, while the model is busy with others."""
    return writer.tokens(text)


def cost(tokens: list[int]) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(tokens)


def size(tokens: list[int]) -> int:
    """A longer text takes longer."""
    return len(tokens)


@torch.inference_mode()
def predict(batch: list[list[int]]) -> list[str]:
    """Answer a batch of tokenized texts."""
    return writer.write(batch)
