"""Answers many requests in few calls of `predict`.

Requests wait in one line. A worker thread that is free takes what waits, at once: there
is no timer, so a lone visitor never waits for company, and under load the batches fill
by themselves. What was taken is put into micro-batches of similar length, because a
batch costs as much as its longest text for every text in it.

Each request ends exactly once, with its own result or its own error:

- `predict` raises, or returns a list of the wrong length: the batch is split in halves
  until the request that causes it is alone. Its visitor gets the error, the others get
  their results.
- Out of memory: the same, and later batches stay at the size that worked.
- The visitor left (the future is cancelled): the request is dropped before it is
  computed.
- The same request is already waiting or running: both get its one result.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("space")

Predict = Callable[[list[Any]], Sequence[Any]]


@dataclass
class Job:
    """One distinct request and everybody who waits for it."""

    item: Any
    cost: int
    group: Hashable
    key: Hashable | None
    waiting: list[Future[Any]] = field(default_factory=list)


@dataclass
class Counters:
    """What happened since the start; all of it grows."""

    requests: int = 0
    shared: int = 0
    failed: int = 0
    left: int = 0
    batches: int = 0
    items: int = 0
    largest_batch: int = 0


class Batcher:
    """A line of requests and the worker threads that answer them.

    Args:
        predict: takes a list of items, returns one result for each, in the same order.
        max_batch_size: most items that a worker takes from the line at once.
        max_batch_cost: most a micro-batch may cost, items x the cost of the longest;
            0 for no limit.
        workers: threads that call `predict`.
    """

    def __init__(
        self,
        predict: Predict,
        max_batch_size: int,
        max_batch_cost: int = 0,
        workers: int = 1,
    ) -> None:
        self._predict = predict
        self._max_batch_size = max_batch_size
        self._max_batch_cost = max_batch_cost
        self._memory_limit = max_batch_size
        self._line: deque[Job] = deque()
        self._by_key: dict[Hashable, Job] = {}
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._closed = False
        self.counters = Counters()
        self._workers = [
            threading.Thread(target=self._work, name=f"model-{number}", daemon=True)
            for number in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def submit(
        self,
        item: Any,
        cost: int = 1,
        group: Hashable = None,
        key: Hashable | None = None,
    ) -> Future[Any]:
        """Put a request in the line.

        Args:
            item: what `predict` gets.
            cost: its length, in the unit of `max_batch_cost`.
            group: only items of equal group share a batch.
            key: requests of equal key are the same request; None for one of its own.

        Raises:
            RuntimeError: the batcher is closed.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the Space is shutting down")
            self.counters.requests += 1
            same = self._by_key.get(key) if key is not None else None
            if same is not None:
                self.counters.shared += 1
                same.waiting.append(future)
                return future
            job = Job(item, cost, group, key, [future])
            if key is not None:
                self._by_key[key] = job
            self._line.append(job)
            self._arrived.notify()
        return future

    def close(self) -> None:
        """Refuse new requests, finish what runs, and tell everybody in the line."""
        with self._lock:
            self._closed = True
            left_over = list(self._line)
            self._line.clear()
            self._arrived.notify_all()
        for job in left_over:
            self._finish(job, error=RuntimeError("the Space is shutting down"))
        for worker in self._workers:
            worker.join(timeout=10)

    def _work(self) -> None:
        while jobs := self._take():
            for batch in self._micro_batches(jobs):
                while batch:  # the limit may have fallen since the batch was cut
                    size = self._memory_limit
                    self._run(batch[:size])
                    batch = batch[size:]

    def _take(self) -> list[Job]:
        """Wait for requests, then take the oldest; an empty list ends the worker."""
        with self._lock:
            while not self._line and not self._closed:
                self._arrived.wait()
            count = min(len(self._line), self._max_batch_size)
            return [self._line.popleft() for _ in range(count)]

    def _micro_batches(self, jobs: list[Job]) -> list[list[Job]]:
        """Cut `jobs` into batches of one group and similar cost, within the limits."""
        groups: dict[Hashable, list[Job]] = {}
        for job in jobs:
            groups.setdefault(job.group, []).append(job)
        return [
            [members[index] for index in batch]
            for members in groups.values()
            for batch in similar(
                [job.cost for job in members], self._max_batch_cost, self._memory_limit
            )
        ]

    def _run(self, batch: list[Job]) -> int:
        """Compute a batch and hand out its results; on an error, narrow it down.

        Returns:
            How many items at most went through the model together without an error.
        """
        batch = [job for job in batch if self._still_wanted(job)]
        if not batch:
            return 0
        try:
            results = list(self._predict([job.item for job in batch]))
            if len(results) != len(batch):
                counts = f"{len(batch)} items and returned {len(results)} results"
                raise TypeError(f"predict got {counts}")
        except BaseException as raised:  # noqa: BLE001  # a worker must never end
            error = as_exception(raised)
        else:
            with self._lock:
                self.counters.batches += 1
                self.counters.items += len(batch)
                self.counters.largest_batch = max(
                    self.counters.largest_batch, len(batch)
                )
            for job, result in zip(batch, results):
                self._finish(job, result)
            return len(batch)
        return self._narrow_down(batch, error)

    def _narrow_down(self, batch: list[Job], error: Exception) -> int:
        release(error)
        if len(batch) == 1:
            log.error("predict failed for one request", exc_info=error)
            self._finish(batch[0], error=error)
            return 0
        full = out_of_memory(error)
        if full:
            free_memory()
        half = len(batch) // 2
        worked = max(self._run(batch[:half]), self._run(batch[half:]))
        if full and worked:
            self._memory_limit = worked  # the outermost call has the last word
            log.warning("out of memory: at most %d requests at once", worked)
        return worked

    def _still_wanted(self, job: Job) -> bool:
        """Whether anybody still waits; a job that nobody wants is forgotten."""
        with self._lock:
            staying = [future for future in job.waiting if not future.cancelled()]
            for future in job.waiting:
                if future.cancelled():
                    future.set_running_or_notify_cancel()  # tells whoever waits for it
                    self.counters.left += 1
            job.waiting = staying
            if not staying:
                self._forget(job)
            return bool(staying)

    def _finish(
        self, job: Job, result: Any = None, error: Exception | None = None
    ) -> None:
        with self._lock:
            self._forget(job)
            waiting = [
                future
                for future in job.waiting
                if future.set_running_or_notify_cancel()
            ]
            self.counters.left += len(job.waiting) - len(waiting)
            if error is not None:
                self.counters.failed += len(waiting)
        for future in waiting:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

    def _forget(self, job: Job) -> None:
        if job.key is not None and self._by_key.get(job.key) is job:
            del self._by_key[job.key]


def similar(costs: Sequence[int], max_cost: int, max_items: int) -> list[list[int]]:
    """Cut requests, or parts of them, into batches of similar cost.

    Args:
        costs: one for each; in a batch all are padded to the highest.
        max_cost: of a batch, items x the highest cost; 0 for no limit.
        max_items: of a batch.

    Returns:
        For each batch the indices into `costs`; a single item may exceed `max_cost`.
    """
    batches: list[list[int]] = []
    batch: list[int] = []
    for index in sorted(range(len(costs)), key=costs.__getitem__):
        too_long = max_cost and costs[index] * (len(batch) + 1) > max_cost
        if batch and (too_long or len(batch) >= max_items):
            batches.append(batch)
            batch = []
        batch.append(index)
    return [*batches, batch] if batch else batches


def as_exception(raised: BaseException) -> Exception:
    """`raised`, or what can be handed to a visitor in its place.

    sys.exit() or a stray StopIteration would otherwise end the event loop, too.
    """
    if isinstance(raised, Exception) and not isinstance(raised, StopIteration):
        return raised
    return RuntimeError(f"predict raised {raised!r}")


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on the CPU or a GPU."""
    words = ("out of memory", "can't allocate memory")
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(word in text for word in words)


def release(error: BaseException | None) -> None:
    """Forget the frames of an error, which hold the tensors of the batch that failed."""
    seen: set[int] = set()  # an error may be its own cause
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def free_memory() -> None:
    """Give unused memory back, the GPU's too. Slow, so only under pressure."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
