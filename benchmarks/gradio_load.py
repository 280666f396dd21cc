"""A closed loop of visitors who speak Gradio's protocol: join the queue, read the stream."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Result:
    """What one run measured; latencies in seconds, of the requests inside the window."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def rate(self) -> float:
        """Answered requests per second."""
        return len(self.latencies) / self.seconds

    def quantile(self, percent: int) -> float:
        """Latency below which `percent` of the requests stay."""
        return statistics.quantiles(self.latencies, n=100)[percent - 1]


async def drive(
    url: str, inputs: Iterator[list[Any]], users: int, warm_up: float, seconds: float
) -> Result:
    """Let `users` visitors ask one request after the other, and count those inside the window."""
    start = time.monotonic() + warm_up
    end = start + seconds
    result = Result(seconds)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        config = (await client.get("/config")).json()
        index = next(one["id"] for one in config["dependencies"] if one["api_name"] == "predict")

        async def visitor() -> None:
            session = uuid.uuid4().hex
            while (began := time.monotonic()) < end:
                good = await ask(client, index, next(inputs), session)
                now = time.monotonic()
                if not good:
                    result.errors += 1
                elif start <= now < end:
                    result.latencies.append(now - began)

        await asyncio.gather(*(visitor() for _ in range(users)))
    return result


async def ask(client: httpx.AsyncClient, index: int, data: list[Any], session: str) -> bool:
    """One request, from joining the queue to its answer; whether it was answered."""
    body = {"data": data, "fn_index": index, "session_hash": session}
    joined = await client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return False
    where = "/gradio_api/queue/data"
    async with client.stream("GET", where, params={"session_hash": session}) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    return bool(message["success"])
                if message["msg"] == "unexpected_error":
                    return False
    return False
