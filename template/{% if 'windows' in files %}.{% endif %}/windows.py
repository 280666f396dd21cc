"""Cuts texts that are longer than the model reads at once into overlapping windows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from serving.batcher import similar
from serving.errors import InputError
from serving.runtime import runtime

Place = tuple[int, int]  # where a token starts and ends in the text, in characters


class Window(NamedTuple):
    """Tokens that the model reads at once.

    Attributes:
        inputs: what the model gets: for each of its arguments a number per token.
        places: of each token; None for those that are not of the text, or only spaces.
        own: the tokens that no other window has nearer to its middle.
    """

    inputs: dict[str, list[int]]
    places: list[Place | None]
    own: slice


def windows(
    tokenizer: Any, text: str, most: int, overlap: int, question: str | None = None
) -> list[Window]:
    """Cut a text; none where it has no token.

    The tokenizer cuts nothing itself: its settings for that are not safe in several threads.

    Args:
        most: tokens of a window.
        overlap: tokens that two windows share.
        question: what each window begins with.

    Raises:
        InputError: the question is too long.
    """
    texts = (text,) if question is None else (question, text)
    tokens = tokenizer(*texts, return_offsets_mapping=True, verbose=False)
    places = tokens["offset_mapping"]
    words = {
        at: place for at, place in enumerate(places) if text[slice(*place)].strip()
    }
    number = len(texts) - 1
    inside = [at for at, part in enumerate(tokens.sequence_ids()) if part == number]
    if not inside:
        return []
    first, end, count = inside[0], inside[-1] + 1, len(places)
    room = most - first - (count - end)  # for tokens of the text in a window
    if room < 2 * overlap:
        raise InputError("This question is too long. Please shorten it.")
    names = [name for name in tokenizer.model_input_names if name in tokens]
    found = []
    for start in range(first, max(first + 1, end - overlap), room - overlap):
        stop = min(start + room, end)
        kept = [*range(first), *range(start, stop), *range(end, count)]
        before = overlap // 2 if start > first else 0
        after = overlap - overlap // 2 if stop < end else 0
        found.append(
            Window(
                {name: [tokens[name][at] for at in kept] for name in names},
                [words.get(at) if start <= at < stop else None for at in kept],
                slice(first + before, first + stop - start - after),
            )
        )
    return found


def trimmed(text: str, start: int, end: int) -> Place:
    """A place without the spaces at its edges, which some tokens have."""
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    return start, start + len(words.strip())


def passes(cut: Sequence[Window]) -> list[list[int]]:
    """Indices of the windows that go through the model together: those of similar length."""
    tier = runtime.tier
    lengths = [len(window.places) for window in cut]
    return similar(lengths, tier.call_cost, tier.max_batch_cost, len(cut))


def padded(tokenizer: Any, cut: Sequence[Window]) -> Any:
    """Windows as tensors of shape (windows, tokens of the longest)."""
    rows = [window.inputs for window in cut]
    return tokenizer.pad(rows, padding_side="right", return_tensors="pt")
