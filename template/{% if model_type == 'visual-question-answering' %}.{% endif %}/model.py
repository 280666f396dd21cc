"""The model: pictures with questions in, answers out. Put your own code here.

Some models, such as ViLT, score a list of answers; others, such as BLIP, write one.
"""

from typing import Any, NamedTuple

import torch
from transformers import AutoModelForVisualQuestionAnswering, AutoProcessor

from images import open_image
from serving.errors import InputError
from serving.runtime import runtime
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_CHARACTERS = 500
MAX_NEW_TOKENS = 20
TOP_ANSWERS = 10

processor: Any
model: Any


class Item(NamedTuple):
    """One request: pixels (channels, height, width), and the question's tokens."""

    pixels: torch.Tensor
    tokens: list[int]


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForVisualQuestionAnswering.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(path: str | None, question: str) -> Item:
    """Decode the picture and tokenize the question, while the model is busy."""
    image = open_image(path, runtime.tier.max_input)
    text = checked(question, MAX_CHARACTERS, "Please type a question first.")
    tokens = processor.tokenizer(text)["input_ids"]
    if len(tokens) > model.config.get_text_config().max_position_embeddings:
        raise InputError("This question is too long. Please ask in fewer words.")
    pixels = processor.image_processor(image, return_tensors="pt")["pixel_values"][0]
    return Item(pixels, tokens)


def group(item: Item) -> tuple[Any, ...]:
    """Only pictures of equal size share a batch.

    And only questions of equal length where the model writes: BLIP does not mask padding.
    """
    length = len(item.tokens) if model.can_generate() else 0
    return (*item.pixels.shape, length)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[dict[str, float]] | list[str]:
    """Answer a batch of questions."""
    pixels = torch.stack([item.pixels for item in batch])
    questions = [{"input_ids": item.tokens} for item in batch]
    text = processor.tokenizer.pad(
        questions, padding_side="right", return_tensors="pt"
    ).to(runtime.device)
    inputs = {
        "pixel_values": pixels.to(runtime.device, model.dtype),
        "input_ids": text["input_ids"],
        "attention_mask": text["attention_mask"],
    }
    if model.can_generate():
        return written(inputs)
    return scored(inputs)


def written(inputs: dict[str, torch.Tensor]) -> list[str]:
    """The answers that a model writes."""
    tokens = model.generate(
        **inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, num_beams=1
    )
    texts = processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return [text.strip() for text in texts]


def scored(inputs: dict[str, torch.Tensor]) -> list[dict[str, float]]:
    """The likeliest of the answers that a model knows; several may be right."""
    pixels = inputs["pixel_values"]
    # all of each picture counts; by default ViLT takes it for a square
    mask = torch.ones_like(pixels[:, 0], dtype=torch.long)
    scores = model(**inputs, pixel_mask=mask).logits.float().sigmoid()
    top = scores.topk(min(TOP_ANSWERS, scores.shape[-1]))
    answers = model.config.id2label
    return [
        {answers[number]: score for number, score in zip(numbers, values)}
        for numbers, values in zip(top.indices.tolist(), top.values.tolist())
    ]
