"""The turns of a conversation that a model reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Turn = dict[str, Any]
Read = TypeVar("Read")


def text_of(turn: Turn) -> str:
    """The text of one turn, which Gradio hands over whole or in parts."""
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


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
