"""Where the model runs and who serves the page: both here, unless told otherwise."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import gradio as gr

from serving.machine import ON_ZERO_GPU
from serving.metrics import Metrics
from serving.processes import Processes
from serving.zero_gpu import ZeroGpu


def here(demo: gr.Blocks, settings: dict[str, Any]) -> None:
    """Serve `demo` until the process is told to stop."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as with Ctrl-C
    demo.launch(**settings)


model: Callable[[Metrics], Any] = ZeroGpu if ON_ZERO_GPU else Processes
host: Callable[[gr.Blocks, dict[str, Any]], None] = here
