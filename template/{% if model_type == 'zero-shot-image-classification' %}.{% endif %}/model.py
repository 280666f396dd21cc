"""The model: pictures with candidate labels in, scores out. Put your own code here.

One part of the model reads pictures, the other "This is a photo of <label>."; the score
says how well the two go together.
"""

from typing import Any, NamedTuple

import torch
from transformers import AutoModelForZeroShotImageClassification, AutoProcessor

from images import open_image
from labels import separated
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
PROMPT = "This is a photo of {}."

processor: Any
model: Any
siglip: bool  # trained to score each label for itself, on small letters and one length


class Item(NamedTuple):
    """One request: pixels (channels, height, width), and the tokens of each label."""

    pixels: torch.Tensor
    labels: dict[str, dict[str, list[int]]]


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model, siglip
    processor = AutoProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForZeroShotImageClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    siglip = "siglip" in model.config.model_type


def prepare(path: str | None, labels: str) -> Item:
    """Decode a picture and tokenize its labels, while the model is busy with others."""
    image = open_image(path, runtime.tier.max_input)
    candidates = separated(labels)
    texts = [PROMPT.format(label) for label in candidates]
    tokens = processor.tokenizer(
        [text.lower() for text in texts] if siglip else texts,
        padding="max_length" if siglip else False,
        truncation=True,
        max_length=model.config.text_config.max_position_embeddings,
    )
    pixels = processor.image_processor(image, return_tensors="pt")["pixel_values"][0]
    return Item(
        pixels,
        {
            label: {name: tokens[name][i] for name in tokens}
            for i, label in enumerate(candidates)
        },
    )


def group(item: Item) -> tuple[int, ...]:
    """Only pictures of equal size share a batch."""
    return tuple(item.pixels.shape)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[dict[str, float]]:
    """Score a batch of pictures, each for its own labels.

    All labels go through the model together, each once. It scores every picture for
    every label, and a picture takes the scores of its own ones.
    """
    texts = {label: item.labels[label] for item in batch for label in item.labels}
    places = {label: place for place, label in enumerate(texts)}
    inputs = processor.tokenizer.pad(list(texts.values()), return_tensors="pt")
    pixels = torch.stack([item.pixels for item in batch])
    logits = model(
        **inputs.to(runtime.device),
        pixel_values=pixels.to(runtime.device, model.dtype),
    ).logits_per_image.float()
    return [
        scores(row[[places[label] for label in item.labels]], item)
        for row, item in zip(logits, batch)
    ]


def scores(logits: torch.Tensor, item: Item) -> dict[str, float]:
    """The scores of one picture's labels."""
    values = logits.sigmoid() if siglip else logits.softmax(0)
    return dict(zip(item.labels, values.tolist()))
