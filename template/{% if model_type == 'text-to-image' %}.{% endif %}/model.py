"""The model: descriptions in, pictures out. Put your own code here."""

from typing import Any

from diffusers import AutoPipelineForText2Image
from PIL import Image

from generation import Wish, arguments, checked_wish
from serving.loading import load_pipeline
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

pipeline: Any


def load() -> None:
    """Load the weights, once, before the first request."""
    global pipeline
    pipeline = load_pipeline(AutoPipelineForText2Image)


def prepare(
    prompt: str,
    seed: int,
    steps: int,
    negative_prompt: str = "",
    guidance: float = 0,
) -> Wish:
    """Check one request."""
    wish = Wish(prompt, negative_prompt, seed, steps, guidance)
    return checked_wish(pipeline, wish, runtime.tier.max_input)


def size(wish: Wish) -> int:
    """More steps take longer."""
    return wish.steps


def group(wish: Wish) -> tuple[Any, ...]:
    """Only requests with equal options share a batch."""
    return wish.group


def predict(batch: list[Wish]) -> list[Image.Image]:
    """Draw a batch; each picture has a generator of its own and ignores the others."""
    return pipeline(**arguments(batch)).images
