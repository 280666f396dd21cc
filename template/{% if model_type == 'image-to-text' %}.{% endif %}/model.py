"""The model: pictures in, texts out. Put your own code here."""

from typing import Any

import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from images import open_image
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_NEW_TOKENS = 64

processor: Any
tokenizer: Any
model: Any


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, tokenizer, model
    processor = AutoImageProcessor.from_pretrained(runtime.model_id)
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForImageTextToText.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    model.generation_config.max_length = None  # MAX_NEW_TOKENS is the limit


def prepare(path: str | None) -> torch.Tensor:
    """Decode and scale one picture, while the model is busy with others."""
    return processor(open_image(path, runtime.tier.max_input), return_tensors="pt")[
        "pixel_values"
    ][0]


def group(pixels: torch.Tensor) -> tuple[int, ...]:
    """Only pictures of equal size share a batch."""
    return tuple(pixels.shape)


@torch.inference_mode()
def predict(batch: list[torch.Tensor]) -> list[str]:
    """Describe a batch of pictures, each of shape (channels, height, width)."""
    pixels = torch.stack(batch).to(runtime.device, model.dtype)
    tokens = model.generate(
        pixel_values=pixels,
        max_new_tokens=MAX_NEW_TOKENS,
        do_sample=False,
        num_beams=1,
    )
    texts = tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return [text.strip() for text in texts]
