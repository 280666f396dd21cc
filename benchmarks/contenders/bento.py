"""BentoML with its adaptive batching."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import bentoml
import model
from one_by_one import KIND, MAX_BATCH_SIZE, chat, packed, prepared


@bentoml.service(traffic={"timeout": 120}, metrics={"enabled": False})
class Served:
    def __init__(self) -> None:
        model.load()

    if KIND == "chat":

        @bentoml.api
        def predict(self, input: str) -> Iterator[str]:
            for text in chat(input):
                yield f"data: {json.dumps(text)}\n\n"

    else:

        @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=2000)
        def predict(self, input: list[str]) -> list[Any]:
            return packed([prepared(value) for value in input])
