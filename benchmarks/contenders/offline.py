"""The bound: the same model on the best batches in a loop, without any server.

Prints one line of JSON: requests (or tokens) per second, and the median seconds of a direct call.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from typing import Any

import model
from one_by_one import KIND, MAX_NEW_TOKENS
from serving.batcher import similar
from serving.runtime import runtime


def loop(values: list[str], workers: int) -> float:
    """Requests per second: prepare all, sort all by length, then as many workers as the row has."""
    began = time.monotonic()
    items = [model.prepare(value) for value in values]
    costs = [model.cost(item) if hasattr(model, "cost") else 1 for item in items]
    limit = runtime.tier.max_batch_cost if hasattr(model, "cost") else 0
    batches = iter(similar(costs, runtime.tier.call_cost, limit, runtime.tier.max_batch_size))
    lock = threading.Lock()

    def work() -> None:
        set_threads(max(1, runtime.cpus // workers))
        while True:
            with lock:
                chosen = next(batches, None)
            if chosen is None:
                return
            model.predict([items[index] for index in chosen])

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(values) / (time.monotonic() - began)


def set_threads(count: int) -> None:
    """Of PyTorch, in this thread."""
    import torch

    torch.set_num_threads(count)


def alone(values: list[str]) -> float:
    """Median seconds of one direct call."""
    times = []
    set_threads(runtime.cpus)
    for value in values[:100]:
        began = time.monotonic()
        model.predict([model.prepare(value)])
        times.append(time.monotonic() - began)
    return statistics.median(times)


def chat(messages: list[str]) -> float:
    """Tokens per second with all conversations at once."""
    from transformers import GenerationConfig

    prompts = [
        model.tokenize(
            [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": message},
            ]
        )
        for message in messages
    ]
    ids = model.tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    options = GenerationConfig(max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
    began = time.monotonic()
    output = model.model.generate(**ids, generation_config=options)
    new = output[:, ids["input_ids"].shape[1] :]
    tokens = int((new != model.tokenizer.pad_token_id).sum())
    return tokens / (time.monotonic() - began)


def main() -> None:
    """Read the inputs, measure, print."""
    model.load()
    values: list[Any] = json.load(sys.stdin)
    if KIND == "chat":
        model.tokenizer.pad_token = model.tokenizer.pad_token or model.tokenizer.eos_token
        chat(values[:2])
        figures = {"rate": chat(values[:32])}
    else:
        loop(values[:64], 1)
        best = max(loop(values, workers) for workers in {1, runtime.threads})
        figures = {"rate": best, "alone": alone(values)}
    print("\n" + json.dumps(figures))


if __name__ == "__main__":
    main()
