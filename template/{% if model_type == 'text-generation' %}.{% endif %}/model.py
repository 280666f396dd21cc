"""The model: conversations in, answers out, word by word. Put your own code here.

All conversations run through the model together, one token of each at a time: whoever
is done makes room at once, and nobody waits for the longest answer (continuous
batching).
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from serving.errors import InputError
from serving.runtime import runtime
from turns import Turn, newest, text_of

MAX_CHARACTERS = 20_000  # of one message
MAX_PROMPT_TOKENS = 1536  # older messages are left out beyond it
MAX_TEMPERATURE = 2.0
STOP: tuple[str, ...] = ()  # texts that end an answer, beside the model's own tokens
PAGE_TOKENS = 64  # of the cache of keys and values, which is handed out in pages

tokenizer: Any
model: Any
managers: dict[int, Any] = {}


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    model = AutoModelForCausalLM.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    model.to(runtime.device).eval()


def unload() -> None:
    """Stop the thread that runs the model."""
    for manager in managers.values():
        manager.stop(block=True, timeout=5, hard_stop=True)


def manager() -> Any:
    """What batches the conversations; one per process, and ZeroGPU has its own."""
    process = os.getpid()
    if process not in managers:
        managers.clear()
        managers[process] = model.init_continuous_batching(
            generation_config=GenerationConfig(
                do_sample=True,
                temperature=0.7,  # any value but 1 makes it adjustable per request
                top_k=50,
                top_p=0.95,
                max_new_tokens=runtime.tier.max_input,
                eos_token_id=model.generation_config.eos_token_id,
                pad_token_id=model.generation_config.pad_token_id,
            ),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=runtime.tier.max_batch_size
                * -(-(MAX_PROMPT_TOKENS + runtime.tier.max_input) // PAGE_TOKENS),
                max_batch_tokens=max(
                    runtime.tier.max_batch_cost, runtime.tier.max_batch_size
                ),
                max_requests_per_batch=runtime.tier.max_batch_size,
                use_cuda_graph=False,
                per_request_processors=True,
            ),
        )
        managers[process].start()
    return managers[process]


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
    name = uuid.uuid4().hex
    outputs: asyncio.Queue[Any] = asyncio.Queue()
    batch = manager()
    batch.register_result_handler(name, outputs.put_nowait)
    sampling: dict[str, Any] = {"top_k": 1}
    if temperature > 0:  # the manager takes no int here
        sampling = {"temperature": float(temperature), "top_p": float(top_p)}
    length = max(1, min(int(max_new_tokens), runtime.tier.max_input))
    await asyncio.to_thread(
        batch.add_request,
        prompt,
        name,
        max_new_tokens=length,
        streaming=True,
        **sampling,
    )
    finished = False
    try:
        while not finished:
            output = await outputs.get()
            finished = output.is_finished()
            if output.error:
                raise RuntimeError(output.error)
            text = tokenizer.decode(output.generated_tokens, skip_special_tokens=True)
            text, stopped = until_stop(text)
            half = text.endswith("\N{REPLACEMENT CHARACTER}")  # of a longer character
            if finished or stopped or not half:
                yield text
            if stopped:
                return
    finally:
        if not finished:
            batch.cancel_request(name)


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
