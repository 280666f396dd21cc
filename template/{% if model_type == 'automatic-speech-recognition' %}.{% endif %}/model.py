"""The model: recordings in, texts out. Put your own code here.

It may be Whisper, or a model with a letter for each moment (CTC), such as Wav2Vec2; see
recognizers.py.
"""

from typing import NamedTuple

import torch
from transformers import AutoConfig

from audio import cut, read_audio
from recognizers import Ctc, Options, Segment, Whisper, Window, is_ctc
from serving.errors import InputError
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
# Whisper hears 30 seconds at once, and writes all of it where a little silence follows
WINDOW_SECONDS = 29
TASKS = ("transcribe", "translate")

recognizer: Ctc | Whisper


class Item(NamedTuple):
    """One request."""

    windows: list[Window]
    options: Options


def load() -> None:
    """Load the weights, once, before the first request."""
    global recognizer
    config = AutoConfig.from_pretrained(runtime.model_id)
    recognizer = Ctc() if is_ctc(config) else Whisper()


def prepare(
    path: str | None,
    language: str | None = "",
    task: str = "transcribe",
    timestamps: bool = False,
) -> Item:
    """Decode one recording into the features of its windows."""
    if task not in TASKS:
        raise InputError(f"The task is {' or '.join(TASKS)}.")
    spoken = (language or "").strip()
    options = recognizer.options(spoken, task, bool(timestamps))
    rate = recognizer.rate
    windows = cut(read_audio(path, rate, runtime.tier.max_input), rate, WINDOW_SECONDS)
    return Item(
        [Window(recognizer.features(one), len(one) / rate) for one in windows], options
    )


def group(item: Item) -> Options:
    """Only requests of equal options share a batch."""
    return item.options


def size(item: Item) -> float:
    """Seconds of the recording."""
    return sum(window.seconds for window in item.windows)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[str]:
    """Transcribe a batch: all its windows, as many at a time as the tier allows."""
    options = batch[0].options
    windows = [window for item in batch for window in item.windows]
    heard = iter(recognizer.hear(windows, options))
    return [
        written([next(heard) for _ in item.windows], item, options.timestamps)
        for item in batch
    ]


def written(parts: list[list[Segment]], item: Item, timestamps: bool) -> str:
    """The text of one recording from the segments of each of its windows."""
    lines, begin = [], 0.0
    for part, window in zip(parts, item.windows):
        for start, end, text in part:
            times = f"[{clock(begin + start)} - {clock(begin + end)}] "
            lines.append(times + text if timestamps else text)
        begin += window.seconds
    return ("\n" if timestamps else " ").join(lines)


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths, such as 01:04.2."""
    minutes, tenths = divmod(round(seconds * 10), 600)
    return f"{minutes:02}:{tenths // 10:02}.{tenths % 10}"
