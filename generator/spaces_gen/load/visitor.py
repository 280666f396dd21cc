"""One visitor of a Space: through Gradio's queue as a browser, or on the direct route."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Protocol

from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.load.endpoint import Endpoint
from spaces_gen.load.inputs import Upload, is_message

NO_ROOM = (429, 503)  # for this visitor, for anybody
PREFIX = "/gradio_api"


class Refused(Exception):
    """The Space has more to do than it takes on."""


class Failed(Exception):
    """There is no answer; the message says of which kind the failure is."""


class Visitor(Protocol):
    """Whoever asks a Space."""

    async def ask(self, values: dict[str, Any]) -> list[float]:
        """Ask, and wait for the whole answer; returns when each part of it came.

        Raises:
            Refused: there is no room.
            Failed: there is no answer.
        """


class QueueVisitor:
    """Joins Gradio's queue and reads its events, as the page does."""

    def __init__(self, client: Any, endpoint: Endpoint) -> None:
        self._client, self._endpoint = client, endpoint

    async def ask(self, values: dict[str, Any]) -> list[float]:
        """See `Visitor`."""
        session = uuid.uuid4().hex
        data = [
            await self._sent(values.get(one.name)) if one.name else None
            for one in self._endpoint.arguments
        ]
        body = {"data": data, "fn_index": self._endpoint.number, "session_hash": session}
        joined = await self._client.post(f"{PREFIX}/queue/join", json=body)
        if joined.status_code in NO_ROOM:
            raise Refused
        if joined.status_code != 200:
            raise Failed(f"status {joined.status_code} on joining the queue")
        parts: list[float] = []
        query = {"session_hash": session}
        async with self._client.stream("GET", f"{PREFIX}/queue/data", params=query) as stream:
            async for event in events(stream):
                kind = event.get("msg")
                if kind == "process_generating":
                    parts.append(time.monotonic())
                elif kind == "process_completed":
                    if not event["success"]:
                        raise Failed(what_failed(event))
                    return parts or [time.monotonic()]
                elif kind in ("unexpected_error", "server_stopped"):
                    raise Failed(kind.replace("_", " "))
        raise Failed("the stream ended without an answer")

    async def _sent(self, value: Any) -> Any:
        """A value as the queue takes it: a file is uploaded first."""
        if is_message(value):
            return {**value, "files": [await self._sent(one) for one in value["files"]]}
        if not isinstance(value, Upload):
            return value
        files = {"files": (value.name, value.content)}
        answer = await self._client.post(f"{PREFIX}/upload", files=files)
        if answer.status_code != 200:
            raise Failed(f"status {answer.status_code} on upload")
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}


class DirectVisitor:
    """Sends one plain request: JSON, or a form where there are files."""

    def __init__(self, client: Any, endpoint: Endpoint) -> None:
        self._client, self._endpoint = client, endpoint

    async def ask(self, values: dict[str, Any]) -> list[float]:
        """See `Visitor`."""
        fields = [(name, one) for name, value in values.items() for one in parts_of(value)]
        files = [(name, one) for name, one in fields if isinstance(one, Upload)]
        accept = "text/event-stream" if self._endpoint.streams else "application/json"
        how: dict[str, Any] = {"json": values}
        if files:
            how = {
                "files": [(name, (one.name, one.content)) for name, one in files],
                "data": {name: str(one) for name, one in fields if not isinstance(one, Upload)},
            }
        headers = {"accept": accept}
        async with self._client.stream("POST", "/api/predict", headers=headers, **how) as stream:
            if stream.status_code in NO_ROOM:
                raise Refused
            if stream.status_code != 200:
                raise Failed(f"status {stream.status_code}")
            parts = []
            if self._endpoint.streams:
                async for event in events(stream):
                    if "error" in event or "detail" in event:
                        raise Failed("an error in the stream")
                    parts.append(time.monotonic())
            else:
                await stream.aread()
        return parts or [time.monotonic()]


def parts_of(value: Any) -> list[Any]:
    """What a form takes for a value; for a message a text and its files."""
    return [value["text"], *value["files"]] if is_message(value) else [value]


async def events(stream: Any) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each server-sent event."""
    async for line in stream.aiter_lines():
        if line.startswith("data:"):
            found = json.loads(line[5:])
            if isinstance(found, dict):
                yield found


def what_failed(event: dict[str, Any]) -> str:
    """What a failed event says."""
    output = event.get("output") or {}
    said = str(output.get("error") or event.get("title") or "the app raised an error")
    return " ".join(said.split())[:80]


def transport_failure(error: Exception) -> str:
    """A failure of the connection, by its kind."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return f"connection: {type(error).__name__}"
