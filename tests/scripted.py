"""Spaces whose model.py is a few lines of plain Python, which do as they are told."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from space_process import QuickSpace, RunningSpace, python_path

WAIT_SECONDS = 60


def scripted(folder: Path, rendered: Path, model: str, **variables: Any) -> RunningSpace:
    """A copy of `rendered` in `folder` with another model.py, ready to be started.

    PyTorch is hidden from it, as where it is not installed; and so need not be imported again.
    """
    shutil.copytree(rendered, folder / "space")
    (folder / "space" / "model.py").write_text(model, encoding="utf-8")
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "torch.py").write_text("raise ImportError('hidden')", encoding="utf-8")
    settings = {"CACHE_EXAMPLES": "off", "PYTHONPATH": python_path(hidden)}
    given = {name: str(value) for name, value in variables.items()}
    return QuickSpace(folder / "space", **{**settings, **given})


def until(happened: Callable[[], Any], what: str) -> Any:
    """Wait until `happened()` is true, and return it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.02)
    raise AssertionError(f"never happened: {what}")
