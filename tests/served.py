"""The Space of each model type, started once for all tests that visit it.

Such a test is marked with `visits`, by which conftest.py brings all of a type to one worker.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from forked import Forked, forked_page
from space_process import QuickSpace, RunningSpace

from spaces_gen.tables import load_model_types

SpaceOf = Callable[..., RunningSpace]
BATCH, LINE = "8", "40"  # the most requests in a call, and waiting
# A tiny model may be done before the next request is read: seconds that its calls take longer, and
# more where reading takes long.
SLOWER = 0.2
MUCH_SLOWER = {
    "audio-classification": 1.0,
    "zero-shot-audio-classification": 1.0,
    "document-question-answering": 1.0,
}
SLOW = """

import time

own_predict = predict


def predict(batch):
    time.sleep({seconds})
    return own_predict(batch)
"""
LARGE_EXAMPLES = {"text-to-video"}  # for a CPU


def visits(*model_types: str) -> pytest.MarkDecorator:
    """Of a test that visits the Space of each type, whose argument `model_type` names it."""
    return pytest.mark.parametrize("model_type", model_types)


@pytest.fixture(scope="session")
def space_of(
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> SpaceOf:
    """Renders a Space of a model type into a folder of its own, ready to be started.

    `variables` are those of the environment, beside the tiny model's; the rest are answers.
    """

    def get(
        model_type: str, variables: Mapping[str, str] | None = None, **answers: str
    ) -> RunningSpace:
        folder = tmp_path_factory.mktemp("visited") / "space"
        shutil.copytree(rendered(model_type=model_type, **answers), folder)
        settings = {"MODEL_ID": str(tiny_model(model_type)), **(variables or {})}
        return QuickSpace(folder, **settings)

    return get


@contextmanager
def started_once(make: Callable[[str], RunningSpace]) -> Iterator[Callable[[str], RunningSpace]]:
    """Starts the Space of a model type when it is first asked for; it runs until the end."""
    running: dict[str, RunningSpace] = {}
    with ExitStack() as stack:

        def get(model_type: str) -> RunningSpace:
            if model_type not in running:
                running[model_type] = stack.enter_context(make(model_type))
            return running[model_type]

        yield get


class Shared:
    """The one Space that all tests of a group visit."""

    def __init__(self) -> None:
        self.running: dict[str, RunningSpace] = {}

    def end(self) -> None:
        """Stop it, as the platform does."""
        ended, self.running = self.running, {}
        for space in ended.values():
            assert space.stop() == 0, space.log


shared = Shared()


@pytest.fixture(scope="session")
def served(space_of: SpaceOf) -> Callable[[str], RunningSpace]:
    """Starts the Space of a model type, in float32; conftest.py ends it after its last visit."""

    def get(model_type: str) -> RunningSpace:
        if model_type not in shared.running:
            shared.end()
            settings = {"DTYPE": "float32", "METRICS": "1", "MAX_SIZE": LINE}
            if model_type in LARGE_EXAMPLES:
                settings["CACHE_EXAMPLES"] = "off"
            if batches(model_type):
                settings["MAX_BATCH_SIZE"] = BATCH
            space = space_of(model_type, settings)
            if load_model_types()[model_type].batches_by not in ("nothing", "streams"):
                with (space.folder / "model.py").open("a", encoding="utf-8") as code:
                    code.write(SLOW.format(seconds=MUCH_SLOWER.get(model_type, SLOWER)))
            shared.running[model_type] = space.__enter__()
        return shared.running[model_type]

    return get


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Spaces that `bench` starts in this process are forked as well."""

    def popen(command: Sequence[str], **options: Any) -> Forked:
        assert command[0] == sys.executable
        return forked_page(options["cwd"], options["env"], options["stdout"], command[1:])

    with_forks = SimpleNamespace(**{**vars(subprocess), "Popen": popen})
    monkeypatch.setattr("spaces_gen.load.served.subprocess", with_forks)


def batches(model_type: str) -> bool:
    """Whether requests of the type are computed together."""
    return load_model_types()[model_type].batches_by != "nothing"
