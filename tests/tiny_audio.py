"""Tiny models of sounds and speech.

The CTC model is trained to read beeps: a letter from A to H is a tone of 0.12 s, a pause ends a
word. The others are random.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf
from tiny_parts import SMALL, Arguments, byte_level, enliven, labels, save, spread_logits
from torch import nn

RATE = 16_000
BEEP_SECONDS = 0.12
LETTERS = "ABCDEFGH"
PITCHES = [300 * 1.45**number for number in range(len(LETTERS))]  # Hz
CTC_TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS]
DROPOUTS = "hidden_dropout activation_dropout attention_dropout feat_proj_dropout final_dropout"
NO_DROPOUT: Arguments = dict.fromkeys([*DROPOUTS.split(), "layerdrop", "mask_time_prob"], 0.0)
# one frame of 20 ms from samples of 16 kHz
FRAMES: Arguments = {
    "conv_dim": [32, 32, 32, 32],
    "conv_kernel": [40, 8, 4, 4],
    "conv_stride": [5, 4, 4, 4],
}
WAV2VEC2: Arguments = {**SMALL, **FRAMES, **NO_DROPOUT, "num_hidden_layers": 1}
WAV2VEC2 |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
WAV2VEC2 |= {"classifier_proj_size": 32}
MASKED: Arguments = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}


def beeps(words: str, noise: np.random.Generator) -> np.ndarray:
    """A recording of words of the letters A to H: tones, and between words 0.12 s of silence."""
    time = np.arange(round(BEEP_SECONDS * RATE)) / RATE
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    tones = [
        np.sin(2 * np.pi * PITCHES[LETTERS.index(one)] * time) * fade if one != " " else 0 * time
        for one in words
    ]
    samples = 0.4 * noise.uniform(0.6, 1) * np.concatenate(tones)
    return (samples + noise.normal(0, 0.005, len(samples))).astype(np.float32)


def some_words(chance: np.random.Generator, count: int) -> str:
    """Words of one to four letters; none is next to itself, which would be one long tone."""
    words = []
    for _ in range(count):
        word = ""
        for _ in range(chance.integers(1, 5)):
            word += chance.choice([one for one in LETTERS if one != word[-1:]])
        words.append(word)
    return " ".join(words)


def frame_targets(words: str, cut: int, frames: int) -> list[int]:
    """The token of each frame of 20 ms: a letter while its tone lasts, but not at its edges.

    Args:
        cut: how many samples are missing at the beginning.
    """
    found = []
    for frame in range(frames):
        slot, part = divmod((cut + frame * 320 + 200) / RATE / BEEP_SECONDS, 1)
        inside = 0.25 < part < 0.75 and slot < len(words)
        letter = words[int(slot)].replace(" ", "|") if inside else "<pad>"
        found.append(CTC_TOKENS.index(letter))
    return found


@torch.enable_grad()
def train_ctc(model: Any, processor: Any, steps: int) -> None:
    """Fit the model in place on random words, whose letters are where they are known to be.

    The loss named CTC would first have to find out where they are, which takes ten times as long.
    """
    chance = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(steps):
        texts = [f" {some_words(chance, chance.integers(1, 4))} " for _ in range(8)]
        cuts = chance.integers(0, round(BEEP_SECONDS * RATE), len(texts)).tolist()
        sounds = [beeps(text, chance)[cut:] for text, cut in zip(texts, cuts)]
        inputs = processor(sounds, sampling_rate=RATE, padding=True, return_tensors="pt")
        logits = model(**inputs).logits
        targets = torch.tensor(
            [frame_targets(text, cut, logits.shape[1]) for text, cut in zip(texts, cuts)]
        )
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
        schedule.step()


def ctc_processor(folder: Path, masked: bool) -> Any:
    """Samples in, letters out."""
    path = folder / "vocab.json"
    path.write_text(json.dumps({token: i for i, token in enumerate(CTC_TOKENS)}))
    return tf.Wav2Vec2Processor(
        tf.Wav2Vec2FeatureExtractor(return_attention_mask=masked),
        tf.Wav2Vec2CTCTokenizer(str(path)),
    )


def speech_recognition_ctc(folder: Path) -> None:
    """Wav2Vec2 that reads beeps, as trained by `train_ctc`."""
    config = tf.Wav2Vec2Config(
        **WAV2VEC2,
        **MASKED,
        vocab_size=len(CTC_TOKENS),
        pad_token_id=0,
    )
    model, processor = tf.Wav2Vec2ForCTC(config), ctc_processor(folder, masked=True)
    train_ctc(model, processor, steps=100)
    save(folder, model, processor)


def speech_recognition_ctc_unmasked(folder: Path) -> None:
    """A random HuBERT whose first layer looks at the whole recording: padding changes it."""
    config = tf.HubertConfig(**WAV2VEC2, vocab_size=len(CTC_TOKENS), pad_token_id=0)
    model: Any = tf.HubertForCTC(config)
    enliven(model, seed=31)
    save(folder, model, ctc_processor(folder, masked=False))


def sample_sounds(count: int, rate: int, seconds: float) -> list[np.ndarray]:
    """Tones with noise, each another."""
    chance = np.random.default_rng(1)
    time = np.arange(int(rate * seconds)) / rate
    return [
        (
            chance.uniform(0.1, 0.9) * np.sin(2 * np.pi * chance.uniform(80, 4000) * time)
            + chance.normal(0, chance.uniform(0.001, 0.1), len(time))
        ).astype(np.float32)
        for _ in range(count)
    ]


def save_classifier(folder: Path, model: Any, extractor: Any, head: Any, seed: int) -> None:
    """Save a random classifier whose labels win about equally often on sounds."""
    enliven(model, seed)
    sounds = sample_sounds(32, RATE, 1.0)
    inputs = extractor(sounds, sampling_rate=RATE, return_tensors="pt")
    spread_logits(head, model(**inputs).logits, mean=0.0, std=1.5)
    save(folder, model, extractor)


SOUNDS = labels("Speech", "Music", "Dial tone", "White noise", "Dog", "Rain")


def audio_classification(folder: Path) -> None:
    """A spectrogram transformer as AST, with large patches."""
    config = tf.ASTConfig(**SMALL, **SOUNDS, frequency_stride=32, time_stride=32)
    model: Any = tf.ASTForAudioClassification(config)
    head = model.classifier.dense
    save_classifier(folder, model, tf.ASTFeatureExtractor(), head, seed=32)


def audio_classification_masked(folder: Path) -> None:
    """Wav2Vec2 over the samples, with a mask of what is padding."""
    model: Any = tf.Wav2Vec2ForSequenceClassification(
        tf.Wav2Vec2Config(**WAV2VEC2, **MASKED, **SOUNDS)
    )
    extractor = tf.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    save_classifier(folder, model, extractor, model.classifier, seed=33)


def audio_classification_unmasked(folder: Path) -> None:
    """The same without a mask: padding changes its answers."""
    model: Any = tf.Wav2Vec2ForSequenceClassification(tf.Wav2Vec2Config(**WAV2VEC2, **SOUNDS))
    extractor = tf.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    save_classifier(folder, model, extractor, model.classifier, seed=34)


def zero_shot_audio_classification(folder: Path) -> None:
    """CLAP of width 64; its extractor takes any ten seconds of a longer recording, by chance."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = tf.RobertaTokenizer(**byte_level(special, "\u0120"), model_max_length=64)
    ids: Arguments = {
        f"{kind}_token_id": tokenizer.convert_tokens_to_ids(token)
        for kind, token in (("bos", "<s>"), ("pad", "<pad>"), ("eos", "</s>"))
    }
    # its positions begin behind the number of the padding token
    positions = 64 + ids["pad_token_id"] + 1
    text = tf.ClapTextConfig(
        **SMALL, **ids, vocab_size=len(tokenizer), max_position_embeddings=positions
    )
    audio = tf.ClapAudioConfig(
        patch_size=8,
        patch_stride=(8, 8),
        patch_embeds_hidden_size=16,
        depths=(1, 1, 1),
        num_attention_heads=(2, 4, 4),
        hidden_size=64,
    )
    model: Any = tf.ClapModel(
        tf.ClapConfig(text_config=text, audio_config=audio, projection_dim=32)
    )
    enliven(model, seed=35)
    extractor = tf.ClapFeatureExtractor(truncation="rand_trunc")
    sounds = sample_sounds(8, 48_000, 1.0)
    features = extractor(sounds, sampling_rate=48_000, return_tensors="pt")["input_features"]
    norm = model.audio_model.audio_encoder.batch_norm  # else it lets through what all share
    norm.running_mean.copy_(features.mean(dim=(0, 1, 2)))
    norm.running_var.copy_(features.var(dim=(0, 1, 2)))
    model.logit_scale_a.fill_(np.log(100))  # so that labels differ clearly
    save(folder, model, tf.ClapProcessor(extractor, tokenizer))


def text_to_speech(folder: Path) -> None:
    """VITS with three speakers: says each letter as some noise of its own."""
    tokens = ["<pad>", *"abcdefghijklmnopqrstuvwxyz0123456789 '-", "<unk>"]
    path = folder / "vocab.json"
    path.write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    tokenizer = tf.VitsTokenizer(str(path), phonemize=False, is_uroman=False)
    config = tf.VitsConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        num_hidden_layers=2,
        ffn_dim=64,
        flow_size=32,
        spectrogram_bins=33,
        num_speakers=3,
        speaker_embedding_size=16,
        upsample_initial_channel=32,
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        duration_predictor_filter_channels=32,
        prior_encoder_num_flows=2,
        prior_encoder_num_wavenet_layers=2,
        posterior_encoder_num_wavenet_layers=2,
    )
    model: Any = tf.VitsModel(config).eval()
    model.duration_predictor.flows[0].translate[0] = 2.5  # else a letter takes a second
    save(folder, model, tokenizer)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "audio-classification": audio_classification,
    "zero-shot-audio-classification": zero_shot_audio_classification,
    "text-to-speech": text_to_speech,
    # other kinds of models of types that have one above
    "audio-classification-masked": audio_classification_masked,
    "audio-classification-unmasked": audio_classification_unmasked,
    "automatic-speech-recognition-ctc": speech_recognition_ctc,
    "automatic-speech-recognition-ctc-unmasked": speech_recognition_ctc_unmasked,
}
