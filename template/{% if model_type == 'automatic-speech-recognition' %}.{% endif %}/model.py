"""The model: recordings in, texts out. Put your own code here."""

from typing import Any

import torch
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

from audio import read_audio
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
RATE = 16_000  # samples per second that speech models are trained on
WINDOW_SECONDS = 30
MAX_NEW_TOKENS = 400  # of one window; Whisper can write 448 with its prompt

processor: Any
model: Any


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoProcessor.from_pretrained(runtime.model_id)
    model = AutoModelForSpeechSeq2Seq.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()


def prepare(path: str | None) -> torch.Tensor:
    """Decode one recording into features, shape (windows, mel bins, frames)."""
    samples = read_audio(path, RATE, runtime.tier.max_input)
    step = WINDOW_SECONDS * RATE
    windows = [samples[start : start + step] for start in range(0, len(samples), step)]
    return processor(windows, sampling_rate=RATE, return_tensors="pt")["input_features"]


@torch.inference_mode()
def predict(batch: list[torch.Tensor]) -> list[str]:
    """Transcribe a batch: all its windows, as many at a time as the tier allows."""
    windows = torch.cat(batch)
    texts: list[str] = []
    for features in windows.split(runtime.tier.max_batch_size):
        tokens = model.generate(
            features.to(runtime.device, model.dtype), max_new_tokens=MAX_NEW_TOKENS
        )
        texts += processor.batch_decode(tokens, skip_special_tokens=True)
    joined = iter(texts)
    return [" ".join(next(joined).strip() for _ in windows) for windows in batch]
