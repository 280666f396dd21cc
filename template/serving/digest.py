"""Tells equal requests from different ones."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import pickle
from typing import Any

from serving.values import replaced

LONGEST_PATH = 1024
SMALL_BYTES = 2**16


def digest(item: Any) -> str | None:
    """A hash of what pickles (text, numbers, arrays, pictures); None for the rest."""
    data = io.BytesIO()
    pickler = pickle.Pickler(data, protocol=5)
    pickler.fast = True  # equal values give equal bytes, shared parts or not
    try:
        pickler.dump(item)
    except Exception:  # noqa: BLE001  # pickling runs the item's own code
        return None
    return hashlib.blake2b(data.getbuffer(), digest_size=16).hexdigest()


async def digest_files(
    inputs: tuple[Any, ...], folders: tuple[str, ...]
) -> tuple[Any, ...]:
    """The inputs with a hash of the content in place of each file in `folders`."""
    paths: list[str] = []

    def note(part: Any) -> None:
        if is_in(part, folders):
            paths.append(part)

    replaced(inputs, note)
    hashes = {
        path: file_hash(path)
        if is_small(path)
        else await asyncio.to_thread(file_hash, path)
        for path in set(paths)
    }
    known: tuple[Any, ...] = replaced(
        inputs, lambda part: hashes[part] if is_in(part, folders) else part
    )
    return known


def is_in(value: Any, folders: tuple[str, ...]) -> bool:
    """Whether `value` is the path of something in one of `folders`."""
    return (
        isinstance(value, str)
        and len(value) < LONGEST_PATH
        and value.startswith(tuple(folder + os.sep for folder in folders))
        and os.path.normpath(value) == value  # no way out of the folder
    )


def is_small(path: str) -> bool:
    """Whether the file is read sooner than a thread would begin to."""
    try:
        return os.path.getsize(path) <= SMALL_BYTES
    except (OSError, ValueError):
        return False


def file_hash(path: str) -> tuple[str, str]:
    """Of the content of the file at `path`; the path itself if there is none."""
    try:
        with open(path, "rb") as file:
            content = hashlib.blake2b(file.read(), digest_size=16)
    except (OSError, ValueError):
        return "path", path
    return "file", content.hexdigest()
