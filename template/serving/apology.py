"""The page of a Space whose model cannot be loaded: it says why, and goes on trying.

Without it the platform would start the Space again and again, and show nobody why.
"""

from __future__ import annotations

import html
import logging
import os
import time
from collections.abc import Callable
from typing import TypeVar

import gradio as gr

from serving.card import read_card
from serving.errors import ModelError

log = logging.getLogger("space")

Loaded = TypeVar("Loaded")

NO_REASON = "What went wrong stands in the log of this Space, for its owner."
FIRST_PAUSE = float(os.environ.get("RETRY_SECONDS", "30"))
LONGEST_PAUSE = 600  # seconds


def until_loaded(load: Callable[[], Loaded], reason: str) -> Loaded:
    """Serve the page until `load` succeeds; returns what it returns.

    Args:
        load: raises a ModelError, perhaps with the reason.
        reason: why it failed before.
    """
    said = [reason]
    title = read_card().title
    with gr.Blocks(title=title) as page:
        shown = gr.HTML(apology(title, reason))
        # whoever loads it later reads the latest reason; nothing fades meanwhile
        page.load(
            lambda: apology(title, said[0]), outputs=shown, show_progress="hidden"
        )
    page.launch(
        prevent_thread_lock=True,
        footer_links=[],
        enable_monitoring=False,
    )
    pause = FIRST_PAUSE
    try:
        while True:
            log.error("trying to load the model again in %g s", pause)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                return load()
            except ModelError as error:
                said[0] = error.reason
    finally:
        page.close(verbose=False)


def apology(title: str, reason: str) -> str:
    """What the page says, in HTML."""
    return (
        f'<div role="alert" style="overflow-wrap: anywhere"><h1>{html.escape(title)}</h1>\n'
        "<p>This Space cannot answer yet: its model could not be loaded.</p>\n"
        f"<p>{html.escape(reason or NO_REASON)}</p></div>"
    )
