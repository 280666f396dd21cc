"""Visitors of a Space as a browser or a program, and what became of each of their requests."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from http_client import Connection

from soaking.questions import Question, Questions
from spaces_gen.load.endpoint import Endpoint

BOUNDARY = "space-soak"
PREFIX = "/gradio_api"
PATIENCE_SECONDS = 90.0  # then a request counts as lost
CLOSING_SECONDS = 2.0
KEEP_SECONDS = 3.0  # the server closes what is idle for longer
BUSY = re.compile(r"^The queue is full\. Please try again in about (\d+) s\.$")
ASSET = re.compile(r"""(?:src|href)="(?:\./|/)?((?:assets|static|theme\.css)[^"]*)""")


@dataclass(frozen=True)
class Ended:
    """How a request ended.

    Attributes:
        how: right, refused, left, lost, wrong or error.
        said: of an error or a loss.
        later: seconds after which one who is refused should come again.
    """

    how: str
    way: str
    began: float
    seconds: float
    said: str = ""
    later: int = 0


class Person:
    """One visitor, whose address a proxy has seen; for one request at a time.

    Args:
        questions: checks the answers.
        patience: seconds until a request counts as lost.

    Attributes:
        unclosed: streams that the server did not close behind the last answer.
    """

    unclosed = 0

    def __init__(
        self,
        endpoint: Endpoint,
        questions: Questions,
        address: str,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._endpoint, self._questions, self._patience = endpoint, questions, patience
        headers = {"x-forwarded-for": address}
        self._connection, self._events, self._alive = (
            Connection(endpoint.url, headers, keep=KEEP_SECONDS) for _ in range(3)
        )
        self._heart: asyncio.Future[None] | None = None
        self._answered: float | None = None  # when the answer came, whenever the stream ends
        self.session = uuid.uuid4().hex

    async def ask(self, question: Question, way: str, leave_after: float | None = None) -> Ended:
        """Ask, wait and check; or hang up after so many seconds."""
        began, self._answered = time.monotonic(), None
        work = asyncio.ensure_future(getattr(self, f"_{way}")(question))
        limit = self._patience if leave_after is None else leave_after
        try:
            await asyncio.wait({work}, timeout=limit)
        finally:
            seconds = (self._answered or time.monotonic()) - began
            answered = work.done()
            if not answered:
                work.cancel()
                await asyncio.wait({work})
                self._hang_up()
        if not answered:
            if leave_after is not None:
                return Ended("left", way, began, seconds)
            return Ended("lost", way, began, seconds, "no answer in time")
        try:
            how, said, later = work.result()
        except (EOFError, OSError, ValueError) as error:
            self._hang_up()
            how, said, later = "lost", f"{type(error).__name__}: {error}"[:160], 0
        return Ended(how, way, began, seconds, said, later)

    async def open_page(self) -> int:
        """Load the page and what it names, in a new session; returns how many files failed."""
        self.session = uuid.uuid4().hex
        try:
            status, page = await self._connection.get("/")
            failed = int(status != 200)
            for path in sorted(set(ASSET.findall(page.decode()))):
                status, _ = await self._connection.get(f"/{path}")
                failed += status >= 500
        except (EOFError, OSError, ValueError):
            self._hang_up()
            failed = 1
        await self._end_heartbeat()
        self._heart = asyncio.ensure_future(self._beat(self.session))
        return failed

    async def close(self) -> None:
        """Close the page."""
        await self._end_heartbeat()
        self._hang_up()

    def _hang_up(self) -> None:
        self._connection.close()
        self._events.close()

    async def _beat(self, session: str) -> None:
        """What the page keeps open as long as it is shown."""
        with suppress(EOFError, OSError, ValueError):
            await self._alive.drain(f"{PREFIX}/heartbeat/{session}")

    async def _end_heartbeat(self) -> None:
        if self._heart is not None:
            self._heart.cancel()
            with suppress(asyncio.CancelledError):
                await self._heart
            self._heart = None
        self._alive.close()

    async def _queue(self, question: Question) -> tuple[str, str, int]:
        data = [await self._uploaded(value) for value in question.values]
        body = {"data": data, "fn_index": self._endpoint.number, "session_hash": self.session}
        status, answer = await self._connection.post(f"{PREFIX}/queue/join", body)
        if status != 200:
            return "error", f"join: {status} {answer[:120]!r}", 0
        last = None
        path = f"{PREFIX}/queue/data?session_hash={self.session}"
        own = json.loads(answer)["event_id"]
        stream = self._events.events(path)
        async for message in stream:
            if message["msg"] == "process_completed" and message["event_id"] == own:
                last = message
                break
            if message["msg"] in ("unexpected_error", "server_stopped"):
                return "lost", json.dumps(message)[:160], 0
        if last is None:
            return "lost", "the stream ended without an answer", 0
        await self._end_of(stream)
        if last["success"]:
            return self._checked(question, last["output"]["data"][0], "queue")
        said = html.unescape(str((last["output"] or {}).get("error")))
        if found := BUSY.match(said):
            return "refused", said, int(found[1])
        return "error", said[:160], 0

    async def _end_of(self, stream: AsyncIterator[Any]) -> None:
        """Read what comes after the answer: the server closes the stream, or ought to."""

        async def read() -> None:
            async for _ in stream:
                pass

        self._answered = time.monotonic()
        try:
            await asyncio.wait_for(read(), CLOSING_SECONDS)
        except (asyncio.TimeoutError, EOFError, OSError, ValueError):
            self.unclosed += 1
            self._events.close()

    async def _direct(self, question: Question) -> tuple[str, str, int]:
        names = [one.name for one in self._endpoint.asked]
        body: Any = dict(zip(names, question.values))
        if self._questions.files:
            body = form(names, question.values)
        status, answer = await self._connection.post("/api/predict", body)
        if status == 200:
            return self._checked(question, json.loads(answer)["result"], "direct")
        with suppress(ValueError, KeyError):
            found = BUSY.match(json.loads(answer)["detail"])
            if status == 503 and found and f"retry-after: {found[1]}\r".encode() in self._head:
                return "refused", found[0], int(found[1])
        return "error", f"{status} {answer[:120]!r}", 0

    @property
    def _head(self) -> bytes:
        return self._connection.head

    def _checked(self, question: Question, answer: Any, way: str) -> tuple[str, str, int]:
        if self._questions.right(question, answer, way):
            return "right", "", 0
        return "wrong", f"{str(answer)[:80]} in place of {str(question.expected)[:80]}", 0

    async def _uploaded(self, value: Any) -> Any:
        if not isinstance(value, bytes):
            return value
        status, answer = await self._connection.post(f"{PREFIX}/upload", form(["files"], [value]))
        if status != 200:
            raise ValueError(f"upload: {status} {answer[:120]!r}")
        return {"path": json.loads(answer)[0], "meta": {"_type": "gradio.FileData"}}


def form(names: Sequence[str], contents: Sequence[bytes]) -> tuple[str, bytes]:
    """A form with pictures."""
    parts = b"".join(
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"; '
        f'filename="file.png"\r\ncontent-type: image/png\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in zip(names, contents)
    )
    return f"multipart/form-data; boundary={BOUNDARY}", parts + f"--{BOUNDARY}--\r\n".encode()


def address(number: int) -> str:
    """A public address of its own for each visitor."""
    return f"18.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
