"""A small HTTP/1.1 client over asyncio streams: it costs a tenth of what a full one does.

The load shares the machine with what it measures, so each millisecond that it takes is missing
there.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit


class Connection:
    """One keep-alive connection, opened when it is needed; for one request at a time.

    Args:
        headers: sent with each request.
        keep: seconds for which it is used again; then no request is ever sent twice. Without it,
            one that meets a closed connection is.

    Attributes:
        head: of the latest answer, in lower case.
    """

    def __init__(
        self, url: str, headers: dict[str, str] | None = None, keep: float | None = None
    ) -> None:
        parts = urlsplit(url)
        self._own = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._keep, self._used = keep, 0.0
        self.head = b""
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: Any) -> tuple[int, bytes]:
        """Send JSON (or bytes, as they are); returns status and body of the answer."""
        status, length = await self._send("POST", path, body)
        return status, b"".join([part async for part in self._body(length)])

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of the answer."""
        status, length = await self._send("GET", path, None)
        return status, b"".join([part async for part in self._body(length)])

    async def events(self, path: str, body: Any = None) -> AsyncIterator[Any]:
        """The JSON of each server-sent event; a POST if there is a body.

        Raises:
            ValueError: the status is not 200.
        """
        method = "POST" if body is not None else "GET"
        status, length = await self._send(method, path, body, "text/event-stream")
        if status != 200:
            raise ValueError(b"".join([part async for part in self._body(length)]))
        rest = b""
        async for part in self._body(length):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    async def drain(self, path: str) -> None:
        """Read an endless answer until it ends."""
        _, length = await self._send("GET", path, None, "text/event-stream")
        async for _ in self._body(length):
            pass

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    async def _send(
        self, method: str, path: str, body: Any, accept: str = "*/*"
    ) -> tuple[int, int | None]:
        if isinstance(body, tuple):  # content type, content
            kind, content = body
        else:
            kind, content = (
                "application/json",
                b"" if body is None else json.dumps(body).encode(),
            )
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\n"
            f"accept: {accept}\r\n{self._own}"
            f"content-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        if self._keep is not None and time.monotonic() - self._used > self._keep:
            self.close()
        try:
            answer = await self._ask(head.encode() + content)
        except (EOFError, ConnectionError):  # the server has closed it, as it was idle
            self.close()
            if self._keep is not None:
                raise
            answer = await self._ask(head.encode() + content)
        self.head = answer
        status = int(answer.split(b" ", 2)[1])
        if b"content-length:" in answer:
            return status, int(answer.split(b"content-length:")[1].split(b"\r\n")[0])
        return status, None  # chunked

    async def _ask(self, request: bytes) -> bytes:
        """Send a request; returns the head of the answer, in lower case."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(request)
        return (await self._reader.readuntil(b"\r\n\r\n")).lower()

    async def _body(self, length: int | None) -> AsyncIterator[bytes]:
        assert self._reader is not None
        if length is not None:
            yield await self._reader.readexactly(length)
            self._used = time.monotonic()
            return
        while size := int(await self._line(), 16):
            yield await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        self._used = time.monotonic()

    async def _line(self) -> bytes:
        assert self._reader is not None
        if not (line := await self._reader.readline()):
            raise EOFError("the connection ended in the middle of an answer")
        return line
