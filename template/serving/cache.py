"""Answers that are kept for a while, so that a repeated request costs nothing.

In the memory of this process by default, with a limit in bytes; with the variable
CACHE_URL=redis://... in a Redis that several copies of the Space may share. A Redis that
is slow or gone makes the Space slower, never fail. There only what JSON can hold is kept,
so whoever can write to the Redis cannot run code here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import pickle
import time
from typing import Any

from cashews import Cache, register_backend
from cashews.backends.memory import Memory

from serving.values import from_entry, to_entry

log = logging.getLogger("space")

MEMORY_BYTES = 64 * 2**20
VALUE_BYTES = 2**20  # a larger answer is not kept
SECONDS_TO_LIVE = 24 * 3600
PATIENCE_SECONDS = 0.25  # for one look-up
PAUSE_SECONDS = 15.0  # after a failed one; each costs a visitor the patience
REMOTE = ("redis://", "rediss://", "unix://")


class BoundedMemory(Memory):
    """Keeps bytes, the least recently used go first, `max_bytes` at most."""

    def __init__(self, max_bytes: int = MEMORY_BYTES, **options: Any) -> None:
        super().__init__(**{**options, "size": max_bytes})  # as if each had one byte
        self._max_bytes = max_bytes
        self._bytes = 0

    def _set(self, key: Any, value: Any, expire: float | None = None) -> None:
        self._forget(key)
        super()._set(key, value, expire)
        self._bytes += size(key, value)
        while self._bytes > self._max_bytes:
            oldest, (_, kept) = self.store.popitem(last=False)
            self._bytes -= size(oldest, kept)

    async def _delete(self, key: Any) -> bool:
        self._forget(key)
        return await super()._delete(key)

    def _forget(self, key: Any) -> None:
        if key in self.store:
            self._bytes -= size(key, self.store[key][1])


def size(key: str, value: bytes) -> int:
    """Bytes that an entry takes, with what Python adds to it."""
    return len(key) + len(value) + 300


register_backend("mem", BoundedMemory)


class AnswerCache:
    """Answers by key. Every method is for one event loop, and none of them fails."""

    def __init__(self) -> None:
        url = os.environ.get("CACHE_URL") or "mem://"
        self._cache = Cache()
        local = url.startswith("mem://")
        try:
            if local:
                self._cache.setup(url, check_interval=60)
            elif not url.startswith(REMOTE):
                raise ValueError("an address of another kind")
            else:
                self._cache.setup(
                    url, pickle_type="json", suppress=False, client_name="space"
                )
        except Exception as error:  # noqa: BLE001  # an address may hold a password
            kind = type(error).__name__
            wanted = "it should be like redis://host:6379"
            log.warning("no answers are kept: CACHE_URL fails (%s), %s", kind, wanted)
            self._cache.setup("mem://", enable=False)
        self._patience = None if local else PATIENCE_SECONDS
        self._encode = pickle.dumps if local else to_json
        self._decode = pickle.loads if local else from_json
        self._paused_until = 0.0

    async def get(self, key: str) -> Any:
        """The kept answer.

        Raises:
            LookupError: there is none, or it cannot be reached in time.
        """
        kept = await self._patiently(self._cache.get(key))
        if kept is None:
            raise LookupError(key)
        try:
            return self._decode(kept)
        except Exception as error:  # whatever somebody else wrote there
            raise LookupError(key) from error

    async def put(self, key: str, answer: Any) -> None:
        """Keep `answer`, if it can be written down and is not too large."""
        try:
            data = self._encode(answer)
        except Exception:  # noqa: BLE001  # writing it down runs its own code
            return
        if len(data) <= VALUE_BYTES:
            await self._patiently(self._cache.set(key, data, expire=SECONDS_TO_LIVE))

    async def close(self) -> None:
        """Disconnect."""
        await self._patiently(self._cache.close())

    async def _patiently(self, operation: Any) -> Any:
        """The result, or None if it fails or takes too long."""
        if time.monotonic() < self._paused_until:
            operation.close()
            return None
        try:
            return await asyncio.wait_for(operation, self._patience)
        except (ValueError, RecursionError):  # somebody else has written there
            return None
        except Exception as error:  # noqa: BLE001  # network errors are many
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            kind = type(error).__name__
            log.warning("the cache does not answer (%s), going on without it", kind)
            return None


def to_json(answer: Any) -> str:
    """The answer as text.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot hold it.
    """
    return json.dumps(
        to_entry(answer, lambda media: base64.b64encode(media.content).decode())
    )


def from_json(text: str) -> Any:
    """The answer that `to_json` wrote."""
    return from_entry(json.loads(text), base64.b64decode)
