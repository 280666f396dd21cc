"""Reads the recordings that visitors upload, and cuts long ones."""

import re
from collections.abc import Sequence
from itertools import groupby
from math import gcd

import numpy as np
from pydub import AudioSegment
from scipy.signal import resample_poly

from serving.errors import InputError

PAUSE_SECONDS = 0.2  # of which the quietest is a good place to cut
MAX_RATE = 192_000  # samples per second; odd ones beyond take gigabytes to convert
# How recordings begin; playlists, which begin otherwise, name other files to be read.
RECORDING = re.compile(
    rb"RIFF|RF64|ID3|\xff[\xe0-\xff]|fLaC|OggS|....ftyp|\x1aE\xdf\xa3|FORM|caff|#!AMR"
    rb"|\x30\x26\xb2\x75|\.snd",
    re.DOTALL,
)


def read_audio(path: str | None, rate: int, max_seconds: int) -> np.ndarray:
    """Decode the recording at `path` to mono samples from -1 to 1, `rate` per second.

    Raises:
        InputError: there is none, it is too long, or it is not a recording.
    """
    if not path:
        raise InputError("Please record or upload something first.")
    try:
        return decoded(path, rate, max_seconds)
    except InputError:
        raise
    except Exception as error:  # decoders of broken files raise many kinds
        raise InputError(
            "This file cannot be read as a recording. Try WAV or MP3."
        ) from error


def decoded(path: str, rate: int, max_seconds: int) -> np.ndarray:
    """See `read_audio`, which tells other errors than those of `InputError` plainly."""
    with open(path, "rb") as file:
        if not RECORDING.match(file.read(16)):
            raise ValueError("no recording")
    recording = AudioSegment.from_file(path, duration=max_seconds + 1)
    if recording.frame_rate > MAX_RATE:
        raise InputError(
            f"This recording has too many samples: {MAX_RATE:,} per second are the limit."
        )
    if recording.duration_seconds > max_seconds:
        raise InputError(
            f"This recording is too long: {max_seconds} seconds are the limit."
        )
    if recording.duration_seconds < 0.1:
        raise InputError("This recording is empty.")
    mono = recording.set_channels(1).set_sample_width(2)
    samples = np.array(mono.get_array_of_samples(), dtype=np.float32) / 32768
    common = gcd(rate, mono.frame_rate)
    return resample_poly(samples, rate // common, mono.frame_rate // common).astype(
        np.float32
    )


def cut(samples: np.ndarray, rate: int, longest: float) -> list[np.ndarray]:
    """Cut a recording into windows of `longest` seconds at most.

    Each ends where the last sixth of that time is quietest, so that no word or sound is
    cut in half.
    """
    windows = []
    while len(samples) > longest * rate:
        end = quietest(samples, int(longest * 5 / 6 * rate), int(longest * rate), rate)
        windows.append(samples[:end])
        samples = samples[end:]
    return [*windows, samples]


def quietest(samples: np.ndarray, first: int, last: int, rate: int) -> int:
    """The middle of the quietest pause from sample `first` to `last`."""
    step = rate // 100
    steps = samples[first:last][: (last - first) // step * step].reshape(-1, step)
    length = round(PAUSE_SECONDS * 100)
    power = np.convolve(np.square(steps).mean(1), np.ones(length), "valid")
    latest = len(power) - 1 - int(np.argmin(power[::-1]))  # of equally quiet ones
    return first + (latest + length // 2) * step


def passes(lengths: Sequence[int], most: int, padded: bool) -> list[list[int]]:
    """Which windows go through the model together.

    Args:
        lengths: of all windows.
        most: how many may go together.
        padded: whether shorter ones are padded; otherwise all of a pass are equally long.

    Returns:
        For each pass the indices into `lengths`.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    equal = [list(same) for _, same in groupby(order, key=lengths.__getitem__)]
    return [
        group[start : start + most]
        for group in ([order] if padded else equal)
        for start in range(0, len(group), most)
    ]
