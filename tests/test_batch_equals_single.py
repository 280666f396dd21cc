"""Batching never changes an answer: each of a batch is what it is alone, in whatever order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import case

from spaces_gen.tables import load_model_types

INPUTS = 12
SCRIPT = Path(__file__).with_name("batches.py")
# streams share a pass token by token; tests/test_serving.py compares their answers
BATCHED = [
    key for key, row in load_model_types().items() if row.batches_by not in ("streams", "nothing")
]


def batches(
    space: Path, model_type: str, model: Path, folder: Path, count: int = INPUTS
) -> dict[str, Any]:
    """What tests/batches.py finds out about the model.py of a Space."""
    one = case(model_type, model, folder / "inputs")
    calls = [[plain(argument) for argument in arguments] for arguments in one.inputs(count)]
    (folder / "arguments.json").write_text(json.dumps(calls), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder / "arguments.json")],
        cwd=space,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={**os.environ, "MODEL_ID": str(model), "DTYPE": "float32", "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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
    found = batches(rendered(model_type=model_type), model_type, model, tmp_path)
    tolerance = case(model_type, model, tmp_path).tolerance
    assert found["largest_batch"] > 1
    assert found["difference"] <= tolerance
    assert found["alike"] < 0.1, found
