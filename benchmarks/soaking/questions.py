"""Inputs of which each is asked once and carries the answer that it must get.

So an answer that went to somebody else, or was kept for another input, is noticed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

HERE = Path(__file__).parent
KEPT = HERE.parent.parent / ".cache" / "soak"
SENTENCES = 300
# Each is the half of the last digit that the page shows, and what float32 loses by packing.
SHOWN, EXACT = 1e-4, 2e-5
PICTURE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Question:
    """What is asked; `expected` belongs to the one who made it."""

    values: tuple[Any, ...]
    expected: Any


class Questions(Protocol):
    """Makes questions and checks their answers."""

    model_type: str
    files: bool

    def __iter__(self) -> Iterator[Question]:
        """Each once."""

    def right(self, question: Question, answer: Any, way: str) -> bool:
        """Whether that is its answer."""

    def about(self) -> dict[str, Any]:
        """What a reader should know: tolerance, and how likely a wrong answer would pass."""


def computed(kind: str, model: Path, inputs: list[str]) -> Any:
    """See expected.py; in a process of its own, whose memory is gone with it.

    What was computed is kept below .cache, since it takes minutes on a busy machine.
    """
    contents = [one.encode() if kind == "similarity" else Path(one).read_bytes() for one in inputs]
    digest = hashlib.sha256(f"{kind} {model}".encode() + b"\0".join(contents)).hexdigest()
    kept = KEPT / f"{digest[:16]}.npy"
    if not kept.exists():
        done = subprocess.run(
            [sys.executable, str(HERE / "expected.py"), kind, str(model)],
            input=json.dumps(inputs).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(done.stdout)
    return np.load(kept)


class Pairs:
    """Pairs of sentences, and how similar they are."""

    model_type, files = "sentence-similarity", False

    def __init__(self, model: Path, sentences: list[str]) -> None:
        self._sentences = sentences
        vectors = computed("similarity", model, sentences).astype(np.float64)
        self._expected = vectors @ vectors.T

    def __iter__(self) -> Iterator[Question]:
        """Every pair once, in random order and either direction."""
        pairs = list(itertools.combinations(range(len(self._sentences)), 2))
        chance = random.Random(7)
        chance.shuffle(pairs)
        for one, other in pairs:
            first, second = (one, other) if chance.random() < 0.5 else (other, one)
            yield Question(
                (self._sentences[first], self._sentences[second]),
                float(self._expected[one, other]),
            )

    def right(self, question: Question, answer: Any, way: str) -> bool:
        """The page shows four digits, the direct route all of them."""
        tolerance = EXACT if way == "direct" else SHOWN
        return isinstance(answer, float | int) and abs(answer - question.expected) <= tolerance

    def about(self) -> dict[str, Any]:
        """See `Questions`."""
        values = np.sort(self._expected[np.triu_indices(len(self._sentences), 1)])
        unnoticed = {}
        for way, tolerance in (("queue", SHOWN), ("direct", EXACT)):
            close = np.searchsorted(values, values + tolerance, "right") - np.searchsorted(
                values, values - tolerance, "left"
            )
            unnoticed[way] = float((close - 1).mean() / (len(values) - 1))
        return {
            "inputs": f"{len(self._sentences)} sentences, each pair at most once",
            "tolerance": {"queue": SHOWN, "direct": EXACT},
            "swapped unnoticed": unnoticed,
        }


def sentences(texts: Iterator[str]) -> list[str]:
    """So many different ones."""
    found: dict[str, None] = {}
    while len(found) < SENTENCES:
        found[next(texts)] = None
    return list(found)


class Pictures:
    """Handwritten digits with noise, and the scores of their labels."""

    model_type, files = "image-classification", True

    def __init__(self, model: Path, folder: Path, count: int) -> None:
        from tiny_models import digits

        chance, images = np.random.default_rng(7), digits(held_out=True)[0]
        folder.mkdir()
        paths = []
        for number in range(count):
            pixels = np.asarray(images[number % len(images)]).astype(int)
            noisy = (pixels + chance.integers(-40, 41, pixels.shape)).clip(0, 255)
            path = folder / f"{number}.png"
            save(noisy.astype("uint8"), path)
            paths.append(str(path))
        self._contents = [Path(path).read_bytes() for path in paths]
        self._expected = computed("digits", model, paths)

    def __iter__(self) -> Iterator[Question]:
        """Every picture once."""
        for content, scores in zip(self._contents, self._expected):
            yield Question((content,), scores)

    def right(self, question: Question, answer: Any, way: str) -> bool:
        """All of the labels that are told, which are the likeliest."""
        if way != "direct" and isinstance(answer, dict):
            told = {one["label"]: one["confidence"] for one in answer.get("confidences") or []}
        else:
            told = answer
        if not isinstance(told, dict) or len(told) < 5:
            return False
        return all(
            abs(score - question.expected[int(label)]) <= PICTURE_TOLERANCE
            for label, score in told.items()
        )

    def about(self) -> dict[str, Any]:
        """See `Questions`."""
        passed = compared = 0
        for number, scores in enumerate(self._expected[:400]):
            likeliest = np.argsort(scores)[-5:]
            others = np.delete(self._expected, number, 0)[:, likeliest]
            passed += int((abs(others - scores[likeliest]) <= PICTURE_TOLERANCE).all(1).sum())
            compared += len(others)
        return {
            "inputs": f"{len(self._contents)} pictures of digits with noise, each at most once",
            "tolerance": PICTURE_TOLERANCE,
            "swapped unnoticed": passed / compared,
        }


def save(pixels: Any, path: Path) -> None:
    """As PNG."""
    from PIL import Image

    Image.fromarray(pixels).save(path, "PNG")


class Texts:
    """For the model that sleeps: its answer repeats the text."""

    model_type, files = "text-classification", False

    def __iter__(self) -> Iterator[Question]:
        """Each another one."""
        for number in itertools.count():
            yield Question((f"number {number}",), f"number {number}")

    def right(self, question: Question, answer: Any, way: str) -> bool:
        """The label is the text."""
        if not isinstance(answer, dict):
            return False
        return question.expected in (answer.get("label"), *answer)

    def about(self) -> dict[str, Any]:
        """See `Questions`."""
        return {"inputs": "texts that the answer repeats", "swapped unnoticed": 0.0}
