"""The model: small pictures in, larger and sharper ones out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageToImage

from images import open_image
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

processor: Any
model: Any


class Item(NamedTuple):
    """One request: pixels (channels, height, width), padded; the picture's own size."""

    pixels: torch.Tensor
    height: int
    width: int


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    # bfloat16 tells 256 shades just barely apart
    dtype = "float32" if runtime.dtype == "bfloat16" else runtime.dtype
    model = AutoModelForImageToImage.from_pretrained(runtime.model_id, dtype=dtype)
    model.to(runtime.device).eval()


def prepare(path: str | None) -> Item:
    """Decode and pad one picture, while the model is busy with others."""
    image = open_image(path, runtime.tier.max_input)
    pixels = processor(image, return_tensors="pt")["pixel_values"][0]
    return Item(pixels, image.height, image.width)


def size(item: Item) -> int:
    """Larger pictures take longer."""
    return item.height * item.width


def group(item: Item) -> tuple[int, ...]:
    """Only pictures of equal size share a batch."""
    return tuple(item.pixels.shape)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[Image.Image]:
    """Enlarge a batch of pictures."""
    pixels = torch.stack([item.pixels for item in batch]).to(
        runtime.device, model.dtype
    )
    enlarged = model(pixel_values=pixels).reconstruction
    return [picture(one, item) for one, item in zip(enlarged, batch)]


def picture(pixels: torch.Tensor, item: Item) -> Image.Image:
    """The picture of values from 0 to 1, shape (channels, height, width), unpadded."""
    scale = model.config.upscale
    inside = pixels[:, : scale * item.height, : scale * item.width]
    shades = inside.float().clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(shades.permute(1, 2, 0).cpu().numpy())
