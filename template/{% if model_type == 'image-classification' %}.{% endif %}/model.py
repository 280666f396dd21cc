"""The model: pictures in, labels with scores out. Put your own code here."""

from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from images import open_image
from serving.engine import compiled
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
TOP_LABELS = 10

processor: Any
model: Any
network: Any  # what computes the model


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model, network
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForImageClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    blank = Image.new("RGB", (64, 64))
    sample = processor([blank, blank], return_tensors="pt").to(model.dtype)
    network = compiled(model, {"pixel_values": sample["pixel_values"]})


def prepare(path: str | None) -> torch.Tensor:
    """Decode and scale one picture, while the model is busy with others."""
    return processor(open_image(path, runtime.tier.max_input), return_tensors="pt")[
        "pixel_values"
    ][0]


def group(pixels: torch.Tensor) -> tuple[int, ...]:
    """Only pictures of equal size share a batch."""
    return tuple(pixels.shape)


@torch.inference_mode()
def predict(batch: list[torch.Tensor]) -> list[dict[str, float]]:
    """Score a batch of pictures, each of shape (channels, height, width)."""
    pixels = torch.stack(batch).to(runtime.device, model.dtype)
    scores = network(pixel_values=pixels).logits.float().softmax(-1)
    top = scores.topk(min(TOP_LABELS, scores.shape[-1]))
    labels = model.config.id2label
    return [
        {labels[number]: score for number, score in zip(numbers, values)}
        for numbers, values in zip(top.indices.tolist(), top.values.tolist())
    ]
