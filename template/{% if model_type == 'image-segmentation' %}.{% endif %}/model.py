"""The model: pictures in, label maps with names out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from PIL import Image
from transformers import (
    MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoModelForSemanticSegmentation,
    AutoModelForUniversalSegmentation,
)

from images import open_image, size_within
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
SIDE = 1024  # pixels of the longer side of a label map, at most
MOST_NAMES = 255  # that a grey picture can tell apart

processor: Any
model: Any


class Item(NamedTuple):
    """One request: pixels (channels, height, width), and the label map's height and width."""

    pixels: torch.Tensor
    size: tuple[int, int]


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    config = AutoConfig.from_pretrained(runtime.model_id)
    universal = type(config) in MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING
    kind = (
        AutoModelForUniversalSegmentation
        if universal
        else AutoModelForSemanticSegmentation
    )
    model = kind.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    model.to(runtime.device).eval()


def prepare(path: str | None) -> Item:
    """Decode and scale one picture, while the model is busy with others."""
    image = open_image(path, runtime.tier.max_input)
    pixels = processor(image, return_tensors="pt")["pixel_values"][0]
    return Item(pixels, size_within(image, SIDE))


def group(item: Item) -> tuple[int, ...]:
    """Only pictures of equal size share a batch."""
    return tuple(item.pixels.shape)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[tuple[Image.Image, list[str]]]:
    """Segment a batch of pictures; see `named` for what each answer is."""
    pixels = torch.stack([item.pixels for item in batch])
    outputs = model(pixel_values=pixels.to(runtime.device, model.dtype))
    maps = processor.post_process_semantic_segmentation(
        outputs, target_sizes=[item.size for item in batch]
    )
    return [named(one) for one in maps]


def named(classes: torch.Tensor) -> tuple[Image.Image, list[str]]:
    """A label map and its names: a pixel is n where the n-th name is.

    Args:
        classes: numbers of the classes (height, width).
    """
    counts = classes.flatten().bincount()
    present = counts.argsort(descending=True, stable=True)
    present = present[: min(int(counts.count_nonzero()), MOST_NAMES)]
    places = torch.zeros_like(counts, dtype=torch.uint8)
    places[present] = torch.arange(1, len(present) + 1).to(places)
    names = [model.config.id2label[number] for number in present.tolist()]
    return Image.fromarray(places[classes].cpu().numpy()), names
