"""Loads the weights of a model of diffusers."""

from collections.abc import Mapping
from typing import Any

import torch

from serving.runtime import runtime


def load_pipeline(kind: Any, parts: Mapping[str, torch.dtype] | None = None) -> Any:
    """Load the weights onto the device, in the dtype of the hardware.

    Args:
        kind: a class of diffusers, such as AutoPipelineForText2Image.
        parts: other dtypes for some of its parts.
    """
    dtype: Any = getattr(torch, runtime.dtype)
    pipeline = kind.from_pretrained(
        runtime.model_id, dtype={"default": dtype, **parts} if parts else dtype
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(runtime.device)
