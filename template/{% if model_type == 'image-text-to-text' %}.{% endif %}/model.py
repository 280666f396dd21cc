"""The model: conversations with pictures in, answers out. Put your own code here.

Conversations that come together are answered together, see serving/together.py.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from images import open_image
from serving.errors import InputError
from serving.loading import load_model
from serving.runtime import runtime
from serving.together import Sampling, Together
from turns import Turn, newest, text_of

MAX_CHARACTERS = 20_000  # of one message
MAX_PROMPT_TOKENS = 6144  # older messages are left out beyond it; pictures take many
MAX_PICTURES = 4  # of a conversation; those of older messages are left out
MAX_PIXELS = 40_000_000  # of one picture
MAX_SIDE = 2048  # pixels; a larger picture is shrunk
MAX_TEMPERATURE = 2.0
# Some models look at a picture as a whole and in tiles, to read fine print. On CPUs
# that takes too long: some ten times as much.
TILES = runtime.device != "cpu"

processor: Any
model: Any
together: Together
control: re.Pattern[str]  # what a text must not say to the tokenizer
longest: int  # prompt and answer, in tokens


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model, together, control, longest
    processor = AutoProcessor.from_pretrained(runtime.model_id)
    tokenizer = processor.tokenizer
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not TILES and hasattr(processor.image_processor, "do_image_splitting"):
        processor.image_processor.do_image_splitting = False
    tokens = tokenizer.added_tokens_decoder.values()
    special = sorted((one.content for one in tokens if one.special), key=len)
    control = re.compile("|".join(map(re.escape, special[::-1])) or "(?!)")
    model = load_model(AutoModelForImageTextToText)
    config = model.config.get_text_config()
    longest = getattr(config, "max_position_embeddings", None) or MAX_PROMPT_TOKENS * 2
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    together = Together(generate, ends, runtime.tier.max_batch_size)
    # sets how the tokenizer pads, which must not change while several threads use it
    encode([[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]])


def size(conversation: list[Turn], max_new_tokens: int, *sampling: float) -> float:
    """How much one request is, in tokens."""
    return min(max_new_tokens, runtime.tier.max_input)


async def stream(
    conversation: list[Turn], max_new_tokens: int, temperature: float, top_p: float
) -> AsyncIterator[str]:
    """Answer one conversation; each value is the answer so far.

    Args:
        conversation: the turns, the first of which is the system prompt; their content
            is a list of {"type": "text", "text": ...}, {"type": "image", "path": ...}.
    """
    if not 0 <= temperature <= MAX_TEMPERATURE:
        raise InputError(f"The temperature must be between 0 and {MAX_TEMPERATURE:g}.")
    if not 0 < top_p <= 1:
        raise InputError("Top-p must be above 0 and at most 1.")
    length = max(1, min(int(max_new_tokens), runtime.tier.max_input))
    asked = await asyncio.to_thread(fitted, conversation, length)
    sampling = Sampling(float(temperature), float(top_p))
    half = False  # of a character, at the end
    async with aclosing(together.answer(asked, length, sampling)) as answer:
        async for tokens in answer:
            text = processor.tokenizer.decode(tokens, skip_special_tokens=True)
            half = text.endswith("\N{REPLACEMENT CHARACTER}")
            if not half:
                yield text
    if half:
        yield text


def fitted(conversation: list[Turn], length: int) -> list[Turn]:
    """The conversation as the processor takes it, with its pictures opened.

    Without its oldest turns when it is too long for an answer of so many tokens.

    Raises:
        InputError: nothing is asked, or too much.
    """
    system, *turns = [
        {"role": turn["role"], "content": list(map(harmless, turn["content"]))}
        for turn in conversation
    ]
    if not pictures_in(turns[-1:]) and not text_of(turns[-1]).strip():
        raise InputError("Please type a message first.")
    if len(pictures_in(turns[-1:])) > MAX_PICTURES:
        raise InputError(f"These are too many pictures: {MAX_PICTURES} are the limit.")
    if any(len(text_of(turn)) > MAX_CHARACTERS for turn in [system, *turns]):
        raise InputError(
            f"This message is too long: {MAX_CHARACTERS:,} characters are the limit."
        )
    most = min(MAX_PROMPT_TOKENS, longest - length)
    first = [system] if text_of(system).strip() else []  # some models take none
    opened: dict[str, Image.Image] = {}

    def read(turns: list[Turn]) -> list[Turn] | None:
        if len(pictures_in(turns)) > MAX_PICTURES:
            return None
        asked = [
            {**turn, "content": [opened_part(part, opened) for part in turn["content"]]}
            for turn in first + turns
        ]
        return asked if encode([asked])["input_ids"].shape[1] <= most else None

    asked = newest(turns, read)
    if asked is None:
        raise InputError(
            f"This message is too long: {most:,} tokens are the limit for it and its "
            "pictures."
        )
    return asked


def harmless(part: dict[str, str]) -> dict[str, str]:
    """The part of a turn, where no text stands for a picture or the end of a turn."""
    if part["type"] != "text":
        return part
    text = control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", part["text"])
    return {"type": "text", "text": text}


def pictures_in(turns: list[Turn]) -> list[dict[str, str]]:
    """The pictures of some turns."""
    return [part for turn in turns for part in turn["content"] if "path" in part]


def opened_part(part: dict[str, str], opened: dict[str, Image.Image]) -> dict[str, Any]:
    """The part of a turn with its picture in place of the path."""
    if "path" not in part:
        return part
    path = part["path"]
    if path not in opened:
        opened[path] = open_image(path, MAX_PIXELS)
        opened[path].thumbnail((MAX_SIDE, MAX_SIDE))
    return {"type": "image", "image": opened[path]}


def encode(conversations: list[list[Turn]]) -> Any:
    """What the model takes, padded on the left, where no answer begins."""
    return processor.apply_chat_template(
        conversations,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": "left"},
    )


def generate(conversations: list[list[Turn]], **options: Any) -> None:
    """Answer some conversations; what is said goes to `options["streamer"]`."""
    dtype = getattr(torch, runtime.dtype)
    inputs = encode(conversations).to(runtime.device, dtype)
    with torch.inference_mode():
        model.generate(**inputs, **options)
