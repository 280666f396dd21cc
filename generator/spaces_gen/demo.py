"""`spaces-gen demo`: a Space with a real model, served here, without the Hub."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from spaces_gen.demo_scale import on_ray, redis
from spaces_gen.embedded import MODELS
from spaces_gen.errors import UserError
from spaces_gen.load.served import signals_deferred, stop
from spaces_gen.render import render
from spaces_gen.tables import load_model_types
from spaces_gen.terminal import progress


def demo(name: str, port: int, copies: int = 0) -> int:
    """Render a Space for an embedded model and serve it on loopback until Ctrl-C.

    Args:
        copies: of the model, on a local Ray; 0 for the Space as it is.

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
        scale = "ray-serve" if copies else "one-machine"
        answers = {"model_type": embedded.model_type, "hardware": "cpu-basic", "scale": scale}
        with progress("Making the Space"):
            render(answers, space)
        title = load_model_types()[embedded.model_type].title
        print(f"{title} will be served on http://127.0.0.1:{port} (Ctrl-C stops it)", flush=True)
        variables = {"MODEL_ID": str(model)}
        if not copies:
            here = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
            return serve(space, [sys.executable, "app.py"], {**variables, **here})
        command, of_ray = on_ray(space, copies, port)
        with redis(Path(folder)) as of_redis:
            return serve(space, command, {**variables, **of_ray, **of_redis})


def serve(space: Path, command: list[str], variables: dict[str, str]) -> int:
    """Run a command in a Space until Ctrl-C or SIGTERM, which also end it."""
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):  # the last is ignored where a shell said "&"
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        **variables,
    }
    process: subprocess.Popen[bytes] | None = None
    try:
        with signals_deferred():
            # out of reach of the terminal's Ctrl-C: told twice, it would break off its own ending
            process = subprocess.Popen(command, cwd=space, env=environment, start_new_session=True)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if process is not None:
            stop(process)
