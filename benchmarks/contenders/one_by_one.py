"""What the contenders share: the Space's own model.py, called the way a person would by hand.

Each contender runs in a rendered Space's folder, so all of them have the same `predict`.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator
from threading import Thread
from typing import Any

import model
from serving.batcher import similar
from serving.runtime import runtime

KIND = os.environ["BENCH_KIND"]  # text, pair, image, audio or chat
PORT = int(os.environ["BENCH_PORT"])
MAX_BATCH_SIZE = 32
MAX_NEW_TOKENS = int(os.environ.get("BENCH_TOKENS", "32"))


def answer(*values: str) -> Any:
    """One request."""
    return model.predict([model.prepare(*values)])[0]


def packed(items: list[Any]) -> list[Any]:
    """A batch of prepared items in passes of similar length, as our own batcher would."""
    costs = [model.cost(item) if hasattr(model, "cost") else 1 for item in items]
    limit = runtime.tier.max_batch_cost if hasattr(model, "cost") else 0
    results: list[Any] = [None] * len(items)
    for chosen in similar(costs, runtime.tier.call_cost, limit, len(items)):
        for index, result in zip(chosen, model.predict([items[index] for index in chosen])):
            results[index] = result
    return results


def prepared(value: str) -> Any:
    """A request as it comes in JSON: text, or a file in base64."""
    if KIND == "text":
        return model.prepare(value)
    suffix = {"image": ".png", "audio": ".wav"}[KIND]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(base64.b64decode(value))
        file.flush()
        return model.prepare(file.name)


def chat(message: str) -> Iterator[str]:
    """The usual hand-written stream: `generate` in a thread, one conversation at a time."""
    from transformers import TextIteratorStreamer

    conversation = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": message},
    ]
    inputs = model.tokenizer.apply_chat_template(
        conversation, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    streamer = TextIteratorStreamer(model.tokenizer, skip_prompt=True, skip_special_tokens=True)
    options = {"max_new_tokens": MAX_NEW_TOKENS, "do_sample": False, "streamer": streamer}
    Thread(target=model.model.generate, kwargs={**inputs, **options}).start()
    text = ""
    for part in streamer:
        text += part
        yield text
