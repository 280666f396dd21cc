"""The model: pictures in, boxes with labels out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from transformers import AutoImageProcessor, AutoModelForObjectDetection

from images import open_image
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
Boxes = list[tuple[list[int], str]]

processor: Any
model: Any


class Item(NamedTuple):
    """One request: pixels (channels, height, width); the picture's height, width."""

    pixels: torch.Tensor
    size: tuple[int, int]
    threshold: float


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForObjectDetection.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(path: str | None, threshold: float) -> Item:
    """Decode and scale one picture, while the model is busy with others."""
    image = open_image(path, runtime.tier.max_input)
    pixels = processor(image, return_tensors="pt")["pixel_values"][0]
    return Item(pixels, (image.height, image.width), threshold)


def group(item: Item) -> tuple[int, ...]:
    """Only pictures of equal size share a batch: padding would move the boxes."""
    return tuple(item.pixels.shape)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[Boxes]:
    """Detect in a batch of pictures; boxes are left, top, right, bottom in pixels."""
    pixels = torch.stack([item.pixels for item in batch]).to(
        runtime.device, model.dtype
    )
    outputs = model(pixel_values=pixels)
    sizes = [item.size for item in batch]
    found = processor.post_process_object_detection(
        outputs, threshold=0, target_sizes=sizes
    )
    return [boxes(one, item) for one, item in zip(found, batch)]


def boxes(found: dict[str, torch.Tensor], item: Item) -> Boxes:
    """The boxes of one picture, inside it and above its threshold."""
    height, width = item.size
    labels = model.config.id2label
    rows = zip(
        found["scores"].tolist(), found["labels"].tolist(), found["boxes"].tolist()
    )
    return [
        (
            [
                max(0, round(left)),
                max(0, round(top)),
                min(width, round(right)),
                min(height, round(bottom)),
            ],
            f"{labels[label]} {score:.2f}",
        )
        for score, label, (left, top, right, bottom) in rows
        if score >= item.threshold
    ]
