"""Tiny, seeded models of diffusers that make pictures of pictures, and videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers as tf
from tiny_parts import SMALL, WORDS, Arguments, byte_level, enliven, save


def clip() -> Arguments:
    """CLIP's tokenizer and text encoder of width 64."""
    special = ["<|startoftext|>", "<|endoftext|>"]
    tokenizer: Any = tf.CLIPTokenizer(**byte_level(special, end="</w>"), model_max_length=77)
    start, end = tokenizer.convert_tokens_to_ids(special)
    ids: Arguments = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    config = tf.CLIPTextConfig(**SMALL, **ids, vocab_size=len(tokenizer))
    return {"tokenizer": tokenizer, "text_encoder": tf.CLIPTextModel(config)}


def image_to_image(folder: Path) -> None:
    """A latent consistency model without a safety checker; pictures of 64x64, latents of 8x8."""
    import diffusers

    parts = clip()
    parts["unet"] = diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=SMALL["hidden_size"],
        norm_num_groups=8,
        time_cond_proj_dim=32,
    )
    parts["vae"] = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
    )
    for seed, name in enumerate(("text_encoder", "unet", "vae"), start=21):
        enliven(parts[name], seed, gain=1.0)
    parts["scheduler"] = diffusers.LCMScheduler()
    parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    save(folder, diffusers.LatentConsistencyModelPipeline(**parts))


def unigram() -> Any:
    """T5's tokenizer: words, or else characters."""
    characters = [chr(code) for code in range(33, 127)]
    pieces = dict.fromkeys(["\u2581", *characters, *(f"\u2581{word}" for word in WORDS)])
    scores = [(piece, -2.0 - 4.0 * (len(piece) == 1)) for piece in pieces]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return tf.T5Tokenizer(vocab=[*special, *scores], extra_ids=0, model_max_length=512)


def text_to_video(folder: Path) -> None:
    """Wan of width 24: frames are four to a latent, pixels eight by eight."""
    import diffusers

    tokenizer = unigram()
    text_config = tf.UMT5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4
    )
    parts: Arguments = {
        "text_encoder": tf.UMT5EncoderModel(text_config),
        "transformer": diffusers.WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            text_dim=32,
            ffn_dim=32,
            num_layers=2,
            rope_max_seq_len=64,
        ),
        "vae": diffusers.AutoencoderKLWan(base_dim=6, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
    }
    for seed, part in enumerate(parts.values(), start=31):
        enliven(part, seed, gain=1.0)
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    save(folder, diffusers.WanPipeline(tokenizer=tokenizer, scheduler=scheduler, **parts))


def custom(folder: Path) -> None:
    """A function of one's own needs no model."""


BUILDERS: dict[str, Callable[[Path], None]] = {
    "image-to-image": image_to_image,
    "text-to-video": text_to_video,
    "custom": custom,
}
