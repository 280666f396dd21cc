"""What the answers must be, computed apart from any Space: one input at a time, in float32.

    python expected.py similarity|digits MODEL < inputs.json > expected.npy

The inputs are texts, or paths of pictures; a row of numbers belongs to each: its embedding, or the
score of each label.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
import transformers as tf
from PIL import Image


def embeddings(model: str, texts: list[str]) -> Any:
    """Mean pooling, normalized."""
    tokenizer = tf.AutoTokenizer.from_pretrained(model)
    network = tf.AutoModel.from_pretrained(model, dtype=torch.float32).eval()
    rows = []
    for text in texts:
        states = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        mean = states.mean(0)
        rows.append((mean / mean.norm()).numpy())
    return np.stack(rows)


def scores(model: str, paths: list[str]) -> Any:
    """The probability of each label, in the model's order."""
    processor = tf.AutoImageProcessor.from_pretrained(model)
    network = tf.AutoModelForImageClassification.from_pretrained(model, dtype=torch.float32).eval()
    rows = []
    for path in paths:
        pixels = processor(Image.open(path).convert("RGB"), return_tensors="pt")["pixel_values"]
        rows.append(network(pixel_values=pixels).logits[0].softmax(-1).numpy())
    return np.stack(rows)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # several would wait for each other where the machine is shared
    compute = {"similarity": embeddings, "digits": scores}[sys.argv[1]]
    np.save(sys.stdout.buffer, compute(sys.argv[2], json.load(sys.stdin)))
