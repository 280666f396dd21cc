"""What the cases of all model types share: inputs, and the form of a case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gradio_client import handle_file
from PIL import Image

SENTENCES = [
    "I saw a cat.",
    "The king and the queen walk along the river in the warm evening sun.",
    "No.",
    "We eat bread, drink milk and laugh all day long because summer is here at last",
    "terrible weather",
    "My sister sings a slow song for her horse in the village behind the hill.",
    "Was it a good game?",
    "snow snow snow snow snow snow snow snow",
]


def texts(count: int) -> list[str]:
    """Different texts of 1 to 60 words."""
    return [
        " ".join([SENTENCES[i % 8], *(["blue", "stone", "rain"][i % 3],) * (i * 7 % 40), str(i)])
        for i in range(count)
    ]


def pictures(count: int, folder: Path) -> list[str]:
    """Different pictures of different sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(count):
        noise = np.random.default_rng(i)
        size = (24 + 8 * (i % 5), 24 + 8 * (i % 7), 3)
        blocks = noise.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        path = folder / f"{i}.png"
        Image.fromarray(blocks).resize(size[:2], Image.Resampling.NEAREST).save(path)
        paths.append(str(path))
    return paths


def recordings(count: int, folder: Path) -> list[str]:
    """Different tones with noise, half a second to three seconds, as WAV of 16 kHz."""
    from scipy.io import wavfile

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(count):
        seconds = 0.5 + (i % 6) / 2
        time = np.arange(int(16_000 * seconds)) / 16_000
        noise = np.random.default_rng(i).normal(0, 0.02, len(time))
        wave = 0.4 * np.sin(2 * np.pi * (150 + 130 * i) * time) + noise
        path = folder / f"{i}.wav"
        wavfile.write(path, 16_000, (wave * 20_000).astype(np.int16))
        paths.append(str(path))
    return paths


def broken_picture(folder: Path) -> Any:
    """A file that is no picture, as an argument."""
    path = folder / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    return handle_file(str(path))


def broken_recording(folder: Path) -> Any:
    """A file that is no recording, as an argument."""
    path = folder / "broken.wav"
    path.write_bytes(b"RIFF but no recording")
    return handle_file(str(path))


@dataclass
class Case:
    """One model type under test; `folder` takes files, `model` is the tiny model's folder."""

    model: Path
    folder: Path
    complaint: ClassVar[str]  # words of what the bad input is answered with
    tolerance: ClassVar[float] = 1e-4  # of a number in a batch to the same alone, in float32

    @property
    def bad(self) -> list[Any]:
        """Arguments of a call that cannot be answered."""
        raise NotImplementedError

    def inputs(self, count: int) -> list[list[Any]]:
        """Arguments of `count` different calls through gradio_client."""
        raise NotImplementedError

    def expected(self, inputs: list[Any]) -> Any:
        """What the model says to one of them."""
        raise NotImplementedError

    def same(self, answer: Any, expected: Any) -> bool:
        """Whether the Space's answer is the model's."""
        raise NotImplementedError


def close_scores(answer: Any, expected: dict[str, float]) -> bool:
    """Compare what gr.Label sends with scores by label."""
    sent = {entry["label"]: entry["confidence"] for entry in answer["confidences"]}
    best = sorted(expected.items(), key=lambda pair: -pair[1])[: len(sent)]
    return answer["label"] == best[0][0] and all(
        abs(sent.get(label, 9) - score) < 1e-4 for label, score in best
    )
