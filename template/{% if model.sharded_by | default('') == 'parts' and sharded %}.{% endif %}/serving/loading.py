"""Loads the weights of a model of diffusers, over several cards where one is too small."""

from collections.abc import Mapping
from typing import Any

import torch

from serving.cards import check_all_on_cards, room_of_cards
from serving.runtime import runtime


def load_pipeline(kind: Any, parts: Mapping[str, torch.dtype] | None = None) -> Any:
    """Load the weights onto the device, in the dtype of the hardware.

    Where the row asks for several cards, each gets some of the parts, such as a text
    encoder. A part stays whole.

    Args:
        kind: a class of diffusers, such as AutoPipelineForText2Image.
        parts: other dtypes for some of its parts.

    Raises:
        RuntimeError: these cards do not hold the model.
    """
    dtype: Any = getattr(torch, runtime.dtype)
    dtypes = {"default": dtype, **parts} if parts else dtype
    if runtime.tier.shards == 1:
        pipeline = kind.from_pretrained(runtime.model_id, dtype=dtypes)
        pipeline.to(runtime.device)
    else:
        pipeline = kind.from_pretrained(
            runtime.model_id,
            dtype=dtypes,
            device_map="balanced",
            max_memory=room_of_cards(),
        )
        check_all_on_cards(pipeline.hf_device_map or {})
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
