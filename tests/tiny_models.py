"""Tiny, seeded models in the real on-disk formats, one per pipeline tag.

Tests load these folders with the same `from_pretrained` calls a Space uses, offline and in
well under a second. Weights are random except for the digits classifier, which is trained and
really reads digits. Random weights are rescaled (see `enliven`): at their default scale a tiny
model hardly depends on its input, so a test could not notice rows that come back swapped.

    python tests/tiny_models.py /tmp/models [image-classification ...]
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny_audio
import tiny_parts
import torch
import transformers as tf
from PIL import Image
from tiny_parts import (
    SMALL,
    SPACE,
    SPOKEN,
    TWO_SIDED,
    WORDS,
    Arguments,
    byte_level,
    enliven,
    isolated_torch,
    labels,
    save,
    spread_logits,
    wordpiece,
)
from torch import nn
from transformers.models.whisper.tokenization_whisper import LANGUAGES


def save_classifier(folder: Path, model: Any, tokenizer: Any, seed: int, pairs: bool) -> None:
    """Save a random text classifier whose labels win about equally often on random sentences."""
    enliven(model, seed)
    chosen = torch.randint(len(WORDS), (64, 12)).tolist()
    sentences = [" ".join(WORDS[index] for index in row) for row in chosen]
    second = sentences[::-1] if pairs else None
    logits = model(**tokenizer(sentences, second, padding=True, return_tensors="pt")).logits
    spread_logits(model.classifier, logits, mean=0.0, std=1.5)
    save(folder, model, tokenizer)


def text_classification(folder: Path) -> None:
    """DistilBERT that calls texts negative, neutral or positive, at random, not by meaning."""
    tokenizer = wordpiece()
    sizes: Arguments = {"dim": 64, "hidden_dim": 128, "n_layers": 2, "n_heads": 4}
    names = labels("negative", "neutral", "positive")
    config = tf.DistilBertConfig(**sizes, **names, vocab_size=len(tokenizer))
    model = tf.DistilBertForSequenceClassification(config)
    save_classifier(folder, model, tokenizer, seed=1, pairs=False)


def zero_shot_classification(folder: Path) -> None:
    """BERT over premise and hypothesis, with the three labels of an NLI model."""
    tokenizer = wordpiece()
    names = labels("contradiction", "neutral", "entailment")
    config = tf.BertConfig(**SMALL, **names, vocab_size=len(tokenizer))
    model = tf.BertForSequenceClassification(config)
    save_classifier(folder, model, tokenizer, seed=2, pairs=True)


def sentence_similarity(folder: Path) -> None:
    """BERT, mean pooling and normalisation, laid out as sentence-transformers saves it.

    Loads with AutoModel + AutoTokenizer too. Sentences that share words come out closer.
    """
    tokenizer = wordpiece()
    model: Any = tf.BertModel(tf.BertConfig(**SMALL, vocab_size=len(tokenizer)))
    enliven(model, seed=3, gain=1.0)
    for table in ("position_embeddings", "token_type_embeddings"):
        model.embeddings.get_submodule(table).weight.mul_(0.1)  # else they dominate every mean
    save(folder, model, tokenizer)
    places = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(places.items())
    ]
    files = {
        "modules.json": modules,
        "1_Pooling/config.json": {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": 512},
        "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    }
    (folder / "1_Pooling").mkdir()
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2), encoding="utf-8")


def digits(held_out: bool) -> tuple[list[Image.Image], list[int]]:
    """Scikit-learn's handwritten digits as RGB images of 8x8 pixels with their labels.

    `held_out=True` gives every fourth image (450), which the classifier was not trained on.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = [i for i in range(len(data.target)) if (i % 4 == 0) == held_out]
    pixels = (data.images * 255 / 16).astype("uint8")
    images = [Image.fromarray(pixels[i]).convert("RGB") for i in chosen]
    return images, [int(data.target[i]) for i in chosen]


@torch.enable_grad()
def train_digits(model: Any, processor: Any, epochs: int) -> None:
    """Fit the classifier in place, on images prepared by the processor that is saved with it."""
    images, targets = digits(held_out=False)
    pixels, expected = processor(images, return_tensors="pt")["pixel_values"], torch.tensor(targets)
    optimizer = torch.optim.AdamW(model.parameters())
    steps = epochs * -(-len(targets) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(targets)), 64):
            optimizer.zero_grad()
            model(pixel_values=pixels[batch], labels=expected[batch]).loss.backward()
            optimizer.step()
            schedule.step()


def image_classification(folder: Path) -> None:
    """A ViT for 32x32 pixels, trained to read digits: over 90 % right on held-out images."""
    config = tf.ViTConfig(**SMALL, image_size=32, patch_size=8, **labels(*"0123456789"))
    model = tf.ViTForImageClassification(config)
    processor = tf.ViTImageProcessorPil(size={"height": 32, "width": 32})
    train_digits(model, processor, epochs=30)
    save(folder, model, processor)


def settle(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
    """Hook: a batch norm takes its input's statistics, else constants drown the image."""
    norm.running_mean.copy_(inputs[0].mean(dim=(0, 2, 3)))
    norm.running_var.copy_(inputs[0].var(dim=(0, 2, 3)))


def object_detection(folder: Path) -> None:
    """RT-DETR v2 for 96x96 pixels and four labels: on many images some boxes score over 0.5."""
    sizes: Arguments = {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1] * 4}
    backbone: Arguments = {**sizes, "layer_type": "basic", "out_indices": [2, 3, 4]}
    channels: Arguments = {"encoder_in_channels": [16, 24, 32], "decoder_in_channels": [32] * 3}
    config = tf.RTDetrV2Config(
        **TWO_SIDED,
        **labels("person", "cat", "car", "cup"),
        backbone_config=tf.RTDetrResNetConfig(**backbone),
        **channels,
        encoder_hidden_dim=32,
        num_queries=20,
        num_denoising=0,
    )
    model: Any = tf.RTDetrV2ForObjectDetection(config)
    enliven(model, seed=11, gain=2.0)
    decoder = model.model.decoder
    for head in [model.model.enc_bbox_head, *decoder.bbox_embed]:
        head.layers[-1].weight.mul_(0.2)  # boxes stay close to their anchors
    for module in model.modules():
        if hasattr(module, "running_mean"):
            module.register_forward_pre_hook(settle)
    blobs = torch.rand(16, 3, 6, 6) * torch.rand(16, 3, 1, 1)
    blobs = nn.functional.interpolate(blobs, size=96, mode="bilinear")
    logits = model(pixel_values=blobs).logits.flatten(0, 1)
    spread_logits(decoder.class_embed[-1], logits, mean=-0.8, std=0.7)
    save(folder, model, tf.RTDetrImageProcessorPil(size={"height": 96, "width": 96}))


def whisper_tokenizer() -> Any:
    """Byte-level BPE plus all of Whisper's special tokens: languages, tasks, timestamps."""
    tokenizer = tf.WhisperTokenizer(**byte_level(["<|endoftext|>"], SPACE), model_max_length=448)
    tasks = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    names = ["startoftranscript", *LANGUAGES, *tasks]
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{name}|>" for name in names]})
    tokenizer.add_tokens([f"<|{step * 0.02:.2f}|>" for step in range(1501)])
    return tokenizer


def make_talkative(model: Any, spoken: list[int], end: int) -> None:
    """Make a random Whisper say different things about different recordings, and stop.

    All tokens but words and the end are quiet, the decoder listens more than it continues its
    own text, and a pull towards the end token grows with the position.
    """
    decoder = model.model.decoder
    tokens, positions = decoder.embed_tokens.weight, decoder.embed_positions.weight
    loudness = torch.full((len(tokens), 1), 0.1)
    loudness[[*spoken, end]] = 1.0
    tokens.mul_(loudness)
    for layer in decoder.layers:
        layer.encoder_attn.out_proj.weight.mul_(3.0)
    pull = 2.0 * torch.arange(len(positions)).sub(3).clamp(min=0)
    positions.mul_(4.0).add_(pull[:, None] * nn.functional.normalize(tokens[end], dim=0))


def automatic_speech_recognition(folder: Path) -> None:
    """Whisper of width 32: turns a 30 s window of 16 kHz sound into some 10 to 20 random words."""
    tokenizer = whisper_tokenizer()
    ids, end = tokenizer.get_vocab(), tokenizer.eos_token_id
    spoken = [ids[token] for token in SPOKEN]
    special: Arguments = {f"{kind}_token_id": end for kind in ("pad", "bos", "eos")}
    special["decoder_start_token_id"] = ids["<|startoftranscript|>"]
    config = tf.WhisperConfig(**TWO_SIDED, **special, vocab_size=len(tokenizer))
    model = tf.WhisperForConditionalGeneration(config)
    enliven(model, seed=14)
    make_talkative(model, spoken, end)
    model.generation_config = tf.GenerationConfig(
        **special,
        max_length=448,
        begin_suppress_tokens=[end],
        suppress_tokens=sorted(set(range(ids["<|0.00|>"])) - {*spoken, end}),
        is_multilingual=True,
        lang_to_id={f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES},
        task_to_id={task: ids[f"<|{task}|>"] for task in ("translate", "transcribe")},
        no_timestamps_token_id=ids["<|notimestamps|>"],
    )
    model.generation_config._from_model_config = False  # else lang_to_id is lost on loading
    save(folder, model, tf.WhisperProcessor(tf.WhisperFeatureExtractor(), tokenizer))


def text_generation(folder: Path) -> None:
    """Llama with a ChatML template: says random words, greedily never the end token."""
    special = {"pad_token": "<|endoftext|>", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
    pieces = byte_level([*special.values()], SPACE)
    tokenizer: Any = tf.GPT2Tokenizer(**pieces, **special, model_max_length=2048)
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    ids: Arguments = {f"{kind}_id": pieces["vocab"][token] for kind, token in special.items()}
    config = tf.LlamaConfig(**SMALL, **ids, vocab_size=len(tokenizer), num_key_value_heads=2)
    model = tf.LlamaForCausalLM(config)
    enliven(model, seed=7)
    said = torch.zeros(len(tokenizer), 1)
    said[[pieces["vocab"][token] for token in SPOKEN]] = 1.0
    model.lm_head.weight.mul_(3 * said)  # all else gets logit 0, far below the best word
    model.generation_config = tf.GenerationConfig(**ids)
    save(folder, model, tokenizer)


def text_to_image(folder: Path) -> None:
    """Stable Diffusion 1.x without a safety checker; images are 64x64, latents 8x8."""
    import diffusers

    special = ["<|startoftext|>", "<|endoftext|>"]
    tokenizer: Any = tf.CLIPTokenizer(**byte_level(special, end="</w>"), model_max_length=77)
    start, end = tokenizer.convert_tokens_to_ids(special)
    ids: Arguments = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    text_config = tf.CLIPTextConfig(**SMALL, **ids, vocab_size=len(tokenizer))
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=SMALL["hidden_size"],
        norm_num_groups=8,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
    )
    parts: Arguments = {"text_encoder": tf.CLIPTextModel(text_config), "unet": unet, "vae": vae}
    for seed, part in enumerate(parts.values(), start=8):
        enliven(part, seed, gain=1.0)
    scheduler = diffusers.PNDMScheduler(skip_prk_steps=True, steps_offset=1)
    parts |= {"tokenizer": tokenizer, "scheduler": scheduler}
    parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    save(folder, diffusers.StableDiffusionPipeline(**parts))


BUILDERS: dict[str, Callable[[Path], None]] = {
    "text-classification": text_classification,
    "sentence-similarity": sentence_similarity,
    "zero-shot-classification": zero_shot_classification,
    "image-classification": image_classification,
    "object-detection": object_detection,
    "automatic-speech-recognition": automatic_speech_recognition,
    "text-generation": text_generation,
    "text-to-image": text_to_image,
    **tiny_audio.BUILDERS,
}


def build(model_type: str, root: Path) -> Path:
    """Build one model below `root` unless it is there already, and return its folder.

    The name carries a hash of the files that build it, so an edit there makes a new folder. The
    model is built beside its place and then renamed: workers that ask at once never see half a
    model.
    """
    sources = (tiny_parts.__file__, BUILDERS[model_type].__code__.co_filename)
    code = b"".join(Path(source).read_bytes() for source in sources)
    folder = root / f"{model_type}-{hashlib.sha256(code).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=root) as scratch, isolated_torch():
        unfinished = Path(scratch) / model_type
        unfinished.mkdir()
        BUILDERS[model_type](unfinished)
        try:
            unfinished.rename(folder)
        except OSError:  # another worker may have been first, with the same content
            if not folder.is_dir():
                raise
    return folder


if __name__ == "__main__":
    for name in sys.argv[2:] or BUILDERS:
        print(build(name, Path(sys.argv[1])))
