"""The model: pictures in, depth maps out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForDepthEstimation

from images import open_image, size_within
from serving.errors import InputError
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
SIDE = 1024  # pixels of the longer side of a depth map, at most
NARROWEST = 4  # times as long as wide; work grows with it, as the shape is kept

processor: Any
model: Any


class Item(NamedTuple):
    """One request: pixels (channels, height, width), and the depth map's height and width."""

    pixels: torch.Tensor
    size: tuple[int, int]


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForDepthEstimation.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(path: str | None) -> Item:
    """Decode and scale one picture, while the model is busy with others."""
    image = open_image(path, runtime.tier.max_input)
    if max(image.size) > NARROWEST * min(image.size):
        raise InputError(
            "This picture is too narrow: its longer side may be "
            f"{NARROWEST} times the shorter at most."
        )
    pixels = processor(image, return_tensors="pt")["pixel_values"][0]
    return Item(pixels, size_within(image, SIDE))


def group(item: Item) -> tuple[int, ...]:
    """Only pictures of equal size share a batch."""
    return tuple(item.pixels.shape)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[Image.Image]:
    """Estimate the depth of a batch of pictures; see `grey` for what each answer is."""
    pixels = torch.stack([item.pixels for item in batch])
    outputs = model(pixel_values=pixels.to(runtime.device, model.dtype))
    outputs.predicted_depth = outputs.predicted_depth.float()
    found = processor.post_process_depth_estimation(
        outputs, target_sizes=[item.size for item in batch]
    )
    return [
        grey(one["predicted_depth"].reshape(item.size))
        for one, item in zip(found, batch)
    ]


def grey(depth: torch.Tensor) -> Image.Image:
    """A grey picture: black where `depth` (height, width) is least, white where most.

    Most models give what is near the highest values; those that tell metres, the least.
    """
    least, most = depth.aminmax()
    shades = (depth - least) * 255 / (most - least).clamp(min=1e-6)
    return Image.fromarray(shades.round().byte().cpu().numpy())
