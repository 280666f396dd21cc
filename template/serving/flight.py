"""One computation for all who ask the same at the same time."""

from __future__ import annotations

import asyncio
from typing import Any


class Flight:
    """One computation and how many wait for it; when all have left, it is cancelled."""

    def __init__(self, work: Any) -> None:
        self._task = asyncio.ensure_future(work)
        self._waiting = 0

    @property
    def over(self) -> bool:
        """Whether it has ended or nobody waits any more."""
        return self._task.done() or not self._waiting

    async def wait(self) -> Any:
        """Its result."""
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._task.cancel()  # nothing happens where it has ended
