"""What the tests share: rendered Spaces and tiny models, made once per run."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import browser  # noqa: F401  # fixture
from publishing import child, command, hub, space  # noqa: F401  # fixtures
from served import forks, served, shared, space_of  # noqa: F401  # fixtures
from space_process import python_path
from upgrading import fast_renders
from xdist.scheduler import LoadScopeScheduling

from spaces_gen.render import render

ROOT = Path(__file__).parent.parent

sys.path.append(str(ROOT / "hooks"))  # space_checks, as `spaces-gen check` imports it

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_WAIT_POLICY"] = "passive"  # who waits would take the cores from other tests
os.environ["PYTHONPATH"] = python_path(*filter(None, [os.environ.get("PYTHONPATH")]))
os.environ["COPIER_CACHE_DIR"] = str(ROOT / ".cache" / "copier")


# The files that take longest. They come first, so that no worker ends with one of them alone.
LONGEST = (
    *("scale", "serving", "render", "publish_faults", "hostile_inputs", "readme", "processes"),
    *("bench", "chat", "hostile_answers", "direct_route", "upgrade_versions", "audio", "tune"),
    *("not_loaded", "adopt", "demo", "scale_rendered", "sharding", "batch_equals_single"),
    *("soak", "visitors", "browser_generation", "upgrade", "publish", "swap", "browser", "engines"),
    *("browser_vision", "merge", "browser_audio", "generation", "browser_documents", "copier"),
    *("inspect", "vision", "hostile_files", "requirements", "plan", "wheel", "closing", "tabular"),
)

# Their tests take a model type and visit its Space, which is started once for all of them.
SHARING = {
    "test_serving.py",
    *(f"test_browser_{family}.py" for family in ("audio", "documents", "text", "vision")),
}


def pytest_configure(config: pytest.Config) -> None:
    """Of xdist: it would give out the files with most tests first."""
    config.option.loadscopereorder = False
    # a shell lets what it starts with "&" ignore Ctrl-C, and so would all that the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


def group(nodeid: str) -> str:
    """Of a test: its file, or the type of the Space that it shares."""
    file, _, test = nodeid.partition("::")
    model_type = re.search(r"\[(.+)\]$", test)
    return model_type[1] if Path(file).name in SHARING and model_type else file


class ByGroup(LoadScopeScheduling):
    """One worker gets all tests of a file, or all that visit the same Space."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The Space that a group shares ends with it."""
    if nextitem is None or group(item.nodeid) != group(nextitem.nodeid):
        shared.end()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Of xdist: who runs what."""
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"test_{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def tiny_model() -> Callable[[str], Path]:
    """The folder of the tiny model of a model type; kept between runs."""
    import tiny_models

    return lambda model_type: tiny_models.build(model_type, ROOT / ".cache" / "tiny-models")


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Renders a Space from answers; the same answers give the same folder."""
    spaces: dict[tuple[tuple[str, str], ...], Path] = {}

    def get(**answers: str) -> Path:
        key = tuple(sorted(answers.items()))
        if key not in spaces:
            spaces[key] = tmp_path_factory.mktemp("rendered") / "space"
            with fast_renders():
                render(answers, spaces[key])
        return spaces[key]

    return get
