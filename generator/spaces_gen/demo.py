"""`spaces-gen demo`: a Space with a real model, served here, without the Hub."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from spaces_gen.embedded import MODELS
from spaces_gen.errors import UserError
from spaces_gen.load.served import signals_deferred, stop
from spaces_gen.render import render
from spaces_gen.tables import load_model_types


def demo(name: str, port: int) -> int:
    """Render a Space for an embedded model and serve it on loopback until Ctrl-C.

    Returns:
        The exit code of the Space.

    Raises:
        UserError: there is no such demo, or its package is missing.
    """
    if name not in MODELS:
        raise UserError(f"there is no demo {name!r}; choose one of {', '.join(MODELS)}")
    embedded = MODELS[name]
    model = embedded.folder()
    with tempfile.TemporaryDirectory(prefix="spaces-gen-demo-") as folder:
        space = Path(folder) / "space"
        answers = {"model_type": embedded.model_type, "hardware": "cpu-basic"}
        render(answers, space)
        title = load_model_types()[embedded.model_type].title
        print(f"{title} will be served on http://127.0.0.1:{port} (Ctrl-C stops it)", flush=True)
        return serve(space, {"MODEL_ID": str(model)}, port)


def serve(space: Path, variables: dict[str, str], port: int) -> int:
    """Run a Space's app.py on 127.0.0.1:`port` until Ctrl-C or SIGTERM, which also end it."""
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):  # the last is ignored where a shell said "&"
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        **variables,
    }
    process: subprocess.Popen[bytes] | None = None
    try:
        with signals_deferred():
            # out of reach of the terminal's Ctrl-C: told twice, it would break off its own ending
            process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=space, env=environment, start_new_session=True
            )
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if process is not None:
            stop(process)
