"""The cases of sounds and speech."""

from __future__ import annotations

import io
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf
from case_parts import Case, broken_recording, close_scores, recordings, texts
from gradio_client import handle_file
from scipy.io import wavfile
from scipy.signal import resample_poly

TIMESTAMP = re.compile(r"<\|(\d+\.\d\d)\|>")
LABELS = ["a bell, rain, a dog", "speech, music", "rain ,wind, a bell,  a song , a cat"]


def samples(path: str) -> np.ndarray:
    """Of a recording of 16 kHz, from -1 to 1."""
    _, found = wavfile.read(path)
    return found.astype(np.float32) / 32768


def clock(seconds: float) -> str:
    """As the Space writes times."""
    tenths = int(seconds * 10 + 0.5)
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


class SpeechRecognition(Case):
    """Of Whisper: every other request with times, every third in a language that is named."""

    complaint = "cannot be read"

    @property
    def bad(self) -> list[Any]:
        return [broken_recording(self.folder)]

    def inputs(self, count: int) -> list[list[Any]]:
        options: list[list[Any]] = [
            [],
            ["", "transcribe", True],
            ["German", "translate", False],
        ]
        paths = recordings(count, self.folder / "recordings")
        return [[handle_file(path), *options[i % 3]] for i, path in enumerate(paths)]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForSpeechSeq2Seq.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        processor, model = self.parts
        recording, language, task, times = [*inputs, "", "transcribe", False][:4]
        if len(inputs) > 1:
            language, task, times = inputs[1:]
        sound = samples(recording["path"])
        features = processor(sound, sampling_rate=16_000, return_tensors="pt")["input_features"]
        with torch.no_grad():
            tokens = model.generate(
                features,
                language=language or None,
                task=task,
                return_timestamps=times,
                force_unique_generate_call=True,
            )[0]
        if not times:
            return str(processor.decode(tokens, skip_special_tokens=True)).strip()
        return self.lines(
            processor.decode(tokens, decode_with_timestamps=True), len(sound) / 16_000
        )

    def lines(self, written: str, seconds: float) -> str:
        """What Whisper wrote, as "<|0.00|> text<|1.20|>"; no time is after the recording's end."""
        _, *parts = TIMESTAMP.split(written)
        found = []
        for start, text, end in zip(parts[::2], parts[1::2], [*parts[2::2], str(seconds)]):
            spoken = re.sub(r"<\|[^|]*\|>", "", text).strip()
            if spoken:
                begin, until = (min(seconds, float(time)) for time in (start, end))
                found.append(f"[{clock(begin)} - {clock(max(begin, until))}] {spoken}")
        return "\n".join(found)

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(answer == expected)


class AudioClassification(Case):
    complaint = "cannot be read"

    @property
    def bad(self) -> list[Any]:
        return [broken_recording(self.folder)]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[handle_file(path)] for path in recordings(count, self.folder / "recordings")]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoFeatureExtractor.from_pretrained(self.model),
            tf.AutoModelForAudioClassification.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        extractor, model = self.parts
        sound = samples(inputs[0]["path"])
        with torch.no_grad():
            logits = model(**extractor(sound, sampling_rate=16_000, return_tensors="pt")).logits
        scores = logits.softmax(-1)[0].tolist()
        return {model.config.id2label[i]: score for i, score in enumerate(scores)}

    def same(self, answer: Any, expected: Any) -> bool:
        return close_scores(answer, expected)


class ZeroShotAudioClassification(AudioClassification):
    @property
    def bad(self) -> list[Any]:
        return [broken_recording(self.folder), "rain"]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[*one, LABELS[i % 3]] for i, one in enumerate(super().inputs(count))]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModel.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        processor, model = self.parts
        labels = [label.strip() for label in inputs[1].split(",")]
        arguments = processor(
            text=[f"This is a sound of {label}." for label in labels],
            audio=resample_poly(samples(inputs[0]["path"]), 3, 1),
            sampling_rate=48_000,
            padding=True,
            return_tensors="pt",
        )
        arguments["input_features"] = arguments["input_features"].float()
        with torch.no_grad():
            scores = model(**arguments).logits_per_audio.softmax(-1)[0]
        return dict(zip(labels, scores.tolist()))


class TextToSpeech(Case):
    complaint = "type a text"

    @property
    def bad(self) -> list[Any]:
        return [" "]

    def inputs(self, count: int) -> list[list[Any]]:
        return [
            [text[-200:], [1, 1.25, 0.8][i % 3], i % 3, i % 2] if i % 4 else [text[-200:]]
            for i, text in enumerate(texts(count))
        ]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForTextToWaveform.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> np.ndarray:
        tokenizer, model = self.parts
        text, model.speaking_rate, speaker, seed = inputs if len(inputs) > 1 else [*inputs, 1, 0, 0]
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            tokens = tokenizer(text, return_tensors="pt")
            waveform = model(**tokens, speaker_id=speaker).waveform[0]
        return waveform.clamp(-1, 1).numpy()

    def same(self, answer: Any, expected: Any) -> bool:
        content = answer.content if hasattr(answer, "content") else Path(answer).read_bytes()
        rate, found = wavfile.read(io.BytesIO(content))
        assert rate == self.parts[1].config.sampling_rate
        if found.shape != expected.shape:
            return False
        return bool(np.abs(found / 32767 - expected).max() < 1e-3)


CASES: dict[str, type[Case]] = {
    "automatic-speech-recognition": SpeechRecognition,
    "audio-classification": AudioClassification,
    "zero-shot-audio-classification": ZeroShotAudioClassification,
    "text-to-speech": TextToSpeech,
}
