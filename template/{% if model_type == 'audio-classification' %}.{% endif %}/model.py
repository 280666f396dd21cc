"""The model: recordings in, labels with scores out. Put your own code here.

A long recording is cut into windows where it is quiet; its scores are their average.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from audio import cut, passes, read_audio
from serving.engine import compiled
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
WINDOW_SECONDS = 10  # what models of sounds are trained on
TOP_LABELS = 10

extractor: Any
model: Any
network: Any  # what computes the model


class Item(NamedTuple):
    """One request: the features of each of its windows, and their seconds."""

    windows: list[np.ndarray]
    seconds: list[float]


def load() -> None:
    """Load the weights, once, before the first request."""
    global extractor, model, network
    extractor = AutoFeatureExtractor.from_pretrained(runtime.model_id)
    model = AutoModelForAudioClassification.from_pretrained(
        runtime.model_id, dtype=runtime.dtype
    )
    model.to(runtime.device).eval()
    silence = np.zeros(extractor.sampling_rate, np.float32)
    sample = inputs([features(silence), features(silence)])
    network = compiled(model, sample)


def prepare(path: str | None) -> Item:
    """Decode one recording into features, while the model is busy with others."""
    rate = extractor.sampling_rate
    windows = cut(read_audio(path, rate, runtime.tier.max_input), rate, WINDOW_SECONDS)
    return Item(
        [features(window) for window in windows],
        [len(window) / rate for window in windows],
    )


def features(samples: np.ndarray) -> np.ndarray:
    """A spectrogram or the samples, as the model takes them: length first."""
    found = extractor(samples, sampling_rate=extractor.sampling_rate)
    return np.asarray(found[extractor.model_input_names[0]][0])


def inputs(windows: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """The arguments for some windows; shorter ones are padded, with a mask."""
    arrays = {extractor.model_input_names[0]: windows}
    masked = extractor.return_attention_mask
    padded = extractor.pad(
        arrays, padding=True, return_attention_mask=masked, return_tensors="pt"
    )
    return dict(padded.to(runtime.device, model.dtype))


def group(item: Item) -> frozenset[int]:
    """Without a mask padding changes the scores: only equal lengths share a batch."""
    masked = extractor.return_attention_mask
    return frozenset() if masked else frozenset(map(len, item.windows))


def size(item: Item) -> float:
    """Seconds of the recording."""
    return sum(item.seconds)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[dict[str, float]]:
    """Score a batch: all its windows, as many at a time as the tier allows."""
    windows = [window for item in batch for window in item.windows]
    scores = torch.empty(len(windows), model.config.num_labels)
    for chosen in passes(
        list(map(len, windows)),
        runtime.tier.max_batch_size,
        extractor.return_attention_mask,
    ):
        logits = network(**inputs([windows[index] for index in chosen])).logits
        scores[chosen] = likelihoods(logits.float()).cpu()
    rows = scores.split([len(item.windows) for item in batch])
    return [top_labels(row, item.seconds) for row, item in zip(rows, batch)]


def likelihoods(logits: torch.Tensor) -> torch.Tensor:
    """Each label on its own where several may be right; otherwise they add up to 1."""
    several = model.config.problem_type == "multi_label_classification"
    return logits.sigmoid() if several else logits.softmax(-1)


def top_labels(scores: torch.Tensor, seconds: list[float]) -> dict[str, float]:
    """The best labels of a recording from the scores of its windows."""
    weights = torch.tensor(seconds)[:, None]
    average = (scores * weights).sum(0) / weights.sum()
    best = average.topk(min(TOP_LABELS, len(average)))
    labels = model.config.id2label
    return {
        labels[number]: score
        for number, score in zip(best.indices.tolist(), best.values.tolist())
    }
