"""A Space that is told to stop answers those who are in, and tells the others to come again."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from scripted import until
from served import SpaceOf
from space_process import RunningSpace

SLOW = """

import time

own_predict = predict


def predict(batch):
    time.sleep(1)
    return own_predict(batch)
"""
SENTENCE = r"^This Space is being restarted\. Please try again in about 60 s\.$"


def slow_space(space_of: SpaceOf) -> RunningSpace:
    """A classifier that takes a second for two texts."""
    settings = {"MAX_BATCH_SIZE": "2", "WORKERS": "1", "CACHE_EXAMPLES": "off", "METRICS": "1"}
    space = space_of("text-classification", settings)
    with (space.folder / "model.py").open("a", encoding="utf-8") as code:
        code.write(SLOW)
    return space


def test_all_who_are_in_are_answered_and_nobody_else_is_let_in(space_of: SpaceOf) -> None:
    """By both routes, also those who still wait for their turn."""
    with slow_space(space_of) as space, ThreadPoolExecutor(16) as pool:
        clients = [Client(space.url, verbose=False) for _ in range(5)]
        late = clients.pop()

        def directly(text: str) -> httpx.Response:
            return httpx.post(f"{space.url}/api/predict", json={"text": text}, timeout=60)

        by_queue = [
            pool.submit(client.predict, f"good {number}", api_name="/predict")
            for number, client in enumerate(clients)
        ]
        direct = [pool.submit(directly, f"bad {number}") for number in range(6)]
        until(lambda: space.counted("space_present") == 10, "all are in, and some wait")
        assert space.process is not None
        space.process.send_signal(signal.SIGTERM)
        until(lambda: "answering those inside before the end" in space.log, "it closes")
        refused = directly("too late")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "60"
        assert refused.json()["detail"] == (
            "This Space is being restarted. Please try again in about 60 s."
        )
        with pytest.raises(AppError, match=SENTENCE):
            late.predict("too late", api_name="/predict")
        assert all(answer.result(timeout=60) for answer in by_queue)
        assert [answer.result(timeout=60).status_code for answer in direct] == [200] * 6
        assert space.process.wait(30) == 0
    summary = space.summary()
    assert summary.requests == 12
    assert (summary.counts["refused"], summary.counts["failed"]) == (2, 0)
    assert summary.counts["left"] == 0


def test_told_twice_it_stops_at_once(space_of: SpaceOf) -> None:
    with slow_space(space_of) as space, ThreadPoolExecutor(16) as pool:

        def directly(text: str) -> int:
            url = f"{space.url}/api/predict"
            try:
                return httpx.post(url, json={"text": text}, timeout=60).status_code
            except httpx.HTTPError:
                return 0

        asked = [pool.submit(directly, f"bad {number}") for number in range(16)]
        until(lambda: space.counted("space_waiting") >= 8, "some wait")
        assert space.process is not None
        space.process.send_signal(signal.SIGTERM)
        until(lambda: "answering those inside before the end" in space.log, "it closes")
        space.process.send_signal(signal.SIGTERM)
        assert space.process.wait(30) == 0
        assert [one.result() for one in asked].count(200) < 16
