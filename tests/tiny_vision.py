"""Builders of tiny models that see: see tiny_models.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tiny_parts import SMALL, Arguments, byte_level, enliven, labels, save
from torch import nn

PARTS = ("sky", "grass", "road", "wall", "water", "tree")


def clip_tokenizer(length: int, **options: Any) -> Any:
    """CLIP's byte-level tokenizer for texts of so many tokens."""
    pieces = byte_level(["<|startoftext|>", "<|endoftext|>"], end="</w>")
    return tf.CLIPTokenizer(**pieces, model_max_length=length, **options)


def text_sizes(tokenizer: Any) -> Arguments:
    """The config arguments of a text tower for a tokenizer."""
    start, end = tokenizer.convert_tokens_to_ids(["<|startoftext|>", "<|endoftext|>"])
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    length = tokenizer.model_max_length
    return {**SMALL, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": length}


def zero_shot_image_classification(folder: Path) -> None:
    """SigLIP for 32x32 pixels and 64 tokens: scores each label for itself, at random."""
    tokenizer = clip_tokenizer(64, model_input_names=["input_ids"])
    vision: Arguments = {**SMALL, "image_size": 32, "patch_size": 8}
    config = tf.SiglipConfig(text_config=text_sizes(tokenizer), vision_config=vision)
    model: Any = tf.SiglipModel(config)
    enliven(model, seed=21)
    model.logit_scale.fill_(3.0)
    model.logit_bias.fill_(-1.0)
    processor = tf.SiglipImageProcessorPil(size={"height": 32, "width": 32})
    save(folder, model, tf.SiglipProcessor(processor, tokenizer))


def zero_shot_object_detection(folder: Path) -> None:
    """OWLv2 for 64x64 pixels and 16 tokens: its 16 boxes score from 0 to 1, at random."""
    tokenizer = clip_tokenizer(16)
    vision: Arguments = {**SMALL, "image_size": 64, "patch_size": 16}
    config = tf.Owlv2Config(
        text_config=text_sizes(tokenizer), vision_config=vision, projection_dim=64
    )
    model: Any = tf.Owlv2ForObjectDetection(config)
    enliven(model, seed=22)
    processor = tf.Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    save(folder, model, tf.Owlv2Processor(processor, tokenizer))


def image_segmentation(folder: Path) -> None:
    """UperNet on a ConvNeXt, for 64x64 pixels and six labels."""
    backbone = tf.ConvNextConfig(
        hidden_sizes=[8, 16, 24, 32],
        depths=[1] * 4,
        layer_scale_init_value=1.0,
        out_features=[f"stage{number}" for number in range(1, 5)],
    )
    config = tf.UperNetConfig(
        **labels(*PARTS), backbone_config=backbone, hidden_size=16, auxiliary_channels=8
    )
    model: Any = tf.UperNetForSemanticSegmentation(config)
    enliven(model, seed=23)
    settle(model, blobs(16, 64))
    save(folder, model, tf.SegformerImageProcessorPil(size={"height": 64, "width": 64}))


def blobs(count: int, side: int) -> torch.Tensor:
    """Random pictures with soft spots."""
    spots = torch.rand(count, 3, 6, 6) * torch.rand(count, 3, 1, 1)
    return nn.functional.interpolate(spots, size=side, mode="bilinear")


def settle(model: Any, pixels: torch.Tensor) -> None:
    """Batch norms take the statistics of `pixels`, else constants drown the picture."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the average of all
            module.train()
    model(pixel_values=pixels)
    model.eval()


def mask_generation(folder: Path) -> None:
    """SAM for 128x128 pixels: offers three random masks for some points."""
    vision: Arguments = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision |= {"image_size": 128, "patch_size": 16, "window_size": 4, "global_attn_indexes": [1]}
    decoder: Arguments = {"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 4}
    config = tf.SamConfig(
        vision_config={**vision, "output_channels": 32, "num_pos_feats": 16},
        prompt_encoder_config={"hidden_size": 32, "image_size": 128, "patch_size": 16},
        mask_decoder_config={**decoder, "iou_head_hidden_dim": 32},
    )
    model: Any = tf.SamModel(config)
    enliven(model, seed=24)
    processor = tf.SamImageProcessorPil(
        size={"longest_edge": 128}, pad_size={"height": 128, "width": 128}
    )
    save(folder, model, tf.SamProcessor(processor))


def depth_estimation(folder: Path) -> None:
    """Depth Anything on a DINOv2, for pictures whose shorter side becomes 56 pixels."""
    backbone = tf.Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=56,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = tf.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
    )
    model: Any = tf.DepthAnythingForDepthEstimation(config)
    enliven(model, seed=25)
    processor = tf.DPTImageProcessorPil(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    )
    save(folder, model, processor)


def image_feature_extraction(folder: Path) -> None:
    """DINOv2 for 56x56 pixels."""
    config = tf.Dinov2Config(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=56
    )
    model: Any = tf.Dinov2Model(config)
    enliven(model, seed=26)
    sizes: Arguments = {"size": {"shortest_edge": 64}, "crop_size": {"height": 56, "width": 56}}
    save(folder, model, tf.BitImageProcessorPil(**sizes))


def clip(folder: Path) -> None:
    """CLIP for 32x32 pixels: its scores of a picture's labels add up to 1."""
    tokenizer = clip_tokenizer(77)
    vision: Arguments = {**SMALL, "image_size": 32, "patch_size": 8}
    config = tf.CLIPConfig(
        text_config=text_sizes(tokenizer), vision_config=vision, projection_dim=32
    )
    model: Any = tf.CLIPModel(config)
    enliven(model, seed=27)
    sizes: Arguments = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    save(folder, model, tf.CLIPProcessor(tf.CLIPImageProcessorPil(**sizes), tokenizer))


def mask2former(folder: Path) -> None:
    """Mask2Former on a Swin: one of the segmentation models that are universal."""
    backbone = tf.SwinConfig(
        image_size=64,
        embed_dim=16,
        depths=[1] * 4,
        num_heads=[2] * 4,
        window_size=4,
        out_features=[f"stage{number}" for number in range(1, 5)],
    )
    sizes: Arguments = {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32}
    sizes |= {"encoder_layers": 2, "decoder_layers": 3, "num_attention_heads": 4}
    sizes |= {"encoder_feedforward_dim": 64, "dim_feedforward": 64, "num_queries": 10}
    config = tf.Mask2FormerConfig(backbone_config=backbone, **sizes, **labels(*PARTS))
    model: Any = tf.Mask2FormerForUniversalSegmentation(config)
    enliven(model, seed=28)
    size = {"height": 64, "width": 64}
    save(folder, model, tf.Mask2FormerImageProcessorPil(size=size, num_labels=len(PARTS)))


def vit(folder: Path) -> None:
    """A ViT that was trained to classify: it has no weights that pool."""
    config = tf.ViTConfig(**SMALL, image_size=32, patch_size=8)
    model: Any = tf.ViTForImageClassification(config)
    enliven(model, seed=29)
    save(folder, model, tf.ViTImageProcessorPil(size={"height": 32, "width": 32}))


BUILDERS: dict[str, Callable[[Path], None]] = {
    "zero-shot-image-classification": zero_shot_image_classification,
    "zero-shot-object-detection": zero_shot_object_detection,
    "image-segmentation": image_segmentation,
    "mask-generation": mask_generation,
    "depth-estimation": depth_estimation,
    "image-feature-extraction": image_feature_extraction,
}

# other architectures of some types
VARIANTS: dict[str, Callable[[Path], None]] = {"clip": clip, "mask2former": mask2former, "vit": vit}
