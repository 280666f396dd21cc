"""The model: videos in, labels with scores out. Put your own code here."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForVideoClassification

from serving.engine import compiled
from serving.runtime import runtime
from videos import read_frames

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
TOP_LABELS = 10

processor: Any
model: Any
network: Any  # what computes the model
labels: dict[int, str]


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model, network, labels
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForVideoClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    labels = model.config.id2label
    kinetics = Path("kinetics400.txt").read_text(encoding="utf-8").splitlines()
    if len(labels) == len(kinetics) and labels[0] == "LABEL_0":  # it only numbers them
        labels = dict(enumerate(kinetics))
    blank = scaled([Image.new("RGB", (64, 64))] * model.config.num_frames)
    network = compiled(model, {"pixel_values": torch.stack([blank, blank])})


def prepare(path: str | None) -> torch.Tensor:
    """Decode and scale some frames of one video, while the model is busy with others."""
    return scaled(read_frames(path, model.config.num_frames, runtime.tier.max_input))


def scaled(frames: list[Image.Image]) -> torch.Tensor:
    """The frames as the model takes them, shape (frames, channels, height, width)."""
    pixels = processor(frames, return_tensors="pt")["pixel_values"][0]
    return pixels.to(model.dtype)


def group(pixels: torch.Tensor) -> tuple[int, ...]:
    """Only videos of equal size share a batch."""
    return tuple(pixels.shape)


@torch.inference_mode()
def predict(batch: list[torch.Tensor]) -> list[dict[str, float]]:
    """Score a batch of videos, each of shape (frames, channels, height, width)."""
    pixels = torch.stack(batch).to(runtime.device)
    scores = network(pixel_values=pixels).logits.float().softmax(-1)
    top = scores.topk(min(TOP_LABELS, scores.shape[-1]))
    return [
        {labels[number]: score for number, score in zip(numbers, values)}
        for numbers, values in zip(top.indices.tolist(), top.values.tolist())
    ]
