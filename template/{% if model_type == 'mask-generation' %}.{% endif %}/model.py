"""The model: pictures and points in, masks out. Put your own code here."""

import re
from typing import Any, NamedTuple

import torch
from PIL import Image
from transformers import AutoModelForMaskGeneration, AutoProcessor

from images import open_image, size_within
from serving.errors import InputError
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
SIDE = 1024  # pixels of the longer side of a mask, at most
MOST_POINTS = 20
POINT = re.compile(r"\s*(\d{1,5})\s*,\s*(\d{1,5})\s*")

processor: Any
model: Any


class Item(NamedTuple):
    """One request.

    Attributes:
        pixels: (channels, height, width), the picture and a margin.
        inside: height and width of the picture in it.
        points: (1, points, 2), in pixels of it from the left and from the top.
        size: height and width of the mask that is wanted.
    """

    pixels: torch.Tensor
    inside: tuple[int, int]
    points: torch.Tensor
    size: tuple[int, int]


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForMaskGeneration.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(path: str | None, points: str) -> Item:
    """Decode and scale one picture, while the model is busy with others."""
    image = open_image(path, runtime.tier.max_input)
    inputs = processor(image, input_points=[places(points, image)], return_tensors="pt")
    height, width = inputs["reshaped_input_sizes"][0].tolist()
    return Item(
        inputs["pixel_values"][0],
        (height, width),
        inputs["input_points"][0].float(),
        size_within(image, SIDE),
    )


def places(points: str, image: Image.Image) -> list[list[int]]:
    """The points that a visitor clicked or typed.

    Raises:
        InputError: there are none, too many, or some that are not on the picture.
    """
    texts = [text for text in points.split(";") if text.strip()]
    if not texts:
        raise InputError("Please click on a thing in the picture first.")
    if len(texts) > MOST_POINTS:
        raise InputError(f"These are too many points: {MOST_POINTS} are the limit.")
    found = [POINT.fullmatch(text) for text in texts]
    if not all(found):
        raise InputError("Please type points like this: 120, 80; 30, 40")
    pairs = [[int(match[1]), int(match[2])] for match in found if match]
    if any(left > image.width or top > image.height for left, top in pairs):
        raise InputError(
            "A point is outside the picture, which is "
            f"{image.width} pixels wide and {image.height} high."
        )
    return pairs


def group(item: Item) -> tuple[int, ...]:
    """Only requests with as many points share a batch: more would change a mask."""
    return (*item.pixels.shape, *item.points.shape)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[tuple[Image.Image, list[str]]]:
    """For each picture the best of the masks that the model offers, and its score."""
    pixels = torch.stack([item.pixels for item in batch])
    points = torch.stack([item.points for item in batch])
    outputs = model(
        pixel_values=pixels.to(runtime.device, model.dtype),
        input_points=points.to(runtime.device),
    )
    best = outputs.iou_scores.argmax(-1).flatten().tolist()
    masks = processor.post_process_masks(
        [offered[:, [one]].float() for offered, one in zip(outputs.pred_masks, best)],
        [item.size for item in batch],
        [item.inside for item in batch],
    )
    scores = outputs.iou_scores.amax((1, 2)).tolist()
    return [
        (Image.fromarray(mask[0, 0].byte().cpu().numpy()), [f"object {score:.2f}"])
        for mask, score in zip(masks, scores)
    ]
