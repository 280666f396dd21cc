"""Tiny models that talk about pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tiny_parts import SMALL, SPACE, SPOKEN, Arguments, byte_level, enliven, save

# Turns as Hugging Face's vision models take them: a content is a list of texts and pictures.
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = {"pad_token": "<|endoftext|>", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}


def tokenizer_with(*tokens: str) -> tuple[Any, Arguments]:
    """A tokenizer that knows these special tokens, too; and the ids of the usual ones."""
    pieces = byte_level([*SPECIAL.values(), *tokens], SPACE)
    tokenizer = tf.GPT2Tokenizer(
        **pieces,
        **SPECIAL,
        extra_special_tokens={"image_token": "<image>"},
        model_max_length=2048,
    )
    return tokenizer, {f"{kind}_id": pieces["vocab"][token] for kind, token in SPECIAL.items()}


def say_words(model: Any, tokenizer: Any, ids: Arguments, seed: int) -> None:
    """Make a random model say known words, and greedily never the end token."""
    enliven(model, seed)
    said = torch.zeros(len(tokenizer), 1)
    said[tokenizer.convert_tokens_to_ids(SPOKEN)] = 1.0
    model.get_output_embeddings().weight.mul_(3 * said)  # all else gets logit 0
    model.generation_config = tf.GenerationConfig(**ids)


def image_text_to_text(folder: Path) -> None:
    """LLaVA: a ViT for 32x32 pixels before a Llama; a picture is 16 tokens."""
    tokenizer, ids = tokenizer_with("<image>")
    sizes: Arguments = {"image_size": 32, "patch_size": 8, "projection_dim": 64}
    config = tf.LlavaConfig(
        vision_config=tf.CLIPVisionConfig(**SMALL, **sizes),
        text_config=tf.LlamaConfig(**SMALL, **ids, vocab_size=len(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )
    model = tf.LlavaForConditionalGeneration(config)
    say_words(model, tokenizer, ids, seed=15)
    square = {"height": 32, "width": 32}
    processor = tf.LlavaProcessor(
        tf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square),
        tokenizer,
        patch_size=8,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
    )
    save(folder, model, processor)


BUILDERS: dict[str, Callable[[Path], None]] = {"image-text-to-text": image_text_to_text}
