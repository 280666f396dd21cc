"""The model: descriptions in, pictures out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from diffusers import AutoPipelineForText2Image
from PIL import Image

from serving.errors import InputError
from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_CHARACTERS = 2_000

pipeline: Any


class Item(NamedTuple):
    """One request."""

    prompt: str
    seed: int
    steps: int


def load() -> None:
    """Load the weights, once, before the first request."""
    global pipeline
    dtype = getattr(torch, runtime.dtype)
    pipeline = AutoPipelineForText2Image.from_pretrained(runtime.model_id, dtype=dtype)
    pipeline.to(runtime.device)
    pipeline.set_progress_bar_config(disable=True)


def prepare(prompt: str, seed: int, steps: int) -> Item:
    """Check one request."""
    checked(prompt, MAX_CHARACTERS, "Please describe a picture first.")
    most = runtime.tier.max_input
    if not 1 <= steps <= most:
        raise InputError(f"Steps go from 1 to {most}.")
    if not 0 <= seed < 2**31:
        raise InputError("Seeds go from 0 to 2147483647.")
    return Item(prompt, int(seed), int(steps))


def size(item: Item) -> int:
    """More steps take longer."""
    return item.steps


def group(item: Item) -> int:
    """Only requests of equal steps share a batch."""
    return item.steps


def predict(batch: list[Item]) -> list[Image.Image]:
    """Draw a batch; each picture has a generator of its own and ignores the others."""
    generators = [torch.Generator("cpu").manual_seed(item.seed) for item in batch]
    drawn = pipeline(
        [item.prompt for item in batch],
        generator=generators,
        num_inference_steps=batch[0].steps,
    )
    return drawn.images
