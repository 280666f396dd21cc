"""Conversations that are answered together, one token of each at a time.

By continuous batching where one card holds the model; that takes no model which is
spread over several, so there the conversations that come together are one batch.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import torch

from serving import continuous
from serving.runtime import runtime
from serving.together import Sampling, Together


class Spread:
    """Answers of a model of transformers that is spread over several cards."""

    def __init__(self, model: Any, longest: int) -> None:
        self._model = model
        ends = model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
        # what fills up shorter prompts is not looked at
        self._filler = ends[0] if ends else 0
        self._together = Together(self._generate, ends, runtime.tier.max_batch_size)

    async def to(
        self, prompt: list[int], length: int, temperature: float, top_p: float
    ) -> AsyncGenerator[tuple[list[int], bool], None]:
        """The tokens of the answer so far, again and again, and whether they are all."""
        sampling = Sampling(temperature, top_p)
        async with aclosing(self._together.answer(prompt, length, sampling)) as growing:
            tokens: list[int] = []
            async for tokens in growing:
                yield tokens, False
            yield tokens, True

    def close(self) -> None:
        """Its thread ends with the batch that it computes."""

    def _generate(self, prompts: list[list[int]], **options: Any) -> None:
        """Answer some prompts; what is said goes to `options["streamer"]`."""
        longest = max(map(len, prompts))
        ids = torch.full((len(prompts), longest), self._filler)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # on the left, where no answer begins
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        device = self._model.device
        with torch.inference_mode():
            self._model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                pad_token_id=self._filler,
                **options,
            )


Answers = Spread if runtime.tier.shards > 1 else continuous.Answers
