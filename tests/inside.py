"""Runs something where the model.py of a Space lies, in a process of its own.

It is forked, which spares it the imports that take longest: PyTorch and transformers.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 200
TEMPLATE = Path(__file__).parent.parent / "template"


def inside(space: Path, variables: Mapping[str, str], work: Callable[[], Any]) -> Any:
    """What `work` returns in a Space, with one thread for PyTorch.

    Args:
        variables: of the environment, such as MODEL_ID.

    Raises:
        AssertionError: it fails or takes too long.
    """
    import torch  # before the fork
    import transformers  # noqa: F401

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def call() -> None:
        gc.freeze()  # or collections would look through, and so copy, all that was here before
        try:
            torch.set_num_threads(1)
            os.environ.update(variables)
            os.chdir(space)
            sys.path.insert(0, str(space))
            for name, module in list(sys.modules.items()):
                if str(getattr(module, "__file__", None)).startswith(str(TEMPLATE)):
                    del sys.modules[name]  # another test has imported it
            sender.send((True, work()))
        except BaseException:
            sender.send((False, traceback.format_exc()))
        finally:
            os._exit(0)

    process = context.Process(target=call)
    process.start()
    sender.close()
    try:
        assert receiver.poll(PATIENCE_SECONDS), "it takes too long"
        succeeded, found = receiver.recv()
    finally:
        process.kill()
        process.join()
    assert succeeded, found
    return found


def printed(code: str, given: str = "") -> Any:
    """What some code prints as JSON in its last line, which reads `given` from standard input."""
    out = io.StringIO()
    sys.stdin = io.StringIO(given)
    with contextlib.redirect_stdout(out):
        exec(code, {"__name__": "__main__"})
    return json.loads(out.getvalue().splitlines()[-1])
