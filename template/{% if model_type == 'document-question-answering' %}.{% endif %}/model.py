"""The model: pages with questions in, answers out. Put your own code here.

Tesseract reads the words and where they stand; a model like LayoutLM points at those
that answer the question.
"""

from typing import Any, NamedTuple

import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForDocumentQuestionAnswering, AutoTokenizer

from documents import Page, Word, read_page
from serving.errors import InputError
from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_CHARACTERS = 500  # of a question
MAX_QUESTION_TOKENS = 64
WINDOW = 512  # tokens that the model reads at once, question included
STRIDE = 128  # tokens that a window shares with the one before
MAX_ANSWER_TOKENS = 15
CANDIDATES = 20  # answers of a window that are looked at
TOP_ANSWERS = 3
QUESTION_BOX, END_BOX = [0] * 4, [1000] * 4  # as the model learned them

tokenizer: Any
model: Any


class Window(NamedTuple):
    """Tokens that the model reads at once, and the number of the word of each, or -1."""

    inputs: dict[str, torch.Tensor]
    places: torch.Tensor


class Item(NamedTuple):
    """One request: its page, and the windows that hold all words on it."""

    page: Page
    windows: list[Window]


class Span(NamedTuple):
    """A possible answer: numbers of its first and last word."""

    score: float
    first: int
    last: int


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id, add_prefix_space=True)
    model = AutoModelForDocumentQuestionAnswering.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(path: str | None, question: str) -> Item:
    """Read the page and tokenize its words, while the model is busy with others."""
    checked(question, MAX_CHARACTERS, "Please type a question first.")
    asked = question.split()
    length = len(tokenizer(asked, is_split_into_words=True)["input_ids"])
    if length > MAX_QUESTION_TOKENS:
        raise InputError("This question is too long. Please ask in fewer words.")
    page = read_page(path, runtime.tier.max_input)
    return Item(page, windows(asked, page.words))


def windows(question: list[str], words: list[Word]) -> list[Window]:
    """The tokens of all words, in windows that overlap, each with the question."""
    tokens = tokenizer(
        question,
        [word.text for word in words],
        is_split_into_words=True,
        truncation="only_second",
        max_length=WINDOW,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_token_type_ids=True,
    )
    found = []
    for number, ids in enumerate(tokens["input_ids"]):
        places = [
            word if part == 1 else -1
            for word, part in zip(tokens.word_ids(number), tokens.sequence_ids(number))
        ]
        inputs = {
            "input_ids": torch.tensor(ids),
            "token_type_ids": torch.tensor(tokens["token_type_ids"][number]),
            "attention_mask": torch.ones(len(ids), dtype=torch.long),
            "bbox": torch.tensor(
                [token_box(one, place, words) for one, place in zip(ids, places)]
            ),
        }
        found.append(Window(inputs, torch.tensor(places)))
    return found


def token_box(token: int, place: int, words: list[Word]) -> list[int]:
    """Where a token stands: left, top, right and bottom in thousandths of the page."""
    if place < 0:
        return END_BOX if token == tokenizer.sep_token_id else QUESTION_BOX
    return [int(1000 * side) for side in words[place][2:]]


def cost(item: Item) -> int:
    """Tokens of all windows of one request, padded to the longest."""
    return len(item.windows) * max(len(window.places) for window in item.windows)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[tuple[dict[str, float], Image.Image]]:
    """Answer a batch: all its windows, as many at a time as the tier allows."""
    every = [window for item in batch for window in item.windows]
    longest = max(len(window.places) for window in every)
    at_once = max(1, runtime.tier.max_batch_cost // longest)
    spans = [
        found
        for start in range(0, len(every), at_once)
        for found in read(every[start : start + at_once])
    ]
    answers = []
    for item in batch:
        own, spans = spans[: len(item.windows)], spans[len(item.windows) :]
        answers.append(answer(item, [span for found in own for span in found]))
    return answers


def read(some: list[Window]) -> list[list[Span]]:
    """The likeliest answers in each of some windows."""
    inputs = {
        name: pad_sequence(
            [window.inputs[name] for window in some],
            batch_first=True,
            padding_value=tokenizer.pad_token_id if name == "input_ids" else 0,
        ).to(runtime.device)
        for name in some[0].inputs
    }
    outputs = model(**inputs)
    starts, ends = outputs.start_logits.float().cpu(), outputs.end_logits.float().cpu()
    return [
        likeliest(start[: len(window.places)], end[: len(window.places)], window.places)
        for start, end, window in zip(starts, ends, some)
    ]


def likeliest(
    start: torch.Tensor, end: torch.Tensor, places: torch.Tensor
) -> list[Span]:
    """The likeliest answers in one window, from the logits of its tokens."""
    word = places >= 0
    allowed = word.clone()
    allowed[0] = True  # where the model points if the answer is not in this window
    start = start.masked_fill(~allowed, -torch.inf).softmax(0) * word
    end = end.masked_fill(~allowed, -torch.inf).softmax(0) * word
    scores = torch.outer(start, end).triu().tril(MAX_ANSWER_TOKENS - 1)
    top = scores.flatten().topk(min(CANDIDATES, scores.numel()))
    width = len(places)
    return [
        Span(score, int(places[number // width]), int(places[number % width]))
        for score, number in zip(top.values.tolist(), top.indices.tolist())
        if score > 0
    ]


def answer(item: Item, spans: list[Span]) -> tuple[dict[str, float], Image.Image]:
    """The best answers that share no word, and the page with the first one marked."""
    chosen: list[Span] = []
    for span in sorted(spans, reverse=True):
        if all(span.last < one.first or one.last < span.first for one in chosen):
            chosen.append(span)
    texts: dict[str, float] = {}
    for span in chosen:
        words = item.page.words[span.first : span.last + 1]
        texts.setdefault(" ".join(word.text for word in words), span.score)
    best = item.page.words[chosen[0].first : chosen[0].last + 1]
    top = dict(list(texts.items())[:TOP_ANSWERS])
    return top, item.page.marked(best)
