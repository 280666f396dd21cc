"""Batching never changes an answer: each of a batch is what it is alone, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batches import batches
from cases import case

from spaces_gen.tables import load_model_types

INPUTS = 12
FEWER = {"automatic-speech-recognition": 6}  # 400 tokens each, one by one
# streams share a pass token by token; tests/test_serving.py compares their answers
BATCHED = [
    key for key, row in load_model_types().items() if row.batches_by not in ("streams", "nothing")
]


def compared(
    space: Path, model_type: str, model: Path, folder: Path, count: int, rounds: int = 0
) -> dict[str, Any]:
    """What the model.py of a Space makes of different inputs; see tests/batches.py."""
    one = case(model_type, model, folder / "inputs")
    calls = [[plain(argument) for argument in arguments] for arguments in one.inputs(count)]
    variables = {"MODEL_ID": str(model), "DTYPE": "float32", "OMP_NUM_THREADS": "1"}
    return batches(space, variables, calls, rounds)


def plain(argument: Any) -> Any:
    """A file as its path."""
    return argument["path"] if isinstance(argument, dict) and "path" in argument else argument


@pytest.mark.parametrize("model_type", BATCHED)
def test_each_answer_of_a_batch_is_the_one_it_is_alone(
    model_type: str,
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """And the model reacts to its input, or rows that are swapped would go unnoticed."""
    model = tiny_model(model_type)
    count = FEWER.get(model_type, INPUTS)
    found = compared(rendered(model_type=model_type), model_type, model, tmp_path, count)
    tolerance = case(model_type, model, tmp_path).tolerance
    assert found["largest_batch"] > 1
    assert found["difference"] <= tolerance
    assert found["alike"] < 0.12, found
