"""The Spaces that are visited, and the app that an owner would write by hand, of the same model."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from compare import HERE, ROOT, texts, tiny

sys.path.append(str(ROOT / "tests"))

from space_process import RunningSpace

from soaking.questions import Pairs, Pictures, Questions, Texts, sentences
from spaces_gen.embedded import minilm
from spaces_gen.render import render

CLEANING = (20, 60)  # in place of an hour and a day: look every 20 s, delete what is 60 s old
CACHE_BYTES = 2**18  # in place of 64 MB: some 600 answers, so that it is full after the warm-up
BATCH = 8
SLEEPS = """
import os
import time

DETERMINISTIC = False


def load():
    pass


def prepare(text):
    return text


def predict(batch):
    began = time.monotonic()
    time.sleep(0.6 + 0.1 * len(batch))
    if batches := os.environ.get("BATCHES"):
        with open(batches, "a", encoding="utf-8") as file:
            print(began, time.monotonic(), *batch, sep="\\t", file=file)
    return [{text: 1.0} for text in batch]
"""
CAPACITY = BATCH / (0.6 + 0.1 * BATCH)  # requests a second, of the model that sleeps
KINDS = {"sentence-similarity": "pair", "image-classification": "image"}
Site = Callable[[Path], RunningSpace]


class Plain(RunningSpace):
    """Gradio's defaults around the model.py of the Space in `folder`."""

    kind = "text"

    def _begin(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = {
            **self._environment,
            "PYTHONPATH": f"{self.folder}:{HERE / 'contenders'}",
            "BENCH_PORT": str(self.port),
            "BENCH_KIND": self.kind,
        }
        return subprocess.Popen(
            [sys.executable, str(HERE / "contenders" / "plain_gradio.py")],
            cwd=self.folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def rendered(folder: Path, model_type: str, code: str = "") -> Path:
    """A Space that cleans up soon; `code` takes the place of its model.py."""
    if not folder.exists():
        render({"model_type": model_type, "hardware": "cpu-basic"}, folder)
        hasten(folder)
        if code:
            (folder / "model.py").write_text(code, encoding="utf-8")
    return folder


def hasten(folder: Path) -> None:
    """So that a run of minutes sees what happens within a day: files go, and the cache is full."""
    for file, name, value in (
        ("launch.py", "DELETE_CACHE", str(CLEANING)),
        ("cache.py", "MEMORY_BYTES", str(CACHE_BYTES)),
    ):
        path = folder / "serving" / file
        text = path.read_text(encoding="utf-8")
        changed = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert changed != text
        path.write_text(changed, encoding="utf-8")


def site(folder: Path, model_type: str, plain: bool = False, **variables: str) -> RunningSpace:
    """It, not started yet; its TMPDIR is a folder of its own."""
    name = f"{model_type}-{'plain' if plain else 'space'}"
    temporary = folder / f"{name}-others"
    temporary.mkdir(exist_ok=True)
    settings = {"TMPDIR": str(temporary), "DTYPE": "float32", "CACHE_EXAMPLES": "off"}
    settings |= {"OMP_WAIT_POLICY": "passive", **variables}  # who waits leaves the cores to others
    if model_type in MODELS:
        settings["MODEL_ID"] = str(MODELS[model_type]())
    space = rendered(folder / name, model_type, "" if model_type in MODELS else SLEEPS)
    if not plain:
        return RunningSpace(space, **settings)
    found = Plain(space, **settings)
    found.kind = KINDS.get(model_type, "text")
    return found


def sleeping(folder: Path, plain: bool = False, **variables: str) -> RunningSpace:
    """One whose model takes no CPU: 0.6 + 0.1 x b seconds for a batch of b, at most 8."""
    settings = {"TIER": "cpu-basic", "WORKERS": "1", "MAX_BATCH_SIZE": str(BATCH), **variables}
    return site(folder, "text-classification", plain, **settings)


MODELS = {
    "sentence-similarity": minilm,
    "image-classification": tiny("image-classification"),
}


def questions(name: str, folder: Path, count: int) -> Questions:
    """What the soak asks, of the Space called `name`; at least `count` of them."""
    if name == "similarity":
        return Pairs(minilm(), sentences(texts()))
    if name == "digits":
        return Pictures(MODELS["image-classification"](), folder / "pictures", count)
    return Texts()
