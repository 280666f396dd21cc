"""The turns of a conversation that a model reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from serving.errors import InputError

Turn = dict[str, Any]
Read = TypeVar("Read")
ROLES = ("user", "assistant", "system")


def past(history: Iterable[Any]) -> list[Turn]:
    """The turns so far, of which a program may send anything.

    Raises:
        InputError: one of them is no turn.
    """
    turns = list(history)
    for turn in turns:
        if not isinstance(turn, dict) or turn.get("role") not in ROLES:
            raise InputError(f"Each turn needs a role: {', '.join(ROLES)}.")
        if not isinstance(turn.get("content"), (str, list, tuple, dict)):
            raise InputError("Each turn needs a content, which is a text.")
    return turns


def text_of(turn: Turn) -> str:
    """The text of one turn, which Gradio hands over whole or in parts."""
    content = turn["content"]
    parts = content if isinstance(content, (list, tuple)) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))


def newest(turns: list[Turn], read: Callable[[list[Turn]], Read | None]) -> Read | None:
    """What `read` makes of the turns without as many of the oldest as are too much.

    Args:
        read: returns None where so many are too much; it is called a few times.

    Returns:
        None where even the last question alone is too much.
    """
    found = read(turns)
    if found is not None:
        return found
    questions = [at for at, turn in enumerate(turns) if at and turn["role"] == "user"]
    first, last = 0, len(questions)
    while first < last:
        middle = (first + last) // 2
        fitting = read(turns[questions[middle] :])
        if fitting is None:
            first = middle + 1
        else:
            found, last = fitting, middle
    return found
