"""A Space whose model cannot be loaded: a page says why, until it can be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, SCREENSHOTS
from gradio_client import Client
from hub import Hub
from looking import check_looks
from playwright.sync_api import Browser, expect
from scripted import until
from space_process import QuickSpace, RunningSpace, free_port

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving.causes import why_not_loaded, wrong_package

TYPE = "text-classification"
SORRY = "This Space cannot answer yet: its model could not be loaded."


@pytest.fixture
def start(rendered: Callable[..., Path], tmp_path: Path, hub: Hub) -> Callable[..., RunningSpace]:
    """A Space on the platform, whose Hub is one of this machine; a QuickSpace has none."""

    def get(
        model_id: str,
        code: str = "",
        kind: type[RunningSpace] = RunningSpace,
        **variables: str,
    ) -> RunningSpace:
        folder = tmp_path / "space"
        shutil.copytree(rendered(model_type=TYPE), folder)
        if code:
            text = (folder / "model.py").read_text(encoding="utf-8")
            (folder / "model.py").write_text(f"{code}\n{text}", encoding="utf-8")
        settings = {
            "MODEL_ID": model_id,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf-home"),
            "HF_HUB_OFFLINE": "0",
            "SPACE_ID": "me/space",
            "RETRY_SECONDS": "0.5",
            **variables,
        }
        return kind(folder, **settings)

    return get


def files(model: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(model)): path.read_bytes()
        for path in model.rglob("*")
        if path.is_file()
    }


def test_the_page_says_that_the_model_is_gated_and_then_it_serves(
    start: Callable[..., RunningSpace],
    hub: Hub,
    tiny_model: Callable[[str], Path],
    browser: Browser,
) -> None:
    """When its owner has granted access, without a restart by hand."""
    model = hub.add_model("them/gated", files(tiny_model(TYPE)), gated="manual")
    with start("them/gated") as space:
        page = browser.new_page(**PHONE)
        page.goto(space.url)
        expect(page.get_by_role("alert")).to_contain_text(SORRY)
        check_looks(page)
        expect(page.get_by_role("alert")).to_contain_text("The model them/gated is gated")
        page.screenshot(path=SCREENSHOTS / "not_loaded.png")
        shown = page.content()
        page.close()
        assert "Traceback" not in shown
        assert str(space.folder) not in shown
        assert space.log.count("trying to load the model again") >= 1
        model.gated = False
        until(lambda: "Running on local URL" in space.log.partition("up to")[2], "it serves")

        def answers() -> bool:
            try:
                client = Client(space.url, verbose=False)
                return bool(client.predict("A wonderful film.", api_name="/predict"))
            except Exception:  # the page is just being replaced
                return False

        until(answers, "it answers")
    assert space.summary().counts["failed"] == 0


@pytest.mark.parametrize(
    ("model_id", "code", "kind", "reason"),
    [
        ("them/nothing", "", RunningSpace, "The model them/nothing was not found on the Hub"),
        ("them/model", "", QuickSpace, "The Hub cannot be reached"),
        (
            "them/model",
            "import nothing_like_it",
            QuickSpace,
            "The package nothing_like_it is missing",
        ),
        (
            "them/model",
            "raise RuntimeError('/secret')",
            QuickSpace,
            "stands in the log of this Space",
        ),
    ],
    ids=["wrong id", "no Hub", "no package", "another cause"],
)
def test_the_page_says_what_is_wrong(
    model_id: str,
    code: str,
    kind: type[RunningSpace],
    reason: str,
    start: Callable[..., RunningSpace],
    hub: Hub,
    tiny_model: Callable[[str], Path],
) -> None:
    hub.add_model("them/model", files(tiny_model(TYPE)))
    with start(model_id, code, kind) as space:
        client = Client(space.url, verbose=False)
        (shown,) = [one["props"]["value"] for one in client.config["components"] if is_html(one)]
        assert SORRY in shown
        assert reason in shown
        assert "/secret" not in shown
        assert "trying to load the model again" in space.log
    assert space.process is not None
    assert space.process.returncode is not None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gradio<3", r"^gradio [\d.]+ is installed, and requirements.txt asks for <3: please"),
        ("nothing-like-it>=1", "^The package nothing-like-it is missing"),
        ('nothing-like-it; sys_platform == "win32"', "^$"),
        ("# gradio<3\n--extra-index-url https://a.example\n\ngradio>=5", "^$"),
    ],
)
def test_a_package_of_another_version_is_named(line: str, reason: str, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{line}\n")
    assert re.search(reason, wrong_package(requirements))


def led_to(error: Exception, cause: Exception) -> Exception:
    """As transformers reports what huggingface_hub raised."""
    error.__cause__ = cause
    return error


def is_html(component: dict[str, Any]) -> bool:
    return component["type"] == "html" and bool(component["props"].get("value"))


# A Hub that is not there the library asks again and again, for a minute.
HASTY = """
import time
from types import SimpleNamespace

from huggingface_hub.utils import _http

_http.time = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
"""


def test_with_the_model_in_the_cache_no_hub_is_needed(
    start: Callable[..., RunningSpace], hub: Hub, tiny_model: Callable[[str], Path]
) -> None:
    hub.add_model("them/model", files(tiny_model(TYPE)))
    space = start("them/model", HASTY)
    with space:
        assert Client(space.url, verbose=False).predict("good", api_name="/predict")
    again = RunningSpace(
        space.folder,
        **{name: space._environment[name] for name in ("HF_HOME", "MODEL_ID", "SPACE_ID")},
        HF_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        HF_HUB_OFFLINE="0",
    )
    with again:
        assert Client(again.url, verbose=False).predict("good", api_name="/predict")


def test_on_a_machine_of_ones_own_it_ends_with_the_reason(
    start: Callable[..., RunningSpace],
) -> None:
    space = start("them/nothing")
    variables = {name: text for name, text in space._environment.items() if name != "SPACE_ID"}
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=space.folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1
    assert "The model them/nothing was not found on the Hub" in done.stderr


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "does not fit the memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "does not fit the memory"),
        (SystemExit("The file model.skops is missing."), "The file model.skops is missing."),
        (SystemExit(1), ""),
        (ValueError("/home/me/secret"), ""),
        (led_to(OSError("we could not connect"), ConnectionError()), "The Hub cannot be reached"),
    ],
    ids=str,
)
def test_other_causes(error: BaseException, reason: str) -> None:
    found = why_not_loaded(error, "me/model")
    assert reason in found
    assert bool(found) == bool(reason)
