"""Parts of the Space on Ray Serve by themselves: the cookie, and how long a copy is waited for."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from space_process import python_path
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

SERVING = Path(__file__).parent.parent / "template" / "{% if scale == 'ray-serve' %}.{% endif %}"
UNAVAILABLE = "The model is not available right now. Please try again in a minute."

# -- the cookie of a visitor -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def sticky() -> Any:
    """serving/sticky.py, which needs nothing else of a Space."""
    path = SERVING / "serving" / "sticky.py"
    spec = importlib.util.spec_from_file_location("sticky_of_a_space", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ANSWERS: dict[str, Callable[[Request], Any]] = {
    "/": lambda _: HTMLResponse("<p>the page</p>"),
    "/api/predict": lambda _: JSONResponse({"result": 1}),
    "/metrics": lambda _: PlainTextResponse("space_requests 1"),
    "/old": lambda _: RedirectResponse("/"),
    "/login": lambda _: HTMLResponse("<p>hello</p>", headers={"set-cookie": "own=1"}),
}


def cookies(sticky: Any, path: str, **headers: str) -> list[str]:
    """What an answer sets."""
    application = Starlette(routes=[Route(path, answer) for path, answer in ANSWERS.items()])
    transport = httpx.ASGITransport(sticky.with_cookie(application))

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://space") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(get()).headers.get_list("set-cookie")


def test_a_page_gives_each_visitor_a_cookie_of_their_own(sticky: Any) -> None:
    (first,), (second,) = cookies(sticky, "/"), cookies(sticky, "/")
    assert len({one.partition(";")[0] for one in (first, second)}) == 2
    for part in ("Path=/", "SameSite=None", "Secure", "HttpOnly", "Partitioned"):
        assert part in first.split("; ")
    own, given = cookies(sticky, "/login")
    assert own == "own=1"
    assert given.startswith(sticky.COOKIE)


@pytest.mark.parametrize("path", ["/api/predict", "/metrics", "/old", "/nowhere"])
def test_other_answers_give_none(sticky: Any, path: str) -> None:
    """A program that had begun without it would be sent to another page."""
    assert cookies(sticky, path) == []


@pytest.mark.parametrize("other", ["a=b", 'settings={"a": [1]}', "x[1]=2", "flag", "=;;"])
def test_who_has_one_keeps_it(sticky: Any, other: str) -> None:
    """Whatever else on that site has given them."""
    assert cookies(sticky, "/", cookie=f"{other}; {sticky.COOKIE}=mine") == []
    assert len(cookies(sticky, "/", cookie=other)) == 1


@pytest.mark.parametrize(
    ("headers", "known_by"),
    [
        ({"cookie": "space_affinity=mine", "x-forwarded-for": "10.0.0.1"}, "mine"),
        ({"cookie": "other=1", "x-forwarded-for": "10.0.0.1, 10.0.0.2"}, "10.0.0.1"),
        ({}, "10.0.0.3"),
    ],
)
def test_a_visitor_is_known_by_the_cookie_or_else_the_address(
    sticky: Any, headers: dict[str, str], known_by: str
) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "headers": pairs, "client": ("10.0.0.3", 4711)}
    request = pickle.dumps(SimpleNamespace(_asgi_scope=scope))  # as Ray's proxy hands it on
    assert sticky.visitor((None, request)) == known_by


# -- copies that do not answer ---------------------------------------------------------------------

MODEL = """
def load():
    pass


def predict(texts):
    return texts
"""
# Ray Serve in one process. What cannot be shown there, a machine that is not reached, is a copy
# that takes a request and then says nothing.
SCRIPT = """
import asyncio
import json
import time

from ray import serve

from serving.errors import VisitorError
from serving.metrics import Metrics
from serving.replica import Answer, Replica
from serving.replicas import Replicas

cancelled = []


async def silence():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        cancelled.append("by the page")
        raise


class Silent(Replica):
    async def answer(self, inputs, waited):
        await silence()

    async def stream(self, inputs, waited):
        if inputs == ("begins",):
            yield self._answer("begun")
            await asyncio.sleep(5)  # longer than the patience
            yield self._answer("gone on")
        elif inputs != ("empty",):
            await silence()
            yield


async def last(values):
    latest = None
    async for latest in values:
        pass
    return latest


async def told(answer):
    begun = time.monotonic()
    try:
        said = await answer
    except VisitorError as error:
        said = [error.status, str(error)]
    return said, time.monotonic() - begun


async def main():
    now = time.monotonic()
    asked = {
        "request": replicas.answer(("hello",), now),
        "chat": last(replicas.stream(("hello",), now)),
        "chat that has begun": last(replicas.stream(("begins",), now)),
        "chat without a word": last(replicas.stream(("empty",), now)),
    }
    found = dict(zip(asked, await asyncio.gather(*map(told, asked.values()))))
    for answer in (replicas.answer(("x",), now), last(replicas.stream(("x",), now))):
        visitor = asyncio.ensure_future(answer)
        await asyncio.sleep(0.5)
        before = len(cancelled)
        visitor.cancel()
        await asyncio.sleep(0.5)
        assert visitor.cancelled()
        found.setdefault("left", []).append(cancelled[before:])
    return found


model = serve.deployment(name="model")(Silent).bind()
handle = serve.run(model, name="model", _local_testing_mode=True)
serve.get_app_handle = lambda name: handle
replicas = Replicas(Metrics(), copies=2)
print(json.dumps(asyncio.run(main())))
"""


@pytest.fixture(scope="module")
def silent(
    rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What visitors of silent copies are told, and after how many seconds."""
    folder = tmp_path_factory.mktemp("silent")
    space = folder / "space"
    shutil.copytree(rendered(model_type="text-classification", scale="ray-serve"), space)
    (space / "model.py").write_text(MODEL, encoding="utf-8")
    (folder / "torch.py").write_text("raise ImportError('hidden')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=space,
        env={**os.environ, "TIME_LIMIT": "1", "PYTHONPATH": python_path(space, folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("who", ["request", "chat"])
def test_who_waits_for_a_copy_is_told_after_three_time_limits(
    silent: dict[str, Any], who: str
) -> None:
    said, seconds = silent[who]
    assert said == [503, UNAVAILABLE]
    assert 2.9 < seconds < 5


def test_a_chat_that_has_begun_is_not_ended_by_that(silent: dict[str, Any]) -> None:
    assert silent["chat that has begun"][0] == "gone on"
    assert silent["chat without a word"][0] is None


def test_what_its_visitor_has_left_is_cancelled_on_the_copy(silent: dict[str, Any]) -> None:
    assert silent["left"] == [["by the page"], ["by the page"]]
