"""`make demo` and `spaces-gen demo`: real models, answered for real, and ended cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from gradio_client import Client
from space_process import free_port

ROOT = Path(__file__).parent.parent
START_SECONDS = 180


@contextmanager
def demo(command: list[str], port: int, log: Path, **variables: str) -> Iterator[str]:
    """A running demo's address; stopped by SIGTERM, after which nothing may be left."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "XDG_CACHE_HOME": str(ROOT / ".cache"), **variables},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
    assert not answers(url)


def answers(url: str) -> bool:
    """Whether a Space answers there."""
    try:
        with urllib.request.urlopen(f"{url}/config", timeout=5):
            return True
    except OSError:
        return False


def test_make_demo_serves_minilm_and_says_where(tmp_path: Path) -> None:
    port = free_port()
    with demo(["make", "demo", f"PORT={port}"], port, tmp_path / "log") as url:
        assert f"http://127.0.0.1:{port}" in (tmp_path / "log").read_text()
        client = Client(url, verbose=False)
        alike = client.predict("A man is eating.", "Somebody has lunch.", api_name="/predict")
        unlike = client.predict("A man is eating.", "Rates rose again.", api_name="/predict")
        assert alike > 0.4 > 0.2 > unlike
    assert "stopped; " in (tmp_path / "log").read_text()


@pytest.mark.timeout(400)
def test_demo_chat_streams_from_smollm2(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "spaces_gen", "demo", "chat", "--port", str(port)]
    # the answers to the examples would be computed beside
    with demo(command, port, tmp_path / "log", CACHE_EXAMPLES="off") as url:
        job = Client(url, verbose=False).submit(
            "What is the capital of France? Answer in one short sentence.",
            "You are a helpful assistant.",
            40,
            0,
            api_name="/predict",
        )
        parts = list(job)
        assert len(parts) > 2
        assert all(len(one) <= len(other) for one, other in pairwise(parts))
        assert "Paris" in parts[-1]
    assert "stopped; " in (tmp_path / "log").read_text()
