"""Gradio's settings: queue, limits, errors and what it is kept from doing."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from serving import place
from serving.downloads import limit_downloads
from serving.gradio_queue import adapt
from serving.inputs import JsonLimit, explain_unreadable_inputs
from serving.line import Line
from serving.metrics import Metrics
from serving.old_files import delete_safely

# In seconds: look every hour, delete uploads and outputs that are a day old.
DELETE_CACHE = (3600, 86400)
MAX_BODY_BYTES = 20 * 2**20  # of one request or upload
SESSIONS = 1000  # visitors whose state is kept at the same time

# Gradio's theme, where some of its text is too faint: WCAG asks for a contrast of 4.5 to 1.
THEME = gr.themes.Default().set(
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_hover_dark="*primary_800",
    body_text_color_subdued="*neutral_500",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
)

# Unless told otherwise Gradio reports usage to its makers.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# What only its monitoring page shows: a table of up to 10,000 events, made anew after each.
NO_STATISTICS = {
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
}


def launch(
    demo: gr.Blocks,
    line: Line,
    metrics: Metrics,
    limit: int,
    max_size: int,
    running: Callable[[Any], Any],
    options: dict[str, Any],
) -> None:
    """Serve `demo` until the process is told to stop.

    Args:
        line: decides who is let in.
        limit: requests that are answered at the same time.
        max_size: requests that may wait.
        running: a lifespan: entered with the web application when it starts.
        options: for Gradio's `launch`; they win over the settings here.
    """
    explain_unreadable_inputs(demo)
    limit_downloads()
    delete_safely()
    if not options.get("enable_monitoring"):
        for name, value in NO_STATISTICS.items():
            os.environ.setdefault(name, value)
    own_limit = "GRADIO_DEFAULT_CONCURRENCY_LIMIT" in os.environ
    demo.queue(
        max_size=max_size + 1,  # the line refuses before, with a better message
        default_concurrency_limit="not_set" if own_limit else limit,
        # in seconds; "auto" tells every waiting visitor about every change
        status_update_rate=5,
    )
    adapt(demo._queue, line, metrics)
    settings: dict[str, Any] = {
        "max_threads": max(40, 2 * limit + 8),  # it bounds async functions as well
        "max_file_size": MAX_BODY_BYTES,
        "app_kwargs": {
            "max_body_size": MAX_BODY_BYTES,
            "lifespan": running,
            "middleware": [Middleware(JsonLimit)],
        },
        "state_session_capacity": SESSIONS,
        "enable_monitoring": False,
    }
    if demo._deprecated_theme is None:  # gr.Blocks(theme=...) still works
        settings["theme"] = THEME
    if "GRADIO_RUN_HISTORY" not in os.environ:
        settings["run_history"] = False  # keep nothing of what visitors type
    if "GRADIO_MCP_SERVER" not in os.environ:
        settings["mcp_server"] = importlib.util.find_spec("mcp") is not None
    place.host(demo, {**settings, **options}, line)
