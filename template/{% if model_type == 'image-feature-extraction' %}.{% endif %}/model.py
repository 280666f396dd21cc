"""The model: pictures in, embeddings out. Put your own code here."""

from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from images import open_image
from serving.engine import compiled
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
DIGITS = 6  # after the decimal point

processor: Any
model: Any
network: Any  # what computes the model
pooled: bool  # whether the model was trained to make one vector of a picture


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model, network, pooled
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    model, loaded = AutoModel.from_pretrained(
        runtime.model_id, dtype=runtime.dtype, output_loading_info=True
    )
    model.to(runtime.device).eval()
    blank = Image.new("RGB", (64, 64))
    sample = processor([blank, blank], return_tensors="pt").to(model.dtype)
    with torch.inference_mode():
        outputs = model(pixel_values=sample["pixel_values"].to(runtime.device))
    untrained = any("pooler" in name for name in loaded["missing_keys"])
    pooled = outputs.get("pooler_output") is not None and not untrained
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
def predict(batch: list[torch.Tensor]) -> list[list[float]]:
    """Embed a batch of pictures, each of shape (channels, height, width)."""
    pixels = torch.stack(batch).to(runtime.device, model.dtype)
    outputs = network(pixel_values=pixels)
    # the first token stands for the picture where nothing else does
    vectors = outputs.pooler_output if pooled else outputs.last_hidden_state[:, 0]
    units = torch.nn.functional.normalize(vectors.flatten(1).float())
    return [[round(value, DIGITS) for value in row] for row in units.tolist()]
