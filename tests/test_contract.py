"""A person's own model.py, written for Gradio's batch mode, works; requests are bounded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from space_process import QuickSpace, RunningSpace

# as it would be given to gr.Interface(..., batch=True): lists in, a tuple of lists out
BATCH_FUNCTION = """
import time


def load():
    print("loaded", flush=True)


def predict(texts):
    print("batch", texts, flush=True)
    time.sleep(0.3)
    if "poison" in texts:
        raise ValueError("this text is poison: secret detail")
    if "short" in texts:
        return (texts[1:],)
    return ([{text: 1.0} for text in texts],)


def unload():
    print("unloaded", flush=True)
"""
OPTED_IN = f"{BATCH_FUNCTION}\n\nDETERMINISTIC = True\n"


def space_with(rendered: Callable[..., Path], folder: Path, model: str) -> RunningSpace:
    """A Space with a model.py of its own."""
    shutil.copytree(rendered(model_type="text-classification"), folder / "space")
    (folder / "space" / "model.py").write_text(model, encoding="utf-8")
    return QuickSpace(folder / "space", CACHE_EXAMPLES="off")


@pytest.fixture(scope="module")
def running(
    rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSpace]:
    with space_with(rendered, tmp_path_factory.mktemp("contract"), BATCH_FUNCTION) as process:
        yield process


def computed(space: RunningSpace, text: str) -> int:
    """How often the model got this text, by what it printed."""
    lines = [line for line in space.log.splitlines() if line.startswith("batch [")]
    return sum(line.count(repr(text)) for line in lines)


def test_a_gradio_batch_function_serves_and_fails_only_the_culprits(running: RunningSpace) -> None:
    client = Client(running.url, verbose=False, max_workers=100)
    texts = ["one", "poison", "two", "short", "three"]
    jobs = {text: client.submit(text, api_name="/predict") for text in texts}
    for text in ("one", "two", "three"):
        assert jobs[text].result(timeout=60)["label"] == text
    for text in ("poison", "short"):
        with pytest.raises(AppError, match="Something went wrong") as caught:
            jobs[text].result(timeout=60)
        assert "secret" not in str(caught.value)


def ask_together(space: RunningSpace, text: str, count: int) -> None:
    """Ask the same `count` times at once, and check the answers."""
    client = Client(space.url, verbose=False, max_workers=100)
    jobs = [client.submit(text, api_name="/predict") for _ in range(count)]
    assert {job.result(timeout=60)["label"] for job in jobs} == {text}


def test_equal_requests_are_all_computed_unless_model_py_says_that_answers_are_equal(
    running: RunningSpace,
) -> None:
    ask_together(running, "the same", 8)
    ask_together(running, "the same", 1)
    assert computed(running, "the same") == 9


def test_where_model_py_says_so_equal_requests_are_computed_once(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """At the same time and later; and who fails is tried again."""
    with space_with(rendered, tmp_path, OPTED_IN) as space:
        ask_together(space, "the same", 8)
        ask_together(space, "the same", 1)
        assert computed(space, "the same") == 1
        ask_together(space, "another", 1)
        client = Client(space.url, verbose=False)
        for _ in range(2):
            with pytest.raises(AppError, match="Something went wrong"):
                client.predict("poison", api_name="/predict")
        assert (computed(space, "another"), computed(space, "poison")) == (1, 2)
        assert space.stop() == 0
        requests, counts, batches, largest = space.summary()
    assert (requests, counts["failed"], batches, largest) == (12, 2, 2, 1)
    assert (counts["shared"] + counts["from the cache"], counts["shared"] > 0) == (8, True)


def test_a_request_that_is_too_large_is_refused(running: RunningSpace) -> None:
    body = {"data": ["x" * 21 * 2**20], "fn_index": 0, "session_hash": "large"}
    answer = httpx.post(f"{running.url}/gradio_api/queue/join", json=body, timeout=60)
    assert answer.status_code == 413
    picture = {"files": ("a.png", b"x" * 21 * 2**20)}
    answer = httpx.post(f"{running.url}/gradio_api/upload", files=picture, timeout=60)
    assert answer.status_code == 413


def test_closed_doors(running: RunningSpace) -> None:
    """No monitoring, no source, no environment; an API page and an MCP server."""
    for path in (
        "/monitoring/summary",
        "/gradio_api/file=model.py",
        "/gradio_api/file=/etc/passwd",
    ):
        assert httpx.get(f"{running.url}{path}").status_code in (403, 404), path
    endpoints = httpx.get(f"{running.url}/gradio_api/info").json()["named_endpoints"]
    assert list(endpoints) == ["/predict"]
    assert endpoints["/predict"]["description"].startswith("Classify a text.")
    (tool,) = httpx.get(f"{running.url}/gradio_api/mcp/schema").json()
    assert tool["description"].startswith("Classify a text. Returns: Every label with its score")
    (text,) = tool["inputSchema"]["properties"].values()
    assert (text["type"], text["description"]) == (
        "string",
        "The text, in a language that the model knows.",
    )


def test_it_stops_cleanly(running: RunningSpace) -> None:
    before = {
        outcome: running.counted("space_requests_total", outcome=outcome)
        for outcome in ("answered", "invalid", "failed", "refused", "left")
    }
    assert running.stop() == 0
    assert "unloaded" in running.log
    requests, counts, batches, largest = running.summary()
    assert requests == sum(before.values()) > 0
    for outcome in ("invalid", "failed", "refused", "left"):
        assert counts[outcome] == before[outcome]
    assert batches >= 1
    assert largest > 1


def test_gradios_monitoring_works_where_the_owner_opens_it(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    space = space_with(rendered, tmp_path, BATCH_FUNCTION)
    app = space.folder / "app.py"
    before = app.read_text(encoding="utf-8")
    after = before.replace("classify)\n", "classify, enable_monitoring=True)\n")
    assert after != before
    app.write_text(after, encoding="utf-8")
    with space:
        client = Client(space.url, verbose=False)
        for number in range(3):
            client.predict(str(number), api_name="/predict")
        seen = httpx.get(f"{space.url}/monitoring/summary").json()["functions"]
        assert sum(one["total_requests"] for one in seen.values()) == 3
        assert [one["success_rate"] for one in seen.values()] == [1.0]
