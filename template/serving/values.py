"""Answers on their way: as they travel, as Gradio takes them, and as JSON."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

SURROGATE = re.compile("[\ud800-\udfff]")
KINDS = {".png": "image/png", ".wav": "audio/wav", ".mp4": "video/mp4"}
NUMBERS = {type(None), bool, int, float}
PLAIN = NUMBERS | {str}  # what JSON holds as it is


@dataclass(frozen=True)
class Media:
    """A picture, recording or video, encoded where it was made.

    So the page's process need not do it. Pictures of PIL become one by themselves; others
    model.py makes.

    Attributes:
        content: of the file.
        suffix: one of `KINDS`, such as ".wav".
    """

    content: bytes
    suffix: str = ".png"

    @property
    def uri(self) -> str:
        """As text, for JSON."""
        data = base64.b64encode(self.content).decode()
        return f"data:{KINDS[self.suffix]};base64,{data}"

    def file(self, folder: Path) -> str:
        """Path of a file in `folder` that holds it; equal ones share it."""
        name = hashlib.sha256(self.content).hexdigest()
        kind = KINDS[self.suffix].split("/")[0]
        path = folder / name / f"{kind}{self.suffix}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
                part.write(self.content)
            os.replace(part.name, path)  # whole or not at all: others may ask for it
        return str(path)


def is_plain(values: Iterable[Any]) -> bool:
    """Whether JSON holds all `values` as they are; quick, for long lists of numbers."""
    return set(map(type, values)) <= PLAIN


def is_unicode(value: Any) -> bool:
    """Whether all text in `value` is; half of a pair of surrogates is not."""
    if isinstance(value, str):
        return value.isascii() or not SURROGATE.search(value)
    if isinstance(value, dict):
        return all(map(is_unicode, (*value, *value.values())))
    return not isinstance(value, (list, tuple)) or all(map(is_unicode, value))


def holds_media(value: Any) -> bool:
    """Whether `value` is a picture or another file, or has one inside."""
    if isinstance(value, (list, tuple)) and is_plain(value):
        return False
    if isinstance(value, (list, tuple)):
        return any(map(holds_media, value))
    if isinstance(value, dict):
        return any(map(holds_media, value.values()))
    return isinstance(value, (Image.Image, Media))


def any_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    """Whether a part of `value` that is no list, tuple or dict fits."""
    found = False

    def look(part: Any) -> None:
        nonlocal found
        found = found or fits(part)

    replaced(value, look)
    return found


def encode_pictures(value: Any) -> Any:
    """`value` with its pictures as PNG."""

    def encode(part: Any) -> Any:
        if not isinstance(part, Image.Image):
            return part
        data = io.BytesIO()
        part.save(data, "PNG", compress_level=1)
        return Media(data.getvalue())

    return replaced(value, encode)


def replaced(value: Any, replace: Callable[[Any], Any]) -> Any:
    """`value` with `replace` applied to all that is no list, tuple or dict.

    Lists of numbers, which may be long, stay as they are.
    """
    if isinstance(value, list):
        if set(map(type, value)) <= NUMBERS:
            return value
        return [replaced(item, replace) for item in value]
    if isinstance(value, tuple):
        items = [replaced(item, replace) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, dict):
        return {key: replaced(item, replace) for key, item in value.items()}
    return replace(value)


def to_entry(value: Any, keep: Callable[[Media], str]) -> dict[str, Any]:
    """`value` as what JSON can hold and `from_entry` reads back without a difference.

    Args:
        keep: stores a file and returns a name for it.

    Raises:
        TypeError: the value holds something that JSON cannot.
    """
    if isinstance(value, Media):
        return {"media": [value.suffix, keep(value)]}
    if type(value) is list and is_plain(value):
        return {"plain": value}
    kind = type(value).__name__
    if type(value) in (list, tuple):
        return {kind: [to_entry(item, keep) for item in value]}
    if type(value) is dict:
        items = value.items()
        return {
            "dict": [[to_entry(key, keep), to_entry(one, keep)] for key, one in items]
        }
    if type(value) in PLAIN:
        return {"value": value}
    raise TypeError(f"{kind} cannot be kept")


def from_entry(entry: dict[str, Any], fetch: Callable[[str], bytes]) -> Any:
    """The value that `to_entry` wrote; `fetch` finds the file of a name."""
    ((kind, content),) = entry.items()
    if kind == "media":
        suffix, name = content
        if suffix not in KINDS:
            raise ValueError(f"{suffix} is no kind of media")
        return Media(fetch(name), suffix)
    if kind == "dict":
        return {
            from_entry(key, fetch): from_entry(item, fetch) for key, item in content
        }
    if kind in ("value", "plain"):
        return content
    return {"list": list, "tuple": tuple}[kind](
        from_entry(item, fetch) for item in content
    )


def as_json(value: Any) -> Any:
    """`value` as what JSON can hold; media become data URIs.

    Raises:
        TypeError: it holds something else.
    """

    def convert(part: Any) -> Any:
        if isinstance(part, Media):
            return part.uri
        if part is None or isinstance(part, (str, int, float)):
            return part
        if hasattr(part, "tolist"):  # of NumPy
            return part.tolist()
        raise TypeError(f"{type(part).__name__} cannot be written as JSON")

    return replaced(value, convert)
