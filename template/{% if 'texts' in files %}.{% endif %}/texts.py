"""Checks the texts that visitors type."""

from typing import Any

from serving.errors import InputError

UNKNOWN_LENGTH = 1_000_000  # tokenizers that are not told say more
USUAL_LENGTH = 512


def checked(text: str, most: int, empty: str = "Please type a text first.") -> str:
    """The text, if there is one of `most` characters at most.

    Raises:
        InputError: there is none, or it is too long.
    """
    if not text.strip():
        raise InputError(empty)
    if len(text) > most:
        raise InputError(f"This text is too long: {most:,} characters are the limit.")
    return text


def longest(tokenizer: Any, config: Any) -> int:
    """How many tokens a model reads at once, by its tokenizer or its configuration."""
    if tokenizer.model_max_length < UNKNOWN_LENGTH:
        return tokenizer.model_max_length
    positions = getattr(config, "max_position_embeddings", None) or 0
    return positions - 2 if positions > 2 else USUAL_LENGTH  # some count from 2
