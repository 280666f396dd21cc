"""Whether faster answers are still the same answers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spaces_gen.tuning.probe_answers import OPAQUE, PICTURE

LEAST_COSINE = 0.999
LEAST_SHARE = 0.995  # of the requests that must have the same top label, or the same answer
MOST_LOGIT_DIFFERENCE = 0.1
LEAST_SCORE = 1e-3  # of labels whose logits are compared; below it nobody looks
MOST_DIFFERENCE = 0.002  # of a single number, absolute, or relative where it is above 1
MOST_WITHIN = MOST_LOGIT_DIFFERENCE / 4  # of a score in a larger answer: a logistic is as steep
MOST_PIXELS_APART = 0.02  # share of the pixels of a map of classes, or of the range of shades
FEWEST_SHADES = 33  # of a picture that is no map of classes
SHORTEST_VECTOR = 8  # numbers
NUMBER = re.compile(r"-?\d+\.\d+")  # in a text, such as "cat 0.87"


@dataclass(frozen=True)
class Fidelity:
    """How close answers are to those of float32 in PyTorch."""

    good: bool
    said: str


def fidelity(expected: Sequence[Any], found: Sequence[Any]) -> Fidelity:
    """Compare answers to the same requests.

    Vectors by their cosine, scores of labels by the top label and the logits, single numbers by
    their difference, anything else part by part, see `agree`.

    Raises:
        ValueError: there are not as many.
    """
    if len(expected) != len(found) or not expected:
        raise ValueError(f"{len(found)} answers, not {len(expected)}")
    first = expected[0]
    if is_vector(first):
        least = min(cosine(one, other) for one, other in zip(expected, found, strict=True))
        return Fidelity(least >= LEAST_COSINE, f"cosine {least:.5f} at the least")
    if is_scores(first):
        return of_scores(expected, found)
    if is_number(first):
        most = max(difference(one, other) for one, other in zip(expected, found, strict=True))
        return Fidelity(most <= MOST_DIFFERENCE, f"differs by {most:.1e} at the most")
    equal = sum(agree(one, other) for one, other in zip(expected, found, strict=True))
    share = equal / len(expected)
    return Fidelity(share >= LEAST_SHARE, f"{share:.1%} of the answers agree")


def comparable(answer: Any) -> bool:
    """Whether it holds nothing that only ears and eyes can compare, such as a recording."""
    if isinstance(answer, dict):
        return OPAQUE not in answer and all(map(comparable, answer.values()))
    return not isinstance(answer, list) or all(map(comparable, answer))


def agree(one: Any, other: Any) -> bool:
    """Whether two answers say the same but for rounding.

    Texts are equal but for the fractions in them; whole numbers, such as the sides of a box, are
    next to each other at most; of passages in an order each has its score, so that two that are
    as good may change places.
    """
    if is_vector(one) and not all(isinstance(part, int) for part in one):
        return cosine(one, other) >= LEAST_COSINE
    if is_ranking(one) and is_ranking(other):
        one, other = by_text(one), by_text(other)
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return False
        if PICTURE in one:
            return one[PICTURE] == other[PICTURE] and alike(one["pixels"], other["pixels"])
        return all(agree(part, other[key]) for key, part in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(agree, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return NUMBER.sub("", one) == NUMBER.sub("", other) and all(
            near(float(here), float(there))
            for here, there in zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
        )
    if is_number(one) and is_number(other):
        return near(one, other)
    return bool(one == other)


def near(one: float, other: float) -> bool:
    """Whether two numbers within an answer are the same but for rounding."""
    if isinstance(one, int) and isinstance(other, int):
        return abs(one - other) <= 1
    return difference(one, other) <= MOST_WITHIN


def alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether the pixels of two pictures of a size show the same: classes, or shades."""
    if len(set(one)) < FEWEST_SHADES:
        return sum(map(int.__ne__, one, other)) <= MOST_PIXELS_APART * len(one)
    apart = sum(abs(here - there) for here, there in zip(one, other, strict=True))
    return apart <= MOST_PIXELS_APART * 255 * len(one)


def is_ranking(value: Any) -> bool:
    """Whether it is rows of a score and a text, each text once."""
    rows = isinstance(value, list) and bool(value) and all(
        isinstance(row, list) and len(row) == 2 and is_number(row[0]) and isinstance(row[1], str)
        for row in value
    )  # fmt: skip
    return rows and len(by_text(value)) == len(value)


def by_text(rows: Any) -> dict[str, float]:
    """The scores of a ranking."""
    return {text: score for score, text in rows}


def of_scores(expected: Sequence[Any], found: Sequence[Any]) -> Fidelity:
    """Labels with scores that sum to 1, as Gradio's Label shows them."""
    pairs = list(zip(expected, found, strict=True))
    same = sum(top(one) == top(other) for one, other in pairs) / len(pairs)
    most = max(logit_difference(one, other) for one, other in pairs)
    said = f"{same:.1%} same top label, logits differ by {most:.1e} at the most"
    return Fidelity(same >= LEAST_SHARE and most <= MOST_LOGIT_DIFFERENCE, said)


def is_number(value: Any) -> bool:
    """Whether it is one number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether it is one number, and neither infinite nor NaN."""
    return is_number(value) and math.isfinite(value)


def is_vector(value: Any) -> bool:
    """Whether it is a list of numbers that is long enough to have a direction."""
    return (
        isinstance(value, list) and len(value) >= SHORTEST_VECTOR and all(map(is_number, value))
    )  # fmt: skip


def is_scores(value: Any) -> bool:
    """Whether it is a mapping of labels to numbers."""
    return isinstance(value, dict) and bool(value) and all(map(is_number, value.values()))


def cosine(one: Any, other: Any) -> float:
    """Of the angle between two vectors; 0 where they cannot be compared."""
    if not is_vector(one) or not is_vector(other) or len(one) != len(other):
        return 0.0
    lengths: float = math.hypot(*one) * math.hypot(*other)
    dot: float = math.fsum(a * b for a, b in zip(one, other, strict=True))
    return float(dot / lengths) if lengths and math.isfinite(lengths) else 0.0


def difference(one: Any, other: Any) -> float:
    """Between two numbers, relative where they are above 1."""
    if not is_finite(one) or not is_finite(other):
        return math.inf
    return float(abs(one - other) / max(1.0, abs(one)))


def top(scores: Any) -> Any:
    """The label with the highest score."""
    return max(scores, key=scores.get) if is_scores(scores) else None


def logit_difference(one: Any, other: Any) -> float:
    """The largest one, where the first has a score that counts.

    The logarithm of a score is its logit up to a constant of the request, which the mean takes out.
    """
    for scores in (one, other):
        if not is_scores(scores) or not all(map(is_finite, scores.values())):
            return math.inf
    labels = [label for label, score in one.items() if score >= LEAST_SCORE]
    if any(not other.get(label, 0) > 0 for label in labels):
        return math.inf
    differences = [math.log(one[label]) - math.log(other[label]) for label in labels]
    middle = sum(differences) / len(differences) if differences else 0.0
    return max((abs(value - middle) for value in differences), default=0.0)
