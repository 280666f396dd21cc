"""Answers of the model of a Space as JSON; see probe.py."""

from __future__ import annotations

from typing import Any

PICTURE, OPAQUE = "a picture", "a file"  # what an answer holds as JSON; no model says so
BYTES = {"L", "P", "RGB", "RGBA"}  # modes of pictures with a byte for each value
SAMPLED = 32  # pixels of a picture in each direction


def plain(value: Any) -> Any:
    """A value of numbers, texts, lists and mappings, as `fidelity` compares them.

    Pictures are sampled at a few places, without new shades; of a file only its kind is told.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if hasattr(value, "getbands"):  # a picture: its mode and some of its pixels
        some = value if value.mode in BYTES else value.convert("L")
        pixels = list(some.resize((SAMPLED, SAMPLED), 0).tobytes())
        return {PICTURE: [value.mode, *value.size], "pixels": pixels}
    if hasattr(value, "content") and hasattr(value, "suffix"):
        return {OPAQUE: value.suffix}
    return repr(value)
