"""The model: pictures and what to look for in, boxes out. Put your own code here."""

from typing import Any, NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    BatchFeature,
)

from images import open_image
from labels import separated
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
SIDE = 1920  # pixels of the longer side, twice what OWLv2 sees: scaling to it is slow
MOST_BOXES = 100  # OWLv2 makes thousands, most of them of low scores
Boxes = list[tuple[list[int], str]]

processor: Any
model: Any


class Item(NamedTuple):
    """One request: the model's inputs, each of one row or one per label.

    And the picture's height and width, its labels, and the least score that is wanted.
    """

    inputs: dict[str, torch.Tensor]
    size: tuple[int, int]
    labels: list[str]
    threshold: float


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(path: str | None, labels: str, threshold: float) -> Item:
    """Decode a picture and tokenize its labels, while the model is busy with others."""
    image = open_image(path, runtime.tier.max_input)
    size = (image.height, image.width)
    image.thumbnail((SIDE, SIDE))
    wanted = separated(labels)
    inputs = processor(
        images=image, text=[wanted], truncation=True, return_tensors="pt"
    )
    return Item(dict(inputs), size, wanted, threshold)


def group(item: Item) -> tuple[Any, ...]:
    """Only pictures and texts of equal size share a batch, however many texts."""
    return tuple((name, *value.shape[1:]) for name, value in item.inputs.items())


@torch.inference_mode()
def predict(batch: list[Item]) -> list[Boxes]:
    """Look for each picture's own labels.

    Where it has fewer than others, zeros fill up: the model takes such texts for none.
    """
    inputs = {
        name: pad_sequence(
            [item.inputs[name] for item in batch], batch_first=True
        ).flatten(0, 1)
        for name in batch[0].inputs
    }
    outputs = model(**BatchFeature(inputs).to(runtime.device, model.dtype))
    found = processor.post_process_grounded_object_detection(
        outputs,
        threshold=min(item.threshold for item in batch),
        target_sizes=[item.size for item in batch],
        text_labels=[item.labels for item in batch],
    )
    return [boxes(one, item) for one, item in zip(found, batch)]


def boxes(found: dict[str, Any], item: Item) -> Boxes:
    """The best boxes of one picture, inside it and above its threshold."""
    height, width = item.size
    rows = zip(found["scores"].tolist(), found["text_labels"], found["boxes"].tolist())
    wanted = [row for row in rows if row[0] >= item.threshold]
    wanted.sort(key=lambda row: row[0], reverse=True)
    return [
        (
            [
                max(0, round(left)),
                max(0, round(top)),
                min(width, round(right)),
                min(height, round(bottom)),
            ],
            f"{label} {score:.2f}",
        )
        for score, label, (left, top, right, bottom) in wanted[:MOST_BOXES]
    ]
