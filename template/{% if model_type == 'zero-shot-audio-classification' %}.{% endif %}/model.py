"""The model: a recording and candidate labels in, scores out. Put your own code here.

A contrastive model such as CLAP says how close the recording is to "This is a sound of
<label>." A long recording is cut into windows where it is quiet; what counts is their
average.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModel, AutoProcessor

from audio import cut, read_audio
from labels import separated
from serving.runtime import runtime

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
HYPOTHESIS = "This is a sound of {}."

processor: Any
model: Any


class Item(NamedTuple):
    """One request.

    Attributes:
        windows: features, shape (windows, channels, frames, mel bins).
        seconds: of each window.
        tokens: of each label's sentence.
    """

    windows: torch.Tensor
    seconds: list[float]
    labels: list[str]
    tokens: list[list[int]]


def load() -> None:
    """Load the weights, once, before the first request."""
    global processor, model
    processor = AutoProcessor.from_pretrained(runtime.model_id)
    model = AutoModel.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    model.to(runtime.device).eval()


def prepare(path: str | None, labels: str) -> Item:
    """Decode one recording and tokenize its labels, while the model is busy."""
    extractor = processor.feature_extractor
    candidates = separated(labels)
    rate = extractor.sampling_rate
    samples = read_audio(path, rate, runtime.tier.max_input)
    # of a longer one the extractor would take a part by chance
    windows = cut(samples, rate, extractor.nb_max_samples / rate)
    found = extractor(windows, sampling_rate=rate)["input_features"]
    sentences = [HYPOTHESIS.format(label) for label in candidates]
    return Item(
        torch.from_numpy(np.stack(found)).float(),
        [len(window) / rate for window in windows],
        candidates,
        processor.tokenizer(sentences, truncation=True)["input_ids"],
    )


def size(item: Item) -> float:
    """Seconds of the recording."""
    return sum(item.seconds)


@torch.inference_mode()
def predict(batch: list[Item]) -> list[dict[str, float]]:
    """Score a batch: its windows and its labels, each label once."""
    tokens = {
        label: ids for item in batch for label, ids in zip(item.labels, item.tokens)
    }
    columns = {label: column for column, label in enumerate(tokens)}
    closeness = hear(torch.cat([item.windows for item in batch])) @ read(tokens).T
    rows = closeness.split([len(item.seconds) for item in batch])
    return [
        scores(row[:, [columns[label] for label in item.labels]], item)
        for row, item in zip(rows, batch)
    ]


def hear(windows: torch.Tensor) -> torch.Tensor:
    """Vectors of windows, as many at a time as the tier allows."""
    found = []
    for some in windows.split(runtime.tier.max_batch_size):
        features = some.to(runtime.device, model.dtype)
        longer = torch.zeros(len(some), 1, dtype=torch.bool, device=runtime.device)
        heard = model.get_audio_features(input_features=features, is_longer=longer)
        found.append(heard.pooler_output)
    return torch.cat(found) * model.logit_scale_a.exp()


def read(tokens: dict[str, list[int]]) -> torch.Tensor:
    """Vectors of labels."""
    inputs = processor.tokenizer.pad(
        {"input_ids": list(tokens.values())}, return_tensors="pt"
    )
    return model.get_text_features(**inputs.to(runtime.device)).pooler_output


def scores(closeness: torch.Tensor, item: Item) -> dict[str, float]:
    """The scores of one recording from how close each window is to each label."""
    weights = torch.tensor(item.seconds, device=closeness.device)[:, None]
    average = (closeness.float() * weights).sum(0) / weights.sum()
    return dict(zip(item.labels, average.softmax(0).tolist()))
