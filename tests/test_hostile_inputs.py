"""Broken, enormous, forged and malicious inputs: a clear error each, and nobody else notices.

`benchmarks/fuzz.py` sends all of them to every model type; here each kind of input gets all in one
type, and a part in the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cases import case
from hostile_requests import attacked
from hostile_visit import CANARY
from served import SpaceOf

sys.path.append(str(Path(__file__).parent.parent / "template"))

from serving.errors import InputError

LARGEST_GROWTH = 400  # megabytes, of the page or of the model
# The kinds of input that get everything.
TYPES = {
    "text-classification": ("textbox",),
    "sentence-similarity": (),
    "tabular-classification": ("dataframe",),
    "image-classification": ("image",),
    "mask-generation": ("image",),
    "document-question-answering": (),
    "automatic-speech-recognition": ("audio", "dropdown", "radio", "checkbox"),
    "video-classification": ("video",),
    "text-to-image": ("number",),
    "text-generation": ("slider", "state"),
    "image-text-to-text": ("multimodaltextbox",),
}


@pytest.mark.parametrize("model_type", TYPES)
def test_hostile_input_is_refused_in_plain_words_and_disturbs_nobody(
    model_type: str,
    space_of: SpaceOf,
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """By both routes; a good request gets the same answer all the time, from the same processes."""
    one = case(model_type, tiny_model(model_type), tmp_path)
    settings = {
        "DTYPE": "float32",
        "CACHE_EXAMPLES": "off",
        "SECRET_OF_THE_OWNER": CANARY,
    }
    with space_of(model_type, settings) as space:
        report = attacked(space, one, TYPES[model_type])
    assert report.defects == [], space.log[-3000:]
    assert report.tried > 50
    assert max(report.grown.values()) < LARGEST_GROWTH, report.grown
    assert "Traceback" not in space.log, space.log


def test_an_error_repeats_no_more_than_the_beginning_of_what_was_sent() -> None:
    assert str(InputError("There is no language Klingon.")) == "There is no language Klingon."
    assert len(str(InputError(f"There is no language {'x' * 1_000_000}."))) < 400
