"""A function of one's own: whatever it is, it is batched, kept, refused, published and moved."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from hub import Hub
from publishing import ME, Here, here, on_hub
from scripted import scripted
from space_checks import check
from upgrading import run_here, succeeded

OWN = """
import time

from serving.errors import InputError
from serving.runtime import runtime

DETERMINISTIC = True


def load():
    with open("loaded", "a") as file:
        file.write(runtime.model_id)


def prepare(text):
    if not text:
        raise InputError("Please say something.")
    return text.encode()


def group(item):
    return len(item) % 2


def predict(batch):
    time.sleep(0.2)
    with open("batches", "a") as file:
        file.write(f"{len(batch)} ")
    if b"boom" in batch:
        raise ValueError("a bug")
    return [item.decode()[::-1] for item in batch]
"""


def test_another_function_goes_the_same_way(rendered: Callable[..., Path], tmp_path: Path) -> None:
    """Without PyTorch, which nobody asked for."""
    space = scripted(tmp_path, rendered(model_type="custom"), OWN, MAX_BATCH_SIZE=8, WORKERS=1)
    with space:

        def ask(text: str) -> httpx.Response:
            return httpx.post(f"{space.url}/api/predict", json={"text": text}, timeout=60)

        texts = [f"text {'a' * i}" for i in range(20)] + ["boom", ""]
        with ThreadPoolExecutor(len(texts)) as threads:
            answers = dict(zip(texts, threads.map(ask, texts)))
        bug, empty = answers.pop("boom"), answers.pop("")
        assert (bug.status_code, empty.status_code) == (500, 422)
        assert empty.json()["detail"] == "Please say something."
        for text, answer in answers.items():
            assert answer.json() == {"result": text[::-1]}
        before = (space.folder / "batches").read_text()
        assert max(map(int, before.split())) > 1
        assert ask(texts[3]).json() == {"result": texts[3][::-1]}
        assert (space.folder / "batches").read_text() == before, "the answer was kept"
    assert (space.folder / "loaded").read_text() == "./model"


def test_it_is_checked_published_and_moved_with_its_own_code(
    rendered: Callable[..., Path], tmp_path: Path, hub: Hub, command: Here
) -> None:
    space = scripted(tmp_path, rendered(model_type="custom"), OWN).folder
    assert check(space) == []
    card = (space / "README.md").read_text(encoding="utf-8")
    assert "Python function, made to hold up under load" in card
    assert "licence is" not in card
    assert "MODEL_ID" not in card
    command.well("publish", str(space), "--repo-id", ME, "--hardware", "cpu-basic")
    assert on_hub(hub) == here(space)
    succeeded(run_here("upgrade", str(space), "--hardware", "t4-small", env=dict(os.environ)))
    assert (space / "model.py").read_text(encoding="utf-8") == OWN
    assert 'TIER = "t4-small"' in (space / "tuning.py").read_text(encoding="utf-8")
    assert "torch" not in (space / "requirements.txt").read_text(encoding="utf-8").lower()


def test_a_model_of_the_hub_may_be_named(rendered: Callable[..., Path]) -> None:
    """For code that loads one; the card then says so."""
    space = rendered(model_type="custom", model_id="me/my-model")
    card = (space / "README.md").read_text(encoding="utf-8")
    assert "models:\n  - me/my-model\npreload_from_hub:" in card
    assert "with [me/my-model](https://huggingface.co/me/my-model), made" in card
    assert 'MODEL_ID = "me/my-model"' in (space / "tuning.py").read_text(encoding="utf-8")
