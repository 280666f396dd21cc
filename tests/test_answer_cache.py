"""Answers kept in memory or in a real Redis, which may be slow, gone or written to by others."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from redis_server import Redis
from scripted import scripted

sys.path.append(str(Path(__file__).parent.parent / "template"))

from serving import cache as module
from serving.cache import AnswerCache
from serving.values import Media

ANSWERS = [
    {"label": ("cat", 0.5), 7: [None, True, "猫"]},
    [0.25] * 384,
    Media(b"not looked into"),
    [[Media(b"a"), 77], "text"],
    "",
    None,
]


class Scores(NamedTuple):
    """What a person's own model might return."""

    label: str
    score: float


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.signal(signal.SIGCONT)
    server.process.kill()
    server.process.wait()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure it is tried again soon."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.2)


def at(monkeypatch: pytest.MonkeyPatch, url: str | None) -> AnswerCache:
    """A cache at this address, as the variable names it."""
    monkeypatch.delenv("CACHE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("CACHE_URL", url)
    return AnswerCache()


async def kept(cache: AnswerCache, key: str) -> Any:
    """What is kept; "nothing" where nothing is."""
    try:
        return await cache.get(key)
    except LookupError:
        return "nothing"


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_answers_come_back_as_they_were_and_nobody_can_change_them(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = None if where == "memory" else request.getfixturevalue("redis").url

    async def main() -> None:
        cache = at(monkeypatch, url)
        for number, answer in enumerate(ANSWERS):
            await cache.put(f"{number}", answer)
        found = [await kept(cache, f"{number}") for number in range(len(ANSWERS))]
        assert found == ANSWERS
        assert list(map(type, found)) == list(map(type, ANSWERS))
        found[1].clear()
        assert await kept(cache, "1") == ANSWERS[1]
        assert await kept(cache, "other") == "nothing"
        await cache.close()

    asyncio.run(main())


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_what_is_too_large_or_cannot_be_written_down_is_not_kept(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = None if where == "memory" else request.getfixturevalue("redis").url

    async def main() -> None:
        cache = at(monkeypatch, url)
        for answer in ("a" * (module.VALUE_BYTES + 1), lambda: None):
            await cache.put("key", answer)
            assert await kept(cache, "key") == "nothing"
        await cache.put("named", Scores("cat", 0.5))
        assert await kept(cache, "named") in ([Scores("cat", 0.5)] if url is None else ["nothing"])

    asyncio.run(main())


def test_the_memory_is_limited_in_bytes_and_the_longest_unused_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.BoundedMemory.__init__, "__defaults__", (10_000,))

    async def main() -> None:
        cache = at(monkeypatch, None)
        for number in range(100):
            await cache.put(f"{number}", "a" * 700)
            await kept(cache, "0")  # used all the time
        present = [n for n in range(100) if await kept(cache, f"{n}") != "nothing"]
        assert present[0] == 0
        assert present[1:] == list(range(100 - len(present) + 1, 100))
        assert 5 <= len(present) <= 10
        for _ in range(100):  # the same again takes no more
            await cache.put("99", "a" * 700)
        assert await kept(cache, "0") != "nothing"

    asyncio.run(main())


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_answers_are_kept_for_their_time(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = None if where == "memory" else request.getfixturevalue("redis").url
    monkeypatch.setattr(module, "SECONDS_TO_LIVE", 1)

    async def main() -> None:
        cache = at(monkeypatch, url)
        await cache.put("key", "answer")
        assert await kept(cache, "key") == "answer"
        deadline = time.monotonic() + 20
        while await kept(cache, "key") != "nothing":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    asyncio.run(main())


@pytest.mark.parametrize(
    "written",
    ["", "no JSON", "[]", "null", '{"list": 5}', '{"bogus": 1}', "[" * 50_000, "\x80\x04K\x01."],
    ids=ascii,
)
def test_what_somebody_else_wrote_there_is_no_answer_and_runs_nothing(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    async def main() -> None:
        cache = at(monkeypatch, redis.url)
        await cache.put("key", "answer")
        (name,) = [line for line in redis.tell("KEYS", "*").split(b"\r\n") if b"key" in line]
        redis.tell("SET", name.decode(), written)
        assert await kept(cache, "key") == "nothing"
        await cache.put("key", "answer")
        assert await kept(cache, "key") == "answer"

    asyncio.run(main())


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("trouble", ["stops", "ends"])
def test_a_redis_that_is_slow_or_gone_is_done_without_and_found_again(
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
) -> None:
    async def main() -> None:
        cache = at(monkeypatch, redis.url)
        await cache.put("key", "answer")
        redis.signal(signal.SIGSTOP if trouble == "stops" else signal.SIGKILL)
        if trouble == "ends":
            redis.process.wait()
        with caplog.at_level(logging.WARNING, "space"):
            assert await kept(cache, "key") == "nothing"
        assert "going on without it" in caplog.text
        began = time.monotonic()
        for number in range(1000):  # while it pauses it asks nobody
            assert await kept(cache, f"{number}") == "nothing"
            if time.monotonic() - began > 0.1:
                break
        await cache.put("key", "answer")
        if trouble == "stops":
            redis.signal(signal.SIGCONT)
        else:
            await asyncio.to_thread(redis.start)
        deadline = time.monotonic() + 20
        while await kept(cache, "later") != "answer":
            assert time.monotonic() < deadline
            await cache.put("later", "answer")
            await asyncio.sleep(0.05)

    asyncio.run(main())


@pytest.mark.parametrize(
    "url",
    ["redis://me:secret@127.0.0.1:1", "redis://me:secret@[", "nonsense://me:secret@host", "secret"],
)
def test_an_address_that_cannot_be_used_is_a_warning_without_the_password(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        cache = at(monkeypatch, url)
        await cache.put("key", "answer")
        assert await kept(cache, "key") == "nothing"
        await cache.close()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
    assert any(record.levelno == logging.WARNING for record in caplog.records)
    assert "secret" not in "".join(r.getMessage() for r in caplog.records if r.name == "space")


COUNTING = """
import os
DETERMINISTIC = True

def load(): pass

def predict(texts):
    with open(os.environ["DIARY"], "a") as file:
        file.writelines(text + chr(10) for text in texts)
    return [{text: 1.0} for text in texts]
"""


def test_two_copies_of_a_space_share_the_answers_but_not_with_another_model(
    redis: Redis, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    space = rendered(model_type="text-classification")
    for name, model_id in (("one", "me/model"), ("two", "me/model"), ("three", "me/other")):
        (tmp_path / name).mkdir()
        variables = {"CACHE_URL": redis.url, "MODEL_ID": model_id, "DIARY": str(diary)}
        with scripted(tmp_path / name, space, COUNTING, **variables) as running:
            for text in ("the same", f"only {name}"):
                answer = httpx.post(f"{running.url}/api/predict", json={"text": text}, timeout=60)
                assert answer.json() == {"result": {text: 1.0}}
            hits = running.counted("space_cache_hits_total")
            assert hits == (1 if name == "two" else 0)
            if name == "three":
                redis.process.kill()
                redis.process.wait()
                answer = httpx.post(f"{running.url}/api/predict", json={"text": "b"}, timeout=60)
                assert answer.json() == {"result": {"b": 1.0}}
    computed = diary.read_text(encoding="utf-8").splitlines()
    assert computed == ["the same", "only one", "only two", "the same", "only three", "b"]
