"""Where the model runs and who serves the page: both here, unless told otherwise."""

from __future__ import annotations

import _thread
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gradio as gr

from serving.apology import until_loaded
from serving.errors import ModelError
from serving.line import Line
from serving.machine import ON_ZERO_GPU
from serving.metrics import Metrics
from serving.processes import Processes
from serving.zero_gpu import ZeroGpu

log = logging.getLogger("space")

GRACE_SECONDS = 20  # after which a platform may end a container by force
LAST_SECONDS = 0.2  # for answers that are on their way to their visitors


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


def here(demo: gr.Blocks, settings: dict[str, Any], line: Line) -> None:
    """Serve `demo` until the process is told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: close(line))
    demo.launch(**settings)


def close(line: Line) -> None:
    """Let nobody in, answer those inside, then stop as with Ctrl-C."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # and at once if told again
    line.closing = True
    if line.length:
        log.info("answering those inside before the end: %d", line.length)
    threading.Thread(target=stop_when_empty, args=[line], daemon=True).start()


def stop_when_empty(line: Line) -> None:
    """Stop when all are answered, or when the platform will not wait longer."""
    end = time.monotonic() + GRACE_SECONDS
    since = time.monotonic()
    while time.monotonic() < end and time.monotonic() - since < LAST_SECONDS:
        with suppress(RuntimeError):  # it has changed while it was counted
            if line.length:
                since = time.monotonic()
        time.sleep(0.02)
    _thread.interrupt_main(signal.SIGTERM)


model: Callable[[Metrics], Any] = ZeroGpu if ON_ZERO_GPU else Processes
host: Callable[[gr.Blocks, dict[str, Any], Line], None] = here
