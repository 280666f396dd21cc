"""Functions that sleep, batched by Gradio itself, and a log of their batches.

SLEEPS holds, by name, the seconds of each size of a batch and how many batches may run at once;
BATCHES is the file that gets a line per batch: name, begin, end (time.monotonic), size. MAX_SIZE
bounds the line; UPDATES is how often those who wait are told about it: "auto", or seconds.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import gradio as gr

MAX_SIZE = os.environ.get("MAX_SIZE")
UPDATES = os.environ.get("UPDATES", "auto")
batches = open(os.environ["BATCHES"], "a", buffering=1, encoding="utf-8")  # noqa: SIM115


def sleeping(name: str, seconds: list[float]) -> Callable[[list[str]], tuple[list[str]]]:
    """A batch function that takes as long as is said for its size."""

    def answer(values: list[str]) -> tuple[list[str]]:
        began = time.monotonic()
        time.sleep(seconds[len(values) - 1])
        print(name, began, time.monotonic(), len(values), file=batches)
        return (values,)

    return answer


with gr.Blocks() as demo:
    text, answered = gr.Textbox(), gr.Textbox()
    sleeps: dict[str, Any] = json.loads(os.environ["SLEEPS"])
    for name, one in sleeps.items():
        gr.Button(name).click(
            sleeping(name, one["seconds"]),
            text,
            answered,
            api_name=name,
            batch=True,
            max_batch_size=len(one["seconds"]),
            concurrency_limit=one["workers"],
        )

demo.queue(
    max_size=int(MAX_SIZE) if MAX_SIZE else None,
    status_update_rate="auto" if UPDATES == "auto" else float(UPDATES),
)
demo.launch(ssr_mode=False)
