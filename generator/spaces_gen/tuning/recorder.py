"""Serves a Space and writes down what its model is asked: python recorder.py FILE COUNT.

Run in the Space's folder in place of app.py, of which it is a stand-in. FILE gets one pickled
tuple of inputs after the other, up to COUNT of them; FILE.json tells where the Space runs.
"""

from __future__ import annotations

import json
import os
import pickle
import runpy
import sys
from collections.abc import AsyncIterator
from typing import Any


def record(server: Any, path: str, count: int) -> None:
    """Let a class `Server` write down the inputs of its first requests."""
    answer, stream, launch = server.answer, server.stream, server.launch
    left = count

    def note(inputs: tuple[Any, ...]) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            with open(path, "ab") as file:
                pickle.dump(inputs, file)

    async def recorded_answer(self: Any, *inputs: Any) -> Any:
        note(inputs)
        return await answer(self, *inputs)

    async def recorded_stream(self: Any, *inputs: Any) -> AsyncIterator[Any]:
        note(inputs)
        async for value in stream(self, *inputs):
            yield value

    def told_launch(self: Any, *args: Any, **options: Any) -> None:
        about = self.about
        runtime = about.runtime
        row = runtime.tier._asdict()
        told = {"row": row, "reason": runtime.reason, "device": runtime.device}
        told["model_id"] = runtime.model_id
        told |= {"zero_gpu": runtime.zero_gpu, "streams": about.streams}
        with open(f"{path}.json", "w") as file:
            json.dump(told, file)
        launch(self, *args, **options)

    server.answer, server.stream = recorded_answer, recorded_stream
    server.launch = told_launch


if __name__ == "__main__":
    sys.path[0] = os.getcwd()
    from serving.server import Server  # type: ignore[import-not-found]  # of the Space

    record(Server, sys.argv[1], int(sys.argv[2]))
    sys.argv = ["app.py"]
    runpy.run_path("app.py", run_name="__main__")
