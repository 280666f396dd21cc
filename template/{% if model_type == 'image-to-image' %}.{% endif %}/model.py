"""The model: pictures with descriptions in, new pictures out. Put your own code here."""

import math
from typing import Any, NamedTuple

from diffusers import AutoPipelineForImage2Image
from PIL import Image

from generation import Wish, arguments, checked_wish, options
from images import open_image
from serving.errors import InputError
from serving.loading import load_pipeline
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_PIXELS = 40_000_000  # of an uploaded picture
SIDE_STEP = 2  # in the model's own pixels, which sides are multiples of

pipeline: Any


class Item(NamedTuple):
    """One request; models that follow an instruction take no strength."""

    image: Image.Image
    strength: float | None
    wish: Wish


def load() -> None:
    """Load the weights, once, before the first request."""
    global pipeline
    pipeline = load_pipeline(AutoPipelineForImage2Image)


def prepare(
    path: str | None,
    prompt: str,
    strength: float,
    seed: int,
    steps: int,
    negative_prompt: str = "",
    guidance: float = 0,
) -> Item:
    """Check one request and scale its picture, while the model is busy with others."""
    wish = Wish(prompt, negative_prompt, seed, steps, guidance)
    wish = checked_wish(pipeline, wish, runtime.tier.max_input)
    image = fitted(open_image(path, MAX_PIXELS))
    if not takes_strength():
        return Item(image, None, wish)
    check_strength(strength, wish.steps)
    return Item(image, strength, wish)


def takes_strength() -> bool:
    """Whether the model starts from the picture, more or less of it."""
    return "strength" in options(pipeline)


def check_strength(strength: float, steps: int) -> None:
    """Refuse a strength that leaves the model nothing to do.

    Raises:
        InputError: it does.
    """
    if strength is None or not 0 < strength <= 1:
        raise InputError("How much may change goes from above 0 to 1.")
    kept, needed = steps, 1  # of all steps, the last ones are done
    if "original_inference_steps" in options(pipeline):
        # a consistency model takes its steps out of the last that it was trained with
        kept, needed = pipeline.scheduler.config.original_inference_steps, steps
    if int(kept * strength) < needed:
        enough = min(1, math.floor(100 * needed / kept) / 100 + 0.01)
        raise InputError(
            f"With {steps} steps at least {enough:.2f} must be allowed to change."
        )


def fitted(image: Image.Image) -> Image.Image:
    """The picture at the size that the model was trained on, with the same shape."""
    step = SIDE_STEP * pipeline.vae_scale_factor
    scale = own_side() / max(image.size)
    width, height = (
        max(step, round(side * scale / step) * step) for side in image.size
    )
    return image.resize((width, height), Image.Resampling.LANCZOS)


def own_side() -> int:
    """Pixels along a side of the pictures that the model was trained on."""
    network = getattr(pipeline, "unet", None) or pipeline.transformer
    size = network.config.get("sample_size") or pipeline.default_sample_size
    return pipeline.vae_scale_factor * (size if isinstance(size, int) else max(size))


def size(item: Item) -> int:
    """More steps take longer."""
    return item.wish.steps


def group(item: Item) -> tuple[Any, ...]:
    """Only pictures of equal size, with equal options, share a batch."""
    return item.image.size, item.strength, item.wish.group


def predict(batch: list[Item]) -> list[Image.Image]:
    """Draw a batch; each picture has a generator of its own and ignores the others."""
    if takes_strength():
        return draw(batch)
    # to such a model, several pictures are all for one description
    return [image for item in batch for image in draw([item])]


def draw(batch: list[Item]) -> list[Image.Image]:
    """Draw in one call of the pipeline."""
    given = arguments([item.wish for item in batch])
    if batch[0].strength is not None:
        given["strength"] = batch[0].strength
    return pipeline(image=[item.image for item in batch], **given).images
