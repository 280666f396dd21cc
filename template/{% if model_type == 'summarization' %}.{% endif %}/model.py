"""The model: texts in, summaries out. Put your own code here."""

import torch

from writer import Writer

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
TASK = "summarization"  # for which the model's configuration may have settings
MAX_NEW_TOKENS = 200  # of a summary

writer: Writer


def load() -> None:
    """Load the weights, once, before the first request."""
    global writer
    writer = Writer(TASK, MAX_NEW_TOKENS)


def prepare(text: str) -> list[int]:
    """Check and tokenize one text, while the model is busy with others."""
    return writer.tokens(text, writer.prefix(TASK))


def cost(tokens: list[int]) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return len(tokens)


def size(tokens: list[int]) -> int:
    """A longer text takes longer."""
    return len(tokens)


@torch.inference_mode()
def predict(batch: list[list[int]]) -> list[str]:
    """Summarize a batch of tokenized texts."""
    return writer.write(batch)
