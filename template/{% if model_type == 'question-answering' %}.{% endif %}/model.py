"""The model: a question and a text in, where the text answers it out. Put your own code here."""

import math
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from serving.engine import compiled
from serving.runtime import runtime
from texts import checked, longest
from windows import Window, padded, passes, trimmed, windows

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_QUESTION = 1_000  # characters
MAX_ANSWER_TOKENS = 30
OVERLAP = 128  # tokens that two windows of a long text share

tokenizer: Any
model: Any
network: Any  # what computes the model
most: int  # tokens that the model reads at once


class Item(NamedTuple):
    """One request: a text, and the windows that it was cut into, each with the question."""

    text: str
    windows: list[Window]


class Span(NamedTuple):
    """The best answer in one window.

    Attributes:
        logit: of this answer.
        all: of all answers together, as the logarithm of their sum.
        none: that the text does not say.
    """

    logit: float
    all: float
    none: float
    start: int
    end: int


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model, network, most
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForQuestionAnswering.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    most = longest(tokenizer, model.config)
    sample = [*prepare("Why?", "So.").windows, *prepare("Why?", "That is so.").windows]
    network = compiled(model, padded(tokenizer, sample))


def prepare(question: str, text: str) -> Item:
    """Check and tokenize one request, while the model is busy with others."""
    empty = "Please type a question and a text first."
    checked(question, MAX_QUESTION, empty)
    checked(text, runtime.tier.max_input, empty)
    return Item(text, windows(tokenizer, text, most, OVERLAP, question))


def cost(item: Item) -> int:
    """Tokens of one request; requests of similar length share a batch."""
    return sum(len(window.places) for window in item.windows)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[list[dict[str, Any]]]:
    """Find one answer for each request, or none: all windows go through the model."""
    cut = [window for item in batch for window in item.windows]
    spans: dict[int, Span] = {}
    for indices in passes(cut):
        inputs = padded(tokenizer, [cut[index] for index in indices])
        outputs = network(**inputs.to(runtime.device))
        starts, ends = outputs.start_logits.float(), outputs.end_logits.float()
        for index, start, end in zip(indices, starts.cpu(), ends.cpu()):
            spans[index] = best_span(cut[index], start, end)
    ordered = iter(spans[index] for index in range(len(cut)))
    return [answer(item.text, [next(ordered) for _ in item.windows]) for item in batch]


def best_span(window: Window, start: torch.Tensor, end: torch.Tensor) -> Span:
    """The best answer that lies in the text and is not too long.

    Args:
        start, end: logits of where the answer starts and ends, of each token and maybe
            of padding.
    """
    count = len(window.places)
    inside = torch.tensor([place is not None for place in window.places])
    pairs = (
        torch.ones(count, count, dtype=torch.bool).triu().tril(MAX_ANSWER_TOKENS - 1)
    )
    allowed = pairs & inside & inside.unsqueeze(1)
    logits = start[:count].unsqueeze(1) + end[:count]
    logits = logits.masked_fill(~allowed, -math.inf)
    first, last = divmod(int(logits.argmax()), count)
    return Span(
        float(logits[first, last]),
        float(logits.flatten().logsumexp(0)),
        float(start[0] + end[0]),  # at the token that stands for the whole
        (window.places[first] or (0, 0))[0],
        (window.places[last] or (0, 0))[1],
    )


def answer(text: str, spans: list[Span]) -> list[dict[str, Any]]:
    """The best answer of all windows, as Gradio's HighlightedText takes it; or none.

    There is none where each window says, louder than any answer, that it has none.
    """
    if not spans:
        return []
    best = max(spans, key=lambda span: span.logit)
    none = min(span.none for span in spans)
    if none > best.logit:
        return []
    everything = torch.tensor([none, *(span.all for span in spans)]).logsumexp(0)
    start, end = trimmed(text, best.start, best.end)
    return [
        {
            "entity": "answer",
            "score": math.exp(best.logit - float(everything)),
            "word": text[start:end],
            "start": start,
            "end": end,
        }
    ]
