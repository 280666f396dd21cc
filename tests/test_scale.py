"""The Space on Ray Serve: what visitors notice when parts of it end."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import visit
from gradio_client import Client, handle_file
from gradio_client.client import Job
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, expect
from ray_cluster import Cluster
from ray_load import FATAL, LISTENS, SLOW, VISITORS, Load, recording, under_load
from redis_server import Redis
from scripted import until
from test_browser import send

SORRY = "Something went wrong with this request. Please try again, or try another input."


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def cluster(
    rendered: Callable[..., Path], redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two copies of a model that sleeps."""
    folder = tmp_path_factory.mktemp("ray")
    space = folder / "space"
    shutil.copytree(rendered(model_type="automatic-speech-recognition", scale="ray-serve"), space)
    (space / "model.py").write_text(LISTENS, encoding="utf-8")
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "torch.py").write_text("raise ImportError('hidden')", encoding="utf-8")
    settings = {"MAX_BATCH_SIZE": "4", "CACHE_EXAMPLES": "off", "CACHE_URL": redis.url}
    with Cluster(space, (2, 2), PYTHONPATH=str(hidden), **settings) as cluster:
        yield cluster


def counted(cluster: Cluster, name: str) -> float:
    """One of the page's numbers at /metrics."""
    told = httpx.get(f"{cluster.url}/metrics", timeout=60).text
    return float(told.split(f"\n{name} ")[1].split()[0])


@contextmanager
def load(cluster: Cluster) -> Iterator[Load]:
    """Meanwhile visitors ask; nothing may fail."""
    visitors = under_load(cluster.url)
    visitors.start()
    try:
        until(lambda: visitors.outcomes.total() > VISITORS, "they are answered")
        yield visitors
    finally:
        visitors.end()
    assert {outcome for outcome in visitors.outcomes if not outcome.startswith("model ")} == set()


def test_a_copy_whose_model_cannot_be_started_any_more_is_replaced(cluster: Cluster) -> None:
    """That is noticed before anybody asks; what it was asked later is asked again elsewhere."""
    model = cluster.folder / "model.py"
    code = model.read_text(encoding="utf-8")
    copy, noticed = cluster.processes("model")[0], cluster.log.count("starting another one")
    model.write_text("raise RuntimeError('broken')", encoding="utf-8")
    for process in copy.children():
        process.kill()
    # who asks before would be told that the model has stopped
    until(lambda: cluster.log.count("starting another one") > noticed, "it is noticed")
    with load(cluster) as visitors:
        until(lambda: not copy.is_running(), "it ends")
        model.write_text(code, encoding="utf-8")
        until(lambda: cluster.running() == 2, "there is another one")
        done = visitors.outcomes.total()
        until(lambda: visitors.outcomes.total() > done + VISITORS, "they are answered on")


def test_files_reach_the_copies_and_bad_ones_are_told(cluster: Cluster, tmp_path: Path) -> None:
    # by itself it gives up after 5 s, which a machine with other work may need
    client = Client(cluster.url, verbose=False, httpx_kwargs={"timeout": 60})
    names = ("space_batch_size_sum", "space_queue_wait_seconds_count")
    before = [counted(cluster, name) for name in names]

    def ask(frames: int) -> Job:
        path = tmp_path / f"{frames}.wav"
        path.write_bytes(recording(frames))
        return client.submit(handle_file(str(path)), api_name="/predict")

    answers = [ask(frames) for frames in (123, 456, 789)]
    said = [one.result(timeout=60) for one in answers]
    assert said == [f"{frames} by model 1" for frames in (123, 456, 789)]
    refused = httpx.post(f"{cluster.url}/api/predict", json={}, timeout=60)
    assert refused.status_code == 422
    assert "set-cookie" not in refused.headers
    assert [counted(cluster, name) for name in names] == [count + 3 for count in before]


def asking(cluster: Cluster, frames: int) -> dict[str, Any]:
    """Of httpx: a request by the direct route."""
    sent = {"audio": ("a.wav", recording(frames))}
    return {"url": f"{cluster.url}/api/predict", "files": sent, "timeout": 60}


def test_an_error_that_nobody_foresaw_is_put_plainly(cluster: Cluster, tmp_path: Path) -> None:
    """Ray hands it on with code and paths of where it happened."""
    told = httpx.post(**asking(cluster, FATAL))
    assert (told.status_code, told.json()) == (500, {"detail": SORRY})
    path = tmp_path / "fatal.wav"
    path.write_bytes(recording(FATAL))
    with pytest.raises(AppError) as raised:
        Client(cluster.url, verbose=False).predict(handle_file(str(path)), api_name="/predict")
    assert SORRY in str(raised.value)
    assert "pickle" not in str(raised.value)
    assert "cannot pickle '_thread.lock' object" in cluster.log


@pytest.mark.parametrize("who", [0, 1])
def test_who_shares_and_stays_is_answered_when_the_other_leaves(cluster: Cluster, who: int) -> None:
    """Ray ends with a request all that was asked for it."""
    request = asking(cluster, SLOW[who])

    async def visit() -> httpx.Response:
        before = counted(cluster, "space_shared_total")
        async with httpx.AsyncClient() as client:
            visitors = []
            for _ in range(2):
                visitors.append(asyncio.ensure_future(client.post(**request)))
                await asyncio.sleep(0.3)
            while counted(cluster, "space_shared_total") == before:
                await asyncio.sleep(0.02)
            leaver = visitors.pop(who)
            assert leaver.cancel()
            return await visitors[0]

    told = asyncio.run(visit())
    assert told.status_code == 200, told.text
    assert told.json()["result"].startswith(f"{SLOW[who]} by")


def test_a_copy_that_is_killed_under_load_is_not_noticed(cluster: Cluster) -> None:
    with load(cluster) as visitors:
        first = cluster.processes("model")[0]
        first.kill()
        until(lambda: first.pid not in {one.pid for one in cluster.processes("model")}, "it ends")
        until(lambda: cluster.running() == 2, "there is another one")
        done = visitors.outcomes.total()
        until(lambda: visitors.outcomes.total() > done + VISITORS, "they are answered on")


def test_another_model_takes_over_under_load(cluster: Cluster, tmp_path: Path) -> None:
    """No request fails, and nobody is given what the one before had answered."""
    kept = tmp_path / "kept.wav"
    kept.write_bytes(recording(77))
    client = Client(cluster.url, verbose=False)
    assert client.predict(handle_file(str(kept)), api_name="/predict") == "77 by model 1"
    code = (cluster.folder / "model.py").read_text(encoding="utf-8")
    with load(cluster) as visitors:
        changed = code.replace("VERSION = 1", "VERSION = 2")
        (cluster.folder / "model.py").write_text(changed, encoding="utf-8")
        cluster.model["runtime_env"]["env_vars"]["VERSION"] = "2"
        cluster.deploy()
        before = visitors.outcomes["model 2"]
        until(lambda: visitors.outcomes["model 2"] > before + VISITORS, "it answers")
    assert visitors.outcomes["model 1"]
    until(
        lambda: client.predict(handle_file(str(kept)), api_name="/predict") == "77 by model 2",
        "what was kept of the other one is not given any more",
    )


def test_copies_come_with_the_load_and_go_after_it(cluster: Cluster) -> None:
    scaling = {"min_replicas": 1, "target_ongoing_requests": 2, "look_back_period_s": 2}
    cluster.scaling |= {**scaling, "max_replicas": 3, "upscale_delay_s": 1, "downscale_delay_s": 3}
    cluster.deploy()
    until(lambda: cluster.running() == 1, "one is enough")
    with load(cluster):
        until(lambda: cluster.running() == 3, "there are more")
    until(lambda: cluster.running() == 1, "one is enough again")


def test_of_several_pages_each_keeps_its_visitors(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(recording(321))
    (page,) = cluster.page["deployments"]
    page["num_replicas"] = 2
    cluster.deploy()

    def place(visitor: int) -> str:
        known = {"cookie": f"space_affinity=visitor-{visitor}"}
        return httpx.get(f"{cluster.url}/gradio_api/app_id", headers=known, timeout=60).text

    until(lambda: len(cluster.processes("page")) == 2, "there are two")
    until(lambda: len({place(visitor) for visitor in range(16)}) == 2, "both are asked")
    places = [place(visitor) for visitor in range(16)]
    assert [place(visitor) for visitor in range(16)] == places
    for visitor in range(8):
        headers = {"cookie": f"other=1; space_affinity=visitor-{visitor}"}
        client = Client(cluster.url, verbose=False, headers=headers)
        assert client.predict(handle_file(str(path)), api_name="/predict").startswith("321 by")
    assert "space_affinity=" in httpx.get(cluster.url, timeout=60).headers["set-cookie"]
    page["num_replicas"] = 1
    cluster.deploy()


def test_without_redis_nothing_fails(cluster: Cluster, redis: Redis) -> None:
    with load(cluster) as visitors:
        redis.signal(signal.SIGKILL)
        done = visitors.outcomes.total()
        until(lambda: visitors.outcomes.total() > done + 3 * VISITORS, "they are answered on")


def test_a_page_that_is_killed_comes_back(cluster: Cluster) -> None:
    (page,) = cluster.processes("page")
    page.kill()

    def answered() -> bool:
        sent = {"audio": ("a.wav", recording(9))}
        try:
            answer = httpx.post(f"{cluster.url}/api/predict", files=sent, timeout=10)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.json()["result"].startswith("9 by")

    until(lambda: page.pid not in {one.pid for one in cluster.processes("page")}, "it ends")
    until(answered, "there is another one")


# -- a chat ----------------------------------------------------------------------------------------

SPEAKS = """
import asyncio
import os


def load():
    pass


async def stream(conversation, *options):
    answer = ""
    for word in conversation[-1]["content"].split():
        await asyncio.sleep(0.2)
        answer += f"{word}! "
        yield answer
"""


@pytest.fixture(scope="module")
def chat(
    rendered: Callable[..., Path], cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The same Ray with another Space; nothing else asks there any more."""
    cluster.stop()
    folder = tmp_path_factory.mktemp("chat")
    space = folder / "space"
    shutil.copytree(rendered(model_type="text-generation", scale="ray-serve"), space)
    (space / "model.py").write_text(SPEAKS, encoding="utf-8")
    hidden = cluster.folder.parent / "hidden"
    with Cluster(space, (2, 2), PYTHONPATH=str(hidden), CACHE_EXAMPLES="off") as chat:
        yield chat


def test_a_chat_comes_bit_by_bit(chat: Cluster) -> None:
    job = Client(chat.url, verbose=False).submit("one two three", api_name="/predict")
    assert job.result(timeout=60).strip() == "one! two! three!"
    assert {"one! ", "one! two! "} <= set(job.outputs())
    accept = {"accept": "text/event-stream"}
    asked = {"message": "four five six"}
    with httpx.stream(
        "POST", f"{chat.url}/api/predict", json=asked, headers=accept, timeout=60
    ) as answer:
        parts = [line for line in answer.iter_lines() if line]
    assert len(parts) >= 3
    assert "four! five! six!" in parts[-1]


@pytest.mark.browser
def test_a_chat_on_the_page_comes_bit_by_bit_and_is_stopped(
    browser: Browser, chat: Cluster
) -> None:
    with visit(browser, chat) as page:
        send(page, "one two three")
        expect(page.get_by_text("one! two! three!")).to_be_visible()
        send(page, " ".join(map(str, range(200))))
        expect(page.get_by_text("0! 1! 2!")).to_be_visible()
        page.locator(".stop-button").click()
        expect(page.locator(".stop-button")).not_to_be_visible()


def test_an_answer_that_had_begun_is_told_when_its_copy_ends(chat: Cluster) -> None:
    """What has been shown cannot be taken back, so it is not asked again."""
    jobs = [
        Client(chat.url, verbose=False).submit(" ".join("ab" * 20), api_name="/predict")
        for _ in range(2)
    ]
    until(lambda: all(len(job.outputs()) > 1 for job in jobs), "both have begun")
    chat.processes("model")[0].kill()
    told = [str(job.exception(timeout=60) or "") for job in jobs]
    assert any("is being restarted" in one for one in told), told
    until(lambda: chat.running() == 2, "there is another copy")
