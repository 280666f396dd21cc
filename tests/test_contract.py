"""A person's own model.py, written for Gradio's batch mode, works; requests are bounded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from space_process import RunningSpace

# as it would be given to gr.Interface(..., batch=True): lists in, a tuple of lists out
BATCH_FUNCTION = """
import threading
import time

calls = []


def load():
    print("loaded", flush=True)


def predict(texts):
    calls.append(len(texts))
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


@pytest.fixture(scope="module")
def running(
    rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSpace]:
    space = tmp_path_factory.mktemp("contract") / "space"
    shutil.copytree(rendered(model_type="text-classification"), space)
    (space / "model.py").write_text(BATCH_FUNCTION, encoding="utf-8")
    with RunningSpace(space, CACHE_EXAMPLES="off") as process:
        yield process


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


def test_equal_requests_at_the_same_time_are_computed_once(running: RunningSpace) -> None:
    client = Client(running.url, verbose=False, max_workers=100)
    jobs = [client.submit("the same", api_name="/predict") for _ in range(8)]
    assert {job.result(timeout=60)["label"] for job in jobs} == {"the same"}
    computed = [line for line in running.log.splitlines() if "'the same'" in line]
    assert 1 <= len(computed) < 8


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
    schema = httpx.get(f"{running.url}/gradio_api/mcp/schema").json()
    assert len(schema) == 1


def test_it_stops_cleanly(running: RunningSpace) -> None:
    assert running.stop() == 0
    assert "unloaded" in running.log
