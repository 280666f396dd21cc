"""Where the model runs and who serves the page: both here, unless told otherwise."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import gradio as gr

from serving.apology import until_loaded
from serving.errors import ModelError
from serving.machine import ON_ZERO_GPU
from serving.metrics import Metrics
from serving.processes import Processes
from serving.zero_gpu import ZeroGpu

log = logging.getLogger("space")


def loaded(metrics: Metrics) -> Any:
    """The model; on the platform a page says meanwhile why it cannot be loaded."""
    try:
        return model(metrics)
    except ModelError as error:
        if error.reason:
            log.error("%s", error.reason)
        said = "The model could not be loaded; what is above says why."
        if host is not here or not os.environ.get("SPACE_ID"):
            sys.exit(said)
        log.error("%s", said)
        return until_loaded(lambda: model(metrics), error.reason)


def here(demo: gr.Blocks, settings: dict[str, Any]) -> None:
    """Serve `demo` until the process is told to stop."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as with Ctrl-C
    demo.launch(**settings)


model: Callable[[Metrics], Any] = ZeroGpu if ON_ZERO_GPU else Processes
host: Callable[[gr.Blocks, dict[str, Any]], None] = here
