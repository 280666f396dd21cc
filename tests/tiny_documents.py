"""Tiny models that read pictures, pages and videos, and one that enlarges pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tiny_parts import (
    SMALL,
    SPACE,
    SPOKEN,
    WORDS,
    Arguments,
    byte_level,
    enliven,
    labels,
    save,
    spread_logits,
    wordpiece,
)
from torch import nn

SIDE = 32  # pixels of the pictures that most of them see


def image_super_resolution(folder: Path) -> None:
    """Swin2SR that doubles a picture's sides; its shades are random, but stay inside 0 to 1."""
    config = tf.Swin2SRConfig(
        image_size=16,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=8,
        mlp_ratio=2.0,
        upscale=2,
        upsampler="pixelshuffledirect",
    )
    model: Any = tf.Swin2SRForImageSuperResolution(config)
    enliven(model, seed=21)
    model.upsample.conv.weight.mul_(0.1)
    save(folder, model, tf.Swin2SRImageProcessorPil())


def image_to_text(folder: Path) -> None:
    """BLIP that says some random words about a picture of 32x32 pixels."""
    save_blip(folder, tf.BlipForConditionalGeneration, seed=22, stops=1.5)


def blip_answers(folder: Path) -> None:
    """BLIP that answers a question about a picture with some random words."""
    save_blip(folder, tf.BlipForQuestionAnswering, seed=26, stops=-1)


def save_blip(folder: Path, kind: Any, seed: int, stops: float) -> None:
    """Save a BLIP of some kind that says random words; `stops` is how readily it stops."""
    tokenizer = wordpiece()
    pad, start, end = tokenizer.convert_tokens_to_ids(["[PAD]", "[CLS]", "[SEP]"])
    text: Arguments = {**SMALL, "encoder_hidden_size": SMALL["hidden_size"]}
    text |= {"vocab_size": len(tokenizer), "bos_token_id": start, "eos_token_id": end}
    text |= {"sep_token_id": end, "pad_token_id": pad}
    vision: Arguments = {**SMALL, "image_size": SIDE, "patch_size": 8}
    model: Any = kind(tf.BlipConfig(text_config=text, vision_config=vision))
    enliven(model, seed)
    for layer in model.text_decoder.bert.encoder.layer:
        layer.crossattention.output.dense.weight.mul_(2)  # it listens more than it goes on
    said = tokenizer.convert_tokens_to_ids([*WORDS, "[SEP]"])
    bias = model.text_decoder.cls.predictions.bias
    bias.fill_(-100)
    bias[said] = 0
    bias[end] = stops
    model.tie_weights()
    processor = tf.BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    save(folder, model, tf.BlipProcessor(processor, tokenizer))


def trocr(folder: Path) -> None:
    """An encoder-decoder, as TrOCR is one, that reads random words from a picture."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = byte_level(special, SPACE)
    tokenizer: Any = tf.RobertaTokenizer(**pieces)
    start, pad, end = (pieces["vocab"][token] for token in special[:3])
    encoder = tf.ViTConfig(**SMALL, image_size=SIDE, patch_size=8)
    decoder = tf.TrOCRConfig(
        vocab_size=len(pieces["vocab"]),
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=64,
        cross_attention_hidden_size=SMALL["hidden_size"],
    )
    config = tf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model: Any = tf.VisionEncoderDecoderModel(config)
    enliven(model, seed=27)
    said = torch.full((len(pieces["vocab"]), 1), 0.1)
    said[[pieces["vocab"][token] for token in SPOKEN]] = 2.0
    model.decoder.output_projection.weight.mul_(said)
    ids: Arguments = {"decoder_start_token_id": start, "pad_token_id": pad, "eos_token_id": end}
    for name, number in ids.items():
        setattr(model.config, name, number)
    model.generation_config = tf.GenerationConfig(**ids, max_length=20, num_beams=4)
    processor = tf.ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})
    save(folder, model, tf.TrOCRProcessor(processor, tokenizer))


def visual_question_answering(folder: Path) -> None:
    """ViLT for pictures whose shorter side has 64 pixels, and six answers."""
    tokenizer = wordpiece()
    config = tf.ViltConfig(
        **SMALL,
        **labels("yes", "no", "red", "green", "two", "a cat"),
        vocab_size=len(tokenizer),
        image_size=64,
        patch_size=16,
    )
    model: Any = tf.ViltForQuestionAnswering(config)
    enliven(model, seed=23)
    processor = tf.ViltProcessor(tf.ViltImageProcessorPil(size={"shortest_edge": 64}), tokenizer)
    pictures = torch.rand(32, 3, 1, 1).sub(0.5).mul(2) + torch.randn(32, 3, 64, 64).mul(0.3)
    chosen = torch.randint(len(WORDS), (32, 8)).tolist()
    questions = [" ".join(WORDS[index] for index in row) for row in chosen]
    inputs = tokenizer(questions, padding=True, return_tensors="pt")
    mask = torch.ones(32, 64, 64, dtype=torch.long)
    logits = model(**inputs, pixel_values=pictures, pixel_mask=mask).logits
    spread_logits(model.classifier[-1], logits, mean=0.0, std=1.5)
    save(folder, model, processor)


def document_question_answering(folder: Path) -> None:
    """LayoutLM that points at random words of a page, wherever they stand."""
    tokenizer = wordpiece()
    config = tf.LayoutLMConfig(**SMALL, vocab_size=len(tokenizer))
    model: Any = tf.LayoutLMForQuestionAnswering(config)
    enliven(model, seed=24)
    save(folder, model, tokenizer)


def video_classification(folder: Path) -> None:
    """ViViT for four frames of 32x32 pixels, and 400 classes that it only numbers.

    It is deep enough to take longer than decoding, or no two requests would ever wait together.
    """
    sizes: Arguments = {**SMALL, "num_hidden_layers": 16}
    config = tf.VivitConfig(
        **sizes, image_size=SIDE, num_frames=4, tubelet_size=[2, 4, 4], num_labels=400
    )
    model: Any = tf.VivitForVideoClassification(config)
    enliven(model, seed=25)
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module.weight.normal_(std=1.5 / module.weight[0].numel() ** 0.5)
    videos = torch.rand(32, 1, 3, 1, 1).sub(0.5).mul(2) + torch.randn(32, 4, 3, SIDE, SIDE).mul(0.3)
    spread_logits(model.classifier, model(pixel_values=videos).logits, mean=0.0, std=2.0)
    size: Arguments = {
        "size": {"shortest_edge": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE},
    }
    save(folder, model, tf.VivitImageProcessor(**size))


BUILDERS: dict[str, Callable[[Path], None]] = {
    "image-super-resolution": image_super_resolution,
    "image-to-text": image_to_text,
    "visual-question-answering": visual_question_answering,
    "document-question-answering": document_question_answering,
    "video-classification": video_classification,
}
