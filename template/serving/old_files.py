"""Deletes uploads and results that are old enough, also while others come in.

Gradio's own way goes through a set that requests add to. When that happens it fails, and
from then on nothing is deleted any more. This takes its place, written for Gradio 6.31,
the version that the card names.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from gradio import route_utils
from gradio.utils import get_upload_folder


def delete_safely() -> None:
    """Let Gradio delete its files in this way."""
    route_utils.delete_files_created_by_app = delete_old_files


def delete_old_files(blocks: Any, age: int | None) -> None:
    """Delete the files of a page.

    Args:
        age: in seconds, of those that may be deleted; None for all.
    """
    kept: set[str] = set()
    for component in list(blocks.blocks.values()):
        kept.update(getattr(component, "keep_in_cache", ()))
    for known in blocks.temp_file_sets:
        for file in known.copy():  # in one step, so nothing can come between
            if file not in kept and is_old(Path(file), age):
                delete(Path(file))
                known.discard(file)


def is_old(path: Path, age: int | None) -> bool:
    """Whether the file is older than `age` seconds, or gone."""
    try:
        return age is None or time.time() - path.lstat().st_ctime > age
    except OSError:
        return True


def delete(path: Path) -> None:
    """Delete the file, and its folder if nothing else is in there."""
    with contextlib.suppress(OSError):
        os.remove(path)
    if path.parent != Path(get_upload_folder()):  # each upload has one of its own
        with contextlib.suppress(OSError):
            path.parent.rmdir()
