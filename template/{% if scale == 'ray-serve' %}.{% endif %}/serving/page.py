"""The page on Ray Serve: app.py as it is, served by Ray's proxy in place of Gradio."""

from __future__ import annotations

import inspect
import logging
import os
import runpy
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from serving import place
from serving.line import Line
from serving.machine import write_log
from serving.replicas import Replicas
from serving.sticky import with_cookie

log = logging.getLogger("space")

APP = Path(__file__).parent.parent / "app.py"
# of Gradio's `launch`, what `mount_gradio_app` takes from the page itself
OF_THE_PAGE = ("max_threads", "state_session_capacity")


class Page:
    """A deployment of Ray Serve. It runs app.py, whose `server.launch` ends with it.

    Args:
        copies: of the model, at most.
    """

    def __init__(self, copies: int) -> None:
        write_log()
        self._ended = threading.Event()
        self._application: Future[FastAPI] = Future()
        place.model = partial(Replicas, copies=copies)
        place.host = self._host
        threading.Thread(target=self._run, daemon=True).start()

    def __serve_build_asgi_app__(self) -> Any:
        """What Ray serves.

        Raises:
            RuntimeError: app.py ends before it launches its page.
        """
        return with_cookie(self._application.result())

    def _run(self) -> None:
        try:
            runpy.run_path(str(APP), run_name="__main__")
            if not self._application.done():
                raise RuntimeError("app.py ends without server.launch()")
        except BaseException as error:  # also sys.exit()
            if self._application.done():
                raise
            self._application.set_exception(RuntimeError(f"app.py: {error}"))

    def _host(self, demo: gr.Blocks, settings: dict[str, Any], line: Line) -> None:
        self._application.set_result(mounted(demo, settings))
        self._ended.wait()

    def __del__(self) -> None:
        """Ray calls it when no request is left."""
        self._ended.set()


def mounted(demo: gr.Blocks, settings: dict[str, Any]) -> FastAPI:
    """The page as a web application of its own, with settings as for `launch`."""
    for name in OF_THE_PAGE:
        setattr(demo, name, settings[name])
    demo._queue.max_thread_count = demo.max_threads
    taken = inspect.signature(gr.mount_gradio_app).parameters
    for name in settings.keys() - {*taken, *OF_THE_PAGE}:
        log.info("%s= of server.launch() means nothing on Ray Serve", name)
    known = {name: value for name, value in settings.items() if name in taken}
    known.setdefault("show_error", False)  # as of `launch`
    for name in ("allowed_paths", "blocked_paths"):
        paths = os.environ.get(f"GRADIO_{name.upper()}", "").split(",")
        known[name] = known.get(name) or [one.strip() for one in paths if one]
    known.setdefault("root_path", os.environ.get("GRADIO_ROOT_PATH"))
    return gr.mount_gradio_app(FastAPI(), demo, path="/", **known)
