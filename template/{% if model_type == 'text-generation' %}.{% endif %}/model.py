"""The model: conversations in, answers out, word by word. Put your own code here.

All conversations run through the model together, see serving/answers.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from serving.answers import Answers
from serving.errors import InputError
from serving.loading import load_model
from serving.runtime import runtime
from turns import Turn, newest, text_of

MAX_CHARACTERS = 20_000  # of one message
MAX_PROMPT_TOKENS = 1536  # older messages are left out beyond it
MAX_TEMPERATURE = 2.0
STOP: tuple[str, ...] = ()  # texts that end an answer, beside the model's own tokens

tokenizer: Any
answers: Any


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, answers
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = load_model(AutoModelForCausalLM)
    answers = Answers(model, MAX_PROMPT_TOKENS + runtime.tier.max_input)


def unload() -> None:
    """Stop the thread that runs the model."""
    answers.close()


def size(conversation: list[Turn], max_new_tokens: int, *sampling: float) -> float:
    """How much one request is, in tokens."""
    return min(max_new_tokens, runtime.tier.max_input)


async def stream(
    conversation: list[Turn],
    max_new_tokens: int,
    temperature: float,
    top_p: float = 1,
) -> AsyncIterator[str]:
    """Answer one conversation; each value is the answer so far."""
    if not 0 <= temperature <= MAX_TEMPERATURE:
        raise InputError(f"The temperature must be between 0 and {MAX_TEMPERATURE:g}.")
    if not 0 < top_p <= 1:
        raise InputError("Top-p must be above 0 and at most 1.")
    prompt = await asyncio.to_thread(tokenize, conversation)
    length = max(1, min(int(max_new_tokens), runtime.tier.max_input))
    async with aclosing(answers.to(prompt, length, temperature, top_p)) as growing:
        async for tokens, finished in growing:
            text = tokenizer.decode(tokens, skip_special_tokens=True)
            text, stopped = until_stop(text)
            half = text.endswith("\N{REPLACEMENT CHARACTER}")  # of a longer character
            if finished or stopped or not half:
                yield text
            if stopped:
                return


def until_stop(text: str) -> tuple[str, bool]:
    """`text` up to the first of STOP, and whether there is one.

    The beginning of one at the end is left out until it is clear what it becomes.
    """
    places = [text.find(stop) for stop in STOP if stop in text]
    if places:
        return text[: min(places)], True
    for stop in STOP:
        for length in range(len(stop) - 1, 0, -1):
            if text.endswith(stop[:length]):
                return text[:-length], False
    return text, False


def tokenize(conversation: list[Turn]) -> list[int]:
    """The conversation as tokens, without its oldest messages when it is too long."""
    messages = [
        {"role": turn["role"], "content": text_of(turn)} for turn in conversation
    ]
    if not messages[-1]["content"].strip():
        raise InputError("Please type a message first.")
    if any(len(message["content"]) > MAX_CHARACTERS for message in messages):
        raise InputError(
            f"This message is too long: {MAX_CHARACTERS:,} characters are the limit."
        )
    system, turns = messages[:1], messages[1:]
    if not system[0]["content"].strip():
        system = []  # some models take none

    def read(turns: list[Turn]) -> list[int] | None:
        prompt: list[int] = tokenizer.apply_chat_template(
            system + turns, add_generation_prompt=True, return_dict=True
        )["input_ids"]
        return prompt if len(prompt) <= MAX_PROMPT_TOKENS else None

    prompt = newest(turns, read)
    if prompt is None:
        raise InputError(
            f"This message is too long: {MAX_PROMPT_TOKENS} tokens are the limit."
        )
    return prompt
