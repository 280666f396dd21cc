"""`spaces-gen bench` against Gradio apps whose behaviour is known."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from upgrading import run_here

from spaces_gen.bench import Demand, opened
from spaces_gen.bench import bench as measure
from spaces_gen.errors import UserError
from spaces_gen.load.endpoint import Argument, Endpoint, find_endpoint
from spaces_gen.load.figures import Figures, figures, highest_rate
from spaces_gen.load.inputs import Upload, inputs
from spaces_gen.load.loops import Load, Run
from spaces_gen.load.visitor import QueueVisitor

# Takes 50 ms alone; does what the second box says, once its text is no usual one.
APP = '''
import asyncio
import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import Response

async def predict(text, how):
    if how == "error":
        raise gr.Error("this cannot be answered")
    if how == "stall":
        await asyncio.sleep(5)  # longer than anybody waits here
    await asyncio.sleep(0.05)
    return text

class Rough:
    """Breaks off answers, and turns visitors away."""
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"].endswith("/queue/join"):
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            if b'"drop"' in body:
                head = {"type": "http.response.start", "status": 200}
                await send({**head, "headers": [(b"content-length", b"99")]})
                await send({"type": "http.response.body", "body": b"x"})
                return
            if b'"busy"' in body:
                return await Response("busy", 503)(scope, receive, send)
            sent = [{"type": "http.request", "body": body, "more_body": False}]
            first = receive
            async def receive():
                return sent.pop() if sent else await first()
        await self.app(scope, receive, send)

with gr.Blocks() as demo:
    text, how, out = gr.Textbox(), gr.Textbox("", visible=False), gr.Textbox()
    gr.Examples([["one two three"], ["four five six seven"]], text)
    gr.on([text.submit], predict, [text, how], out, api_name="predict", concurrency_limit=4)

rough = {"middleware": [Middleware(Rough)]}
demo.queue(max_size=200).launch(quiet=True, app_kwargs=rough)
'''


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain Gradio app, as anybody may have one."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "app.py").write_text(APP)
    return folder


@pytest.fixture(scope="module")
def running(plain: Path) -> Iterator[Any]:
    with opened(str(plain), None, lambda _: None) as target:
        yield target


def run(target: Any, how: str, **load: Any) -> Run:
    """A closed loop of four, or an open one at a rate."""
    values = inputs(target.endpoint, lambda _: b"", {"how": how})
    settings = {"seconds": 1.5, "warm_up": 0.3, "patience": 2.0}
    made = Load(
        target.url, lambda client: QueueVisitor(client, target.endpoint), values, **settings
    )
    return asyncio.run(made.open(load["rate"]) if "rate" in load else made.closed(4))


def accounted(found: Run) -> bool:
    ended = len(found.latencies) + found.refused + sum(found.failures.values())
    return found.sent == ended + found.unfinished


def test_a_closed_loop_is_as_fast_as_the_app(running: Any) -> None:
    found = run(running, "")
    assert accounted(found)
    assert not found.failures
    assert found.quantile(0.5) is not None
    assert found.quantile(0) >= 0.05  # type: ignore[operator]
    assert 0 < found.throughput <= 4 / 0.05


def test_an_open_loop_offers_what_was_asked_for(running: Any) -> None:
    found = run(running, "", rate=20)
    assert accounted(found)
    assert 15 <= found.sent <= 50
    assert found.sent == len(found.latencies)


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("error", "this cannot be answered"),
        ("drop", "connection: "),
        ("busy", ""),
        ("stall", ""),
    ],
)
def test_every_request_is_accounted_for_whatever_the_server_does(
    how: str, kind: str, running: Any
) -> None:
    found = run(running, how)
    assert accounted(found)
    assert found.latencies == []
    assert found.ended == 0
    if kind:
        assert sum(found.failures.values()) > 3
        assert all(kind in said for said in found.failures)
    elif how == "busy":
        assert found.refused > 3
    else:
        again = run(running, how, rate=10)
        assert accounted(again)
        assert again.unfinished == again.sent > 3


def test_the_endpoint_is_found_out(running: Any) -> None:
    assert running.endpoint.direct is False
    assert running.endpoint.streams is False
    assert [one.name for one in running.endpoint.arguments] == ["text", "how"]
    assert len(running.endpoint.examples) == 2
    with pytest.raises(UserError, match="has no endpoint 'none'; it has load_example, predict"):
        find_endpoint(running.url, "none")
    with pytest.raises(UserError, match="does not answer"):
        find_endpoint("http://127.0.0.1:9")


def test_inputs_are_like_the_examples_and_never_twice_the_same() -> None:
    picture = {"path": "/a/cat.jpg", "url": "http://x/cat.jpg", "orig_name": "cat.jpg"}
    asked = (Argument("text", None), Argument("picture", None), Argument("level", 0.5))
    endpoint = Endpoint("", 0, asked, (("Is it ___?", picture),), True, False)
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return b"content"

    source = inputs(endpoint, fetch, {})
    made = [next(source) for _ in range(300)]
    assert len({one["text"] for one in made}) == 300
    assert all(len(one["text"].split()) == 3 for one in made), "a question about a picture is short"
    assert all(one["text"].split().count("___?") == 1 for one in made)
    assert all(isinstance(one["picture"], Upload) for one in made)
    assert len({one["picture"].content for one in made}) == 300
    assert all(one["picture"].content.startswith(b"content") for one in made)
    assert {one["level"] for one in made} == {0.5}
    assert fetched == ["http://x/cat.jpg"]
    assert next(inputs(endpoint, fetch, {"text": "mine"}))["text"] == "mine"
    alone = inputs(Endpoint("", 0, asked[:1], (("It is ___ here.",),), True, False), fetch, {})
    texts = [next(alone)["text"].split() for _ in range(300)]
    assert 4 <= min(map(len, texts)) < 8 < 30 < max(map(len, texts)) <= 120
    assert all(text.count("___") == 1 for text in texts)
    assert len({text.index("___") for text in texts}) > 10
    nothing = Endpoint("", 0, (Argument("text", None),), (), True, False)
    with pytest.raises(UserError, match="--data text=VALUE"):
        next(inputs(nothing, fetch, {}))


def test_rows_of_a_table_are_sent_with_its_columns_and_never_twice_the_same() -> None:
    shown = {"headers": ["age", "city"], "data": [[1, "Oslo"]], "metadata": None}
    endpoint = Endpoint(
        "", 0, (Argument("rows", shown),), (([[34, "Bergen"], [0.5, ""]],),), True, False
    )
    source = inputs(endpoint, lambda _: b"", {})
    made = [next(source)["rows"] for _ in range(100)]
    assert all(one["headers"] == ["age", "city"] for one in made)
    assert len({str(one["data"]) for one in made}) == 100
    for one in made:
        (first, second) = one["data"]
        assert first == [pytest.approx(34), "Bergen"]
        assert second == [pytest.approx(0.5), ""]


def row(offered: float, p95: float, refused: int = 0, closed: bool = False) -> Figures:
    made = Run(closed, offered, 10, sent=100, ended=100, latencies=[p95] * 100, refused=refused)
    return figures("queue", made, {}, {}, None, 3.6)


def test_the_highest_rate_is_the_last_before_the_target_is_missed() -> None:
    assert highest_rate([row(1, 0.1), row(2, 0.5), row(4, 2.0), row(8, 0.1)], 1) == 2
    assert highest_rate([row(1, 0.1), row(2, 0.1, refused=1)], 1) == 1
    assert highest_rate([row(1, 3)], 1) is None
    assert highest_rate([row(1, 0.1, closed=True)], 1) is None
    assert row(1, 0.1).price == pytest.approx(3.6 / 3600 / 10 * 1000)


@pytest.mark.usefixtures("forks")
def test_a_rendered_space_on_both_routes_with_its_own_counters(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path], monkeypatch: Any
) -> None:
    monkeypatch.setenv("MODEL_ID", str(tiny_model("image-classification")))
    space = rendered(model_type="image-classification")
    demand = Demand(users=(8,), rates=(6.0,), seconds=3, warm_up=0.3)
    (found,) = measure([str(space)], demand, "t4-small", lambda _: None)
    assert [(one.route, one.closed) for one in found.rows] == [
        ("queue", True), ("queue", False), ("direct", True), ("direct", False),
    ]  # fmt: skip
    for one in found.rows:
        assert one.clean, one
        assert one.sent > 3
        assert one.batch is not None
        assert one.batch >= 1
        assert one.memory_mb is not None
        assert one.memory_mb > 100
        assert one.price == pytest.approx(0.40 / 3600 / one.throughput * 1000)


@pytest.mark.usefixtures("forks")
def test_a_chat_is_answered_on_both_routes(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path], monkeypatch: Any
) -> None:
    monkeypatch.setenv("MODEL_ID", str(tiny_model("text-generation")))
    demand = Demand(users=(2,), rates=(), seconds=3, warm_up=0.2, given={"max_new_tokens": 16})
    space = rendered(model_type="text-generation")
    (found,) = measure([str(space)], demand, None, lambda _: None)
    for one in found.rows:
        assert one.clean, one
        assert one.first is not None
        assert one.p50 is not None
        assert one.first < one.p50


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spaces_gen", "bench", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={**os.environ, **variables},
    )


def test_the_command_compares_two_and_prints_tables_json_and_a_plot(
    running: Any, tmp_path: Path
) -> None:
    options = ("--users", "2", "--rates", "5", "--seconds", "1", "--warm-up", "0.2")
    plotted = tmp_path / "plot.svg"
    both = ("--vs", running.url, "--plot", str(plotted))
    done = command(running.url, *both, *options, "--hardware", "t4-small")
    assert done.returncode == 0, done.stderr
    for words in (
        "queue route",
        "2 visitors",
        "5/s arrive",
        "up to 5 arrivals/s",
        "first / second",
    ):
        assert words in done.stdout
    assert "direct" not in done.stdout
    assert plotted.read_text().startswith("<?xml")
    done = command(running.url, *options, "--json", "--data", "how=error")
    (told,) = json.loads(done.stdout)
    assert told["rows"][0]["failures"] == {"this cannot be answered": pytest.approx(20, abs=60)}
    assert told["highest_rate"] == {"queue": None}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["http://127.0.0.1:9"], 1, "does not answer"),
        (["nowhere"], 1, "nowhere/app.py"),
        (["x", "--users", "0"], 2, "write numbers above 0"),
        (["x", "--route", "other"], 2, "choose queue or direct"),
        (["x", "--data", "text"], 2, "ARGUMENT=VALUE"),
        (["http://127.0.0.1:9", "--hardware", "t5"], 1, "no hardware 't5'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], code: int, words: str) -> None:
    done = run_here("bench", *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_bench_leaves_no_space_running(how: signal.Signals, plain: Path) -> None:
    arguments = [sys.executable, "-m", "spaces_gen", "bench", str(plain)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started: list[psutil.Process] = []
    while not started and process.poll() is None:
        started = psutil.Process(process.pid).children()
    process.send_signal(how)
    process.communicate(timeout=60)
    assert started
    assert process.returncode != 0
    assert not started[0].is_running()


def test_an_app_that_does_not_start_shows_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise SystemExit('no model here')\n")
    done = command(str(tmp_path))
    assert done.returncode == 1
    assert "no model here" in done.stderr
