"""The bound: the same model on the best batches in a loop, without any server.

    python offline.py 1 8 32 64 < inputs.json

Prints one line of JSON, requests (or tokens) per second: `all` where all requests are known in
advance, `at_hand` by how many users have one request each, as a server meets them. And the median
seconds of a direct call: `alone` in a loop, `paused` with a pause before each, as between two
requests of a visitor.
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
from serving.batcher import Batcher, similar
from serving.runtime import runtime

PAUSE_SECONDS = 0.004  # what a server and a visitor do between two calls


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


def at_hand(values: list[str], users: int) -> float:
    """Requests per second with never more than `users` of them at once."""
    tier = runtime.tier
    threads = runtime.threads
    batcher = Batcher(
        model.predict,
        tier.max_batch_size,
        tier.max_batch_cost,
        tier.call_cost,
        threads,
        lambda worker, tags, busy: set_threads(max(1, runtime.cpus // busy)),
    )
    room = threading.Semaphore(users)
    began = time.monotonic()
    futures = []
    for value in values:
        room.acquire()
        item = model.prepare(value)
        cost = model.cost(item) if hasattr(model, "cost") else 1
        futures.append(batcher.submit(item, cost))
        futures[-1].add_done_callback(lambda _: room.release())
    for future in futures:
        future.result()
    seconds = time.monotonic() - began
    batcher.close()
    return len(values) / seconds


def set_threads(count: int) -> None:
    """Of PyTorch, in this thread."""
    import torch

    torch.set_num_threads(count)


def alone(values: list[str], pause: float = 0) -> float:
    """Median seconds of one direct call."""
    times = []
    set_threads(runtime.cpus)
    for value in values[:100]:
        time.sleep(pause)
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
    users = list(map(int, sys.argv[1:]))
    if KIND == "chat":
        model.tokenizer.pad_token = model.tokenizer.pad_token or model.tokenizer.eos_token
        chat(values[:2])
        by_users = {count: chat(values[:count]) for count in users}
        figures = {"all": max(by_users.values()), "at_hand": by_users}
    else:
        loop(values[:64], 1)
        best = max(loop(values, workers) for workers in {1, runtime.threads})
        # one user needs as long for a tenth of them as many for all
        by_users = {
            count: at_hand(values[: max(len(values) // 10, 8) if count == 1 else None], count)
            for count in users
        }
        figures = {"all": best, "at_hand": by_users}
        figures |= {"alone": alone(values), "paused": alone(values, PAUSE_SECONDS)}
    print("\n" + json.dumps(figures))


if __name__ == "__main__":
    main()
