"""Closed loops of visitors: each asks, waits for the answer, and asks again."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from http_client import Connection

BOUNDARY = "space-bench"
MAX_NEW_TOKENS = int(os.environ.get("BENCH_TOKENS", "32"))  # of an answer of a chat


@dataclass
class Result:
    """What one run measured: seconds, of the requests that ended inside the window."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)  # until the first words, of streams
    amounts: list[float] = field(default_factory=list)  # such as tokens
    errors: int = 0

    @property
    def rate(self) -> float:
        """Amounts per second: requests, or tokens."""
        return sum(self.amounts) / self.seconds

    def quantile(self, percent: int) -> float:
        """Latency below which `percent` of the requests stay."""
        ordered = sorted(self.latencies) or [float("nan")]
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Visitor:
    """One visitor of a server that speaks one of the protocols below."""

    def __init__(self, url: str, kind: str, name: str) -> None:
        self.connection, self.events = Connection(url), Connection(url)
        self.kind, self.name = kind, name
        self.session = uuid.uuid4().hex
        self.uploaded: dict[bytes, str] = {}

    async def ask(self, value: Any) -> tuple[Any, list[float]]:
        """The answer to `value`, and when each part of it came.

        Raises:
            ValueError: there is none.
        """
        return await getattr(self, self.name)(value)

    async def direct(self, value: Any) -> tuple[Any, list[float]]:
        """Our direct route: JSON, or a file in a form."""
        if self.kind == "chat":
            body = {"message": value, "max_new_tokens": MAX_NEW_TOKENS, "temperature": 0}
            return await self._stream("/api/predict", body, "result")
        if self.kind == "text":
            body: Any = {"text": value}
        else:
            name = f'name="{self.kind}"; filename="file.{extension(self.kind)}"'
            head = f"--{BOUNDARY}\r\ncontent-disposition: form-data; {name}\r\n\r\n".encode()
            content = head + value + f"\r\n--{BOUNDARY}--\r\n".encode()
            body = (f"multipart/form-data; boundary={BOUNDARY}", content)
        return await self._whole("/api/predict", body)

    async def json(self, value: Any) -> tuple[Any, list[float]]:
        """LitServe: JSON with one input."""
        if self.kind == "chat":
            return await self._stream("/predict", {"input": value}, None)
        return await self._whole("/predict", {"input": as_text(value)})

    async def json_list(self, value: Any) -> tuple[Any, list[float]]:
        """BentoML: JSON with a list of one input."""
        if self.kind == "chat":
            return await self._stream("/predict", {"input": value}, None)
        return await self._whole("/predict", {"input": [as_text(value)]})

    async def queue(self, value: Any) -> tuple[Any, list[float]]:
        """Gradio's queue, as a browser uses it: join, then read the stream of events."""
        data = [await self._upload(value) if isinstance(value, bytes) else value]
        if self.kind == "chat":
            self.session = uuid.uuid4().hex  # a conversation of its own
            data += [None] * (len(CONFIG["inputs"]) - 1)
            for place, extra in CONFIG["extra"].items():
                data[place] = extra
        body = {"data": data, "fn_index": CONFIG["fn"], "session_hash": self.session}
        status, answer = await self.connection.post("/gradio_api/queue/join", body)
        if status != 200:
            raise ValueError(answer)
        parts, last = list[float](), None
        path = f"/gradio_api/queue/data?session_hash={self.session}"
        async for message in self.events.events(path):
            if message["msg"] == "process_generating":
                parts.append(time.monotonic())
            if message["msg"] == "process_completed":
                last = message
        if last is None or not last["success"]:
            raise ValueError(last)
        return last["output"]["data"][0], parts or [time.monotonic()]

    async def _upload(self, content: bytes) -> dict[str, Any]:
        if content not in self.uploaded:  # a browser uploads once, too
            name = f'name="files"; filename="file.{extension(self.kind)}"'
            head = f"--{BOUNDARY}\r\ncontent-disposition: form-data; {name}\r\n\r\n".encode()
            body = head + content + f"\r\n--{BOUNDARY}--\r\n".encode()
            form = f"multipart/form-data; boundary={BOUNDARY}"
            _, answer = await self.connection.post("/gradio_api/upload", (form, body))
            self.uploaded[content] = json.loads(answer)[0]
        return {"path": self.uploaded[content], "meta": {"_type": "gradio.FileData"}}

    async def _whole(self, path: str, body: Any) -> tuple[Any, list[float]]:
        status, answer = await self.connection.post(path, body)
        if status != 200:
            raise ValueError(answer)
        return answer, [time.monotonic()]

    async def _stream(self, path: str, body: Any, key: str | None) -> tuple[Any, list[float]]:
        parts, latest = list[float](), None
        async for event in self.events.events(path, body):
            parts.append(time.monotonic())
            latest = event if key is None else event.get(key, latest)
        if not parts:
            raise ValueError("nothing came")
        return latest, parts


CONFIG: dict[str, Any] = {}


def learn(url: str) -> None:
    """Find Gradio's endpoint at `url`."""
    with urllib.request.urlopen(f"{url}/config") as answer:
        config = json.load(answer)
    (found,) = [one for one in config["dependencies"] if one["api_name"] == "predict"]
    # our chat also has options: system prompt, tokens, temperature, top-p come last
    extra = (
        {-4: "You are a helpful assistant.", -3: MAX_NEW_TOKENS, -2: 0, -1: 1}
        if len(found["inputs"]) > 3
        else {}
    )
    CONFIG.update(fn=found["id"], inputs=found["inputs"], extra=extra)


def extension(kind: str) -> str:
    """Of the files that are sent."""
    return {"image": "png", "audio": "wav"}[kind]


def as_text(value: Any) -> str:
    """For JSON."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


async def drive(
    url: str,
    protocol: str,
    kind: str,
    inputs: Iterator[Any],
    amount: Any,
    users: int,
    warm_up: float,
    seconds: float,
) -> Result:
    """Let `users` visitors ask one request after the other, and count inside the window.

    Of an answer that comes in parts, those inside count; latencies are of all that touch it.

    Args:
        amount: how much an answer counts for.
    """
    if protocol == "queue":
        learn(url)
    start = time.monotonic() + warm_up
    end = start + seconds
    result = Result(seconds)

    async def visit() -> None:
        visitor = Visitor(url, kind, protocol)
        while (began := time.monotonic()) < end:
            try:
                answer, parts = await visitor.ask(next(inputs))
            except (ValueError, OSError, EOFError):
                result.errors += 1
                await asyncio.sleep(0.05)
                continue
            now = time.monotonic()
            inside = sum(start <= part < end for part in parts)
            result.amounts.append(amount(answer) * inside / len(parts))
            if now >= start:
                result.latencies.append(now - began)
                result.first.append(parts[0] - began)
        visitor.connection.close()
        visitor.events.close()

    await asyncio.wait_for(asyncio.gather(*(visit() for _ in range(users))), 300)
    return result
