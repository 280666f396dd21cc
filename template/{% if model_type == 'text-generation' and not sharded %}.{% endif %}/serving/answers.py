"""Conversations that are answered together, one token of each at a time.

Whoever is done makes room at once, and nobody waits for the longest answer (continuous
batching, by transformers).
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from transformers import GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from serving.runtime import runtime

PAGE_TOKENS = 64  # of the cache of keys and values, which is handed out in pages
TOP_K = 50  # words that are drawn from, at most


class Answers:
    """Answers of a model of transformers.

    Args:
        longest: tokens of a conversation with its answer, at most.
    """

    def __init__(self, model: Any, longest: int) -> None:
        self._model = model
        self._longest = longest
        self._managers: dict[int, Any] = {}  # by process: ZeroGPU forks for each call

    async def to(
        self, prompt: list[int], length: int, temperature: float, top_p: float
    ) -> AsyncGenerator[tuple[list[int], bool], None]:
        """The tokens of the answer so far, again and again, and whether they are all."""
        name = uuid.uuid4().hex
        outputs: asyncio.Queue[Any] = asyncio.Queue()
        batch = self._manager()
        batch.register_result_handler(name, outputs.put_nowait)
        sampling: dict[str, Any] = {"top_k": 1}
        if temperature > 0:  # the manager takes no int here
            sampling = {"temperature": float(temperature), "top_p": float(top_p)}
        await asyncio.to_thread(
            batch.add_request,
            prompt,
            name,
            max_new_tokens=length,
            streaming=True,
            **sampling,
        )
        finished = False
        try:
            while not finished:
                output = await outputs.get()
                finished = output.is_finished()
                if output.error:
                    raise RuntimeError(output.error)
                yield output.generated_tokens, finished
        finally:
            if not finished:
                batch.cancel_request(name)

    def close(self) -> None:
        """Stop the thread that runs the model."""
        for manager in self._managers.values():
            manager.stop(block=True, timeout=5, hard_stop=True)

    def _manager(self) -> Any:
        """What batches the conversations."""
        process = os.getpid()
        if process not in self._managers:
            self._managers.clear()
            ends = self._model.generation_config
            tier = runtime.tier
            self._managers[process] = self._model.init_continuous_batching(
                generation_config=GenerationConfig(
                    do_sample=True,
                    temperature=0.7,  # any value but 1 makes it adjustable per request
                    top_k=TOP_K,
                    top_p=0.95,
                    max_new_tokens=tier.max_input,
                    eos_token_id=ends.eos_token_id,
                    pad_token_id=ends.pad_token_id,
                ),
                continuous_batching_config=ContinuousBatchingConfig(
                    page_size=PAGE_TOKENS,
                    num_blocks=tier.max_batch_size * -(-self._longest // PAGE_TOKENS),
                    max_batch_tokens=max(tier.max_batch_cost, tier.max_batch_size),
                    max_requests_per_batch=tier.max_batch_size,
                    use_cuda_graph=False,
                    per_request_processors=True,
                ),
            )
            self._managers[process].start()
        return self._managers[process]
