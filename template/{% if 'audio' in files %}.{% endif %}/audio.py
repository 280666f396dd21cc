"""Reads the recordings that visitors upload."""

from math import gcd

import numpy as np
from pydub import AudioSegment
from scipy.signal import resample_poly

from serving.errors import InputError


def read_audio(path: str | None, rate: int, max_seconds: int) -> np.ndarray:
    """Decode the recording at `path` to mono samples from -1 to 1, `rate` per second.

    Raises:
        InputError: there is none, it is too long, or it is not a recording.
    """
    if not path:
        raise InputError("Please record or upload something first.")
    try:
        recording = AudioSegment.from_file(path, duration=max_seconds + 1)
    except Exception as error:  # decoders of broken files raise many kinds
        raise InputError(
            "This file cannot be read as a recording. Try WAV or MP3."
        ) from error
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
