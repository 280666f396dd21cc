"""Checks the texts that visitors type."""

from serving.errors import InputError


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
