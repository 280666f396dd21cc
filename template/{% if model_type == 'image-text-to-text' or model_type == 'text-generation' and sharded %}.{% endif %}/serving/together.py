"""Conversations that are answered together, token by token.

A thread takes those that wait, as many as a batch may hold, and computes them at once:
each gets its tokens as they come and ends at its own length. Who comes meanwhile is in
the next batch.

When a batch fails it is split in halves until the conversation that causes it is alone;
the others are answered.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from serving.batcher import as_exception, free_memory, out_of_memory, release

log = logging.getLogger("space")

GATHER_SECONDS = 0.05  # a batch takes seconds, so the first waits a moment for others
PROBE_AFTER = 20  # batches; then one more is tried, where memory ran out before
TOP_K = 50  # words that are drawn from, at most


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; the likeliest where `temperature` is 0."""

    temperature: float
    top_p: float


@dataclass(eq=False)
class Row:
    """One conversation of a batch, and what its visitor is told."""

    item: Any
    length: int  # tokens of the answer, at most
    sampling: Sampling
    loop: asyncio.AbstractEventLoop
    news: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: list[int] = field(default_factory=list)
    over: bool = False
    error: Exception | None = None
    left: bool = False  # nobody waits for it any more

    def end(self, error: Exception | None = None) -> None:
        """No more tokens will come."""
        self.error, self.over = error, True
        self.tell()

    def tell(self) -> None:
        """Wake up who waits."""
        with suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self.news.set)


class Together:
    """The line of conversations, and a thread while there are any.

    Args:
        generate: answers a list of items; further arguments are for `model.generate`.
        ends: tokens that end an answer.
        max_batch_size: conversations in a batch, at most.
    """

    def __init__(
        self, generate: Callable[..., Any], ends: Collection[int], max_batch_size: int
    ) -> None:
        self._generate = generate
        self._ends = frozenset(ends)
        self._most = max_batch_size
        self._limit = max_batch_size  # lower while memory is short
        self._proven = 0  # batches since it was set
        self._line: list[Row] = []
        self._lock = threading.Lock()
        self._working = False

    async def answer(
        self, item: Any, length: int, sampling: Sampling
    ) -> AsyncGenerator[list[int], None]:
        """The tokens of the answer so far, again and again."""
        row = Row(item, length, sampling, asyncio.get_running_loop())
        with self._lock:
            self._line.append(row)
            idle, self._working = not self._working, True
        if idle:
            threading.Thread(target=self._work, name="model", daemon=True).start()
        try:
            over = False
            while not over:
                await row.news.wait()
                row.news.clear()
                over = row.over
                if row.error is not None:
                    raise row.error
                yield list(row.tokens)
        finally:
            row.left = True

    def _work(self) -> None:
        if self._most > 1:
            time.sleep(GATHER_SECONDS)
        while rows := self._take():
            self._run(rows)

    def _take(self) -> list[Row]:
        """The next batch; where there is none the thread ends."""
        with self._lock:
            waiting = [row for row in self._line if not row.left]
            rows, self._line = waiting[: self._limit], waiting[self._limit :]
            self._working = bool(rows)
            return rows

    def _run(self, rows: list[Row]) -> None:
        """Answer a batch; on an error, narrow it down."""
        rows = [row for row in rows if not row.left]
        if not rows:
            return
        for row in rows:
            row.tokens = []
        try:
            self._compute(rows)
        except BaseException as raised:  # noqa: BLE001  # visitors must be told
            error = as_exception(raised)
        else:
            for row in rows:
                row.end()
            self._probe()
            return
        release(error)
        full = out_of_memory(error)
        if full:
            free_memory()
        if len(rows) == 1:
            rows[0].end(error)
            return
        if full:
            self._limit, self._proven = min(self._limit, (len(rows) + 1) // 2), 0
            log.warning("out of memory: %d conversations at once", self._limit)
        rest = [row for row in rows if not row.over]
        half = (len(rest) + 1) // 2
        while rest:
            size = min(half, self._limit)
            part, rest = rest[:size], rest[size:]
            self._run(part)

    def _probe(self) -> None:
        """After some batches at a lowered limit, try one more."""
        self._proven += 1
        if self._limit < self._most and self._proven >= PROBE_AFTER:
            self._limit, self._proven = self._limit + 1, 0

    def _compute(self, rows: list[Row]) -> None:
        options: dict[str, Any] = {"do_sample": False}
        if any(row.sampling.temperature for row in rows):
            neutral = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}  # `Draw` does it
            options = {"do_sample": True, "logits_processor": [Draw(rows)], **neutral}
        self._generate(
            [row.item for row in rows],
            streamer=Listen(rows, self._ends),
            stopping_criteria=[Ended(rows)],
            max_new_tokens=max(row.length for row in rows),
            **options,
        )


class Listen(BaseStreamer):
    """Hands each row its tokens."""

    def __init__(self, rows: list[Row], ends: Collection[int]) -> None:
        self._rows, self._ends = rows, ends

    def put(self, value: torch.Tensor) -> None:
        """Take the next token of each row; the prompts, [rows, tokens], come first."""
        if value.dim() > 1:
            return
        for row, token in zip(self._rows, value.tolist()):
            if row.over:
                continue
            row.tokens.append(token)
            row.over = token in self._ends or len(row.tokens) >= row.length
            row.tell()

    def end(self) -> None:
        """Nothing is left to say."""


class Ended(StoppingCriteria):
    """Stops each row at its own length, or when its visitor has left."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __call__(
        self, input_ids: torch.Tensor, scores: Any, **options: Any
    ) -> torch.Tensor:
        """Whether each row ends with its last token, which `Listen` has not yet seen."""
        ended = [
            row.over or row.left or len(row.tokens) + 1 >= row.length
            for row in self._rows
        ]
        return torch.tensor(ended, device=input_ids.device)


class Draw(LogitsProcessor):
    """Leaves of each row's scores what its own sampling draws from."""

    def __init__(self, rows: list[Row]) -> None:
        self._temperature = torch.tensor(
            [[row.sampling.temperature or 1.0] for row in rows]
        )
        self._top_p = torch.tensor([[row.sampling.top_p] for row in rows])
        self._likeliest = torch.tensor([[not row.sampling.temperature] for row in rows])

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores [rows, words], with -inf where a word is not drawn."""
        device, nothing = scores.device, float("-inf")
        scores = scores / self._temperature.to(device)
        best = scores.argmax(-1, keepdim=True)
        found, words = scores.topk(min(TOP_K, scores.shape[-1]))
        shares = found.softmax(-1)
        likelier = shares.cumsum(-1) - shares  # all those before it
        found = found.masked_fill(likelier >= self._top_p.to(device), nothing)
        empty = torch.full_like(scores, nothing)
        return torch.where(
            self._likeliest.to(device),
            empty.scatter(-1, best, 0.0),
            empty.scatter(-1, words, found),
        )
