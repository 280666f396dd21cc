"""How speech becomes text: Whisper writes it word by word, a CTC model moment by moment."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import (
    MODEL_FOR_CTC_MAPPING,
    AutoFeatureExtractor,
    AutoModelForCTC,
    AutoModelForSpeechSeq2Seq,
    AutoProcessor,
    AutoTokenizer,
)
from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from audio import passes
from serving.errors import InputError
from serving.runtime import runtime

TIMESTAMP_SECONDS = 0.02  # from one of Whisper's timestamps to the next
PAUSE_SECONDS = 0.5  # between two lines of what a CTC model writes

Features = dict[str, np.ndarray]


class Options(NamedTuple):
    """What a visitor chose; an empty language is detected."""

    language: str
    task: str
    timestamps: bool


class Window(NamedTuple):
    """A part of a recording, as the model takes it, and its length."""

    features: Features
    seconds: float


class Segment(NamedTuple):
    """A text, and when it is said, in seconds from the beginning of its window."""

    start: float
    end: float
    text: str


def is_ctc(config: Any) -> bool:
    """Whether the model is one with a letter for each moment."""
    return type(config) in MODEL_FOR_CTC_MAPPING


class Whisper:
    """Whisper: windows of 30 seconds, filled up with silence, become tokens.

    Raises:
        ValueError: the model is neither Whisper nor a CTC model.
    """

    def __init__(self) -> None:
        self.model = AutoModelForSpeechSeq2Seq.from_pretrained(
            runtime.model_id, dtype=runtime.dtype
        )
        if self.model.config.model_type != "whisper":
            kind = self.model.config.model_type
            raise ValueError(f"this Space runs Whisper and CTC models, not {kind}")
        self.model.to(runtime.device).eval()
        self.processor = AutoProcessor.from_pretrained(runtime.model_id)
        self.extractor = self.processor.feature_extractor
        self.rate: int = self.extractor.sampling_rate
        self.settings = self.model.generation_config
        self.settings.max_length = self.model.config.max_target_positions
        self.multilingual = getattr(self.settings, "is_multilingual", False)
        # the token of the timestamp 0.00; those of later ones follow
        before = getattr(self.settings, "no_timestamps_token_id", None)
        self.zero: int = (before or self.model.config.vocab_size) + 1

    def options(self, language: str, task: str, timestamps: bool) -> Options:
        """Check them, and write the language as a code.

        Raises:
            InputError: the model cannot do that.
        """
        if not self.multilingual:
            if language or task != "transcribe":
                raise InputError(
                    "This model knows one language and does not translate. Please leave "
                    "the language empty and the task as it is."
                )
            return Options("", "", timestamps)
        code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
        if code and f"<|{code}|>" not in self.settings.lang_to_id:
            raise InputError(
                "This model does not know this language. Please name it in English, such "
                "as German, or leave it empty to have it detected."
            )
        return Options(code, task, timestamps)

    def features(self, samples: np.ndarray) -> Features:
        """The spectrogram, shape (mel bins, frames), and which frames are not silence."""
        found = self.extractor(
            samples, sampling_rate=self.rate, return_attention_mask=True
        )
        return {name: found[name][0] for name in ("input_features", "attention_mask")}

    def hear(self, windows: list[Window], options: Options) -> list[list[Segment]]:
        """What is said in each window."""
        most, found = runtime.tier.max_batch_size, list[list[Segment]]()
        for start in range(0, len(windows), most):
            some = windows[start : start + most]
            features, mask = (
                torch.from_numpy(np.stack([one.features[name] for one in some]))
                for name in ("input_features", "attention_mask")
            )
            tokens = self.model.generate(
                features.to(runtime.device, self.model.dtype),
                attention_mask=mask.to(runtime.device),
                language=options.language or None,
                task=options.task or None,
                return_timestamps=options.timestamps,
                # one pass over a window, whatever times it gives
                force_unique_generate_call=options.timestamps,
            )
            rows = zip(tokens.tolist(), some)
            found += [self.segments(row, one.seconds) for row, one in rows]
        return found

    def segments(self, tokens: list[int], seconds: float) -> list[Segment]:
        """The texts between timestamps; a single one where there are none."""
        found, words, start = list[Segment](), list[int](), 0.0
        last = self.zero + math.ceil(seconds / TIMESTAMP_SECONDS)
        for token in [*tokens, last]:
            if token < self.zero:
                words.append(token)
                continue
            time = min(seconds, (token - self.zero) * TIMESTAMP_SECONDS)
            text = self.processor.decode(words, skip_special_tokens=True).strip()
            if text:
                found.append(Segment(start, max(start, time), text))
            words, start = [], time
        return found


class Ctc:
    """A CTC model, such as Wav2Vec2 or HuBERT: each frame becomes a letter or nothing."""

    def __init__(self) -> None:
        self.model = AutoModelForCTC.from_pretrained(
            runtime.model_id, dtype=runtime.dtype
        )
        self.model.to(runtime.device).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
        self.extractor = AutoFeatureExtractor.from_pretrained(runtime.model_id)
        self.rate: int = self.extractor.sampling_rate
        self.name: str = self.extractor.model_input_names[0]
        # others were trained without a mask, and padding would change what they write
        self.padded: bool = self.extractor.return_attention_mask

    def options(self, language: str, task: str, timestamps: bool) -> Options:
        """Check them.

        Raises:
            InputError: the model cannot do that.
        """
        if language or task != "transcribe":
            raise InputError(
                "This model knows one language and does not translate. Please leave the "
                "language empty and the task as it is."
            )
        return Options("", "", timestamps)

    def features(self, samples: np.ndarray) -> Features:
        """The samples as the model takes them, shape (length,) or (length, bins)."""
        found = self.extractor(samples, sampling_rate=self.rate)
        return {self.name: np.asarray(found[self.name][0])}

    def hear(self, windows: list[Window], options: Options) -> list[list[Segment]]:
        """What is said in each window."""
        lengths = [len(one.features[self.name]) for one in windows]
        found: list[list[Segment]] = [[]] * len(windows)
        for chosen in passes(lengths, runtime.tier.max_batch_size, self.padded):
            inputs = self.extractor.pad(
                [windows[index].features for index in chosen],
                padding=True,
                return_attention_mask=self.padded,
                return_tensors="pt",
            )
            inputs = inputs.to(runtime.device, self.model.dtype)
            letters = self.model(**inputs).logits.argmax(-1).tolist()
            frames = self.model._get_feat_extract_output_lengths(
                torch.tensor([lengths[index] for index in chosen])
            )
            for index, row, count in zip(chosen, letters, frames.tolist()):
                found[index] = self.segments(
                    row[:count], windows[index].seconds, options.timestamps
                )
        return found

    def segments(
        self, letters: list[int], seconds: float, timestamps: bool
    ) -> list[Segment]:
        """The text of a window, as a whole or in lines that end with a pause."""
        found = self.tokenizer.decode(letters, output_word_offsets=True)
        if not timestamps:
            text = found.text.strip()
            return [Segment(0, seconds, text)] if text else []
        frame = seconds / max(1, len(letters))
        lines = list[Segment]()
        for word in found.word_offsets:
            start, end = word["start_offset"] * frame, word["end_offset"] * frame
            if lines and start - lines[-1].end < PAUSE_SECONDS:
                begin, _, text = lines.pop()
                lines.append(Segment(begin, end, f"{text} {word['word']}"))
            else:
                lines.append(Segment(start, end, word["word"]))
        return lines
