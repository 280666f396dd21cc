"""What an owner may write into app.py, and still has what the Space promises."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import httpx
import pytest
from PIL import Image
from pydantic import BaseModel
from scripted import scripted
from space_process import RunningSpace
from test_visitors import PERSON, ROBOT, client_of

from spaces_gen.bench import ROUTES
from spaces_gen.load.endpoint import find_endpoint

sys.path.append(str(Path(__file__).parent.parent / "template"))

from serving.endpoint import Endpoint

SLOW = """
import time


def load():
    pass


def predict(texts):
    time.sleep(0.1)
    return [str(len(text)) for text in texts]
"""
ECHO = """
def load():
    pass


def predict(pictures):
    return ["seen" for _ in pictures]
"""


def edited(space: RunningSpace, old: str, new: str) -> None:
    """Change app.py as its owner would."""
    path = space.folder / "app.py"
    code = path.read_text(encoding="utf-8")
    assert code.count(old) == 1
    path.write_text(code.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def own_page(
    rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSpace]:
    """With a theme, and one request at a time."""
    folder = tmp_path_factory.mktemp("own")
    space = scripted(folder, rendered(model_type="custom"), SLOW, WORKERS=1)
    edited(space, "gr.Blocks(", "gr.Blocks(theme=gr.themes.Soft(), ")
    edited(space, "concurrency_limit=server.concurrency_limit", "concurrency_limit=1")
    with space:
        yield space


def test_the_owners_theme_is_shown(own_page: RunningSpace) -> None:
    assert httpx.get(f"{own_page.url}/config").json()["theme"] == "soft"


def test_a_function_with_a_limit_of_its_own_takes_visitors_by_turns(
    own_page: RunningSpace,
) -> None:
    """The person who comes after twenty of a robot's requests is among the next."""
    endpoint, finished = find_endpoint(own_page.url), list[str]()

    async def ask(client: httpx.AsyncClient, name: str, number: int) -> None:
        await ROUTES["queue"](client, endpoint).ask({"text": f"{name} {number}"})
        finished.append(name)

    async def run() -> int:
        async with client_of(own_page, ROBOT) as robot, client_of(own_page, PERSON) as person:
            tasks = [asyncio.ensure_future(ask(robot, "robot", number)) for number in range(20)]
            while len(finished) < 3:
                await asyncio.sleep(0.01)
            before = len(finished)
            await ask(person, "person", 0)
            between = len(finished) - before
            await ask(person, "person", 1)
            await asyncio.gather(*tasks)
            return between

    assert asyncio.run(run()) <= 6
    assert finished.count("robot") == 20
    assert finished[-1] == "robot", "the person's second one did not wait for all of them either"


@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_that_names_the_file_of_the_request_tells_no_path(
    streams: bool, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    space = scripted(tmp_path, rendered(model_type="image-classification"), ECHO)
    edited(space, "-> dict[str, float]:", "-> list[str]:")
    answer = "[image, await server.answer(image)]"
    edited(
        space, "return await server.answer(image)", f"{'yield' if streams else 'return'} {answer}"
    )
    edited(space, 'label = gr.Label(label="Labels", num_top_classes=5)', "label = gr.JSON()")
    Image.new("RGB", (8, 8)).save(tmp_path / "mine.png")
    with space:
        for accepted in ["application/json", *(["text/event-stream"] if streams else [])]:
            said = httpx.post(
                f"{space.url}/api/predict",
                files={"image": ("mine.png", (tmp_path / "mine.png").read_bytes())},
                headers={"accept": accepted},
                timeout=60,
            )
            assert said.status_code == 200, said.text
            last = said.text.strip().splitlines()[-1].removeprefix("data: ")
            assert json.loads(last) == {"result": ["mine.png", "seen"]}
            assert str(tmp_path) not in said.text


def test_nor_does_one_that_names_a_file_of_a_message() -> None:
    endpoint = Endpoint(gr.Blocks(), print, {}, BaseModel, frozenset(), frozenset({"message"}))
    values = {"message": {"text": "look", "files": ["/uploads/1/mine.png"]}}
    assert endpoint.without_paths(values, ["/uploads/1/mine.png", "look"]) == ["mine.png", "look"]
    assert endpoint.without_paths({"message": None}, "/uploads/1/mine.png") == "/uploads/1/mine.png"
