"""Answers many requests in few calls of `predict`.

Requests wait in one line. A worker thread that is free takes the oldest request and those
that are most like it, at once: there is no timer, so a lone visitor never waits for
company, and under load the batches fill by themselves. "Most like it" means of equal
group and similar cost, because a batch costs as much as its longest text for every text
in it; `cheapest_cuts` weighs that against the price of another call. The oldest always
goes first, so nobody starves.

Each request ends exactly once, with its own result or its own error:

- `predict` raises, or returns a list of the wrong length: the batch is split in halves
  until the request that causes it is alone. Its visitor gets the error, the others get
  their results.
- Out of memory: the same, and later batches stay at the size that worked. After some
  time a larger one is tried again.
- The visitor left (the future is cancelled): the request is dropped before it is
  computed.
"""

from __future__ import annotations

import gc
import logging
import math
import sys
import threading
import time
import traceback
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("space")

Predict = Callable[[list[Any]], Sequence[Any]]

PROBE_FACTOR = 1.25  # how much larger a batch is tried, once memory has run out ...
PROBE_AFTER = (
    50  # ... and this many batches at the limit have worked; doubles each time
)


@dataclass(eq=False)
class Job:
    """One request. `cost` is in the unit of `max_batch_cost`, at least 1."""

    item: Any
    cost: int
    group: Hashable
    tag: Any
    future: Future[Any] = field(default_factory=Future)


class Batcher:
    """A line of requests and the worker threads that answer them.

    Args:
        predict: takes a list of items, returns one result for each, in the same order.
        max_batch_size: most items in one call.
        max_batch_cost: most a call may cost, items x the cost of the longest; 0 for no
            limit. A single item may exceed it.
        call_cost: what a call takes beside its items, as a cost.
        workers: threads that call `predict`.
        starting: called before each call of `predict`, in the worker's thread, with the
            worker's number, the tags of the items, and how many workers are busy.
        done: called after each call that worked, with the worker's number, the number
            of items and the seconds it took.
    """

    def __init__(
        self,
        predict: Predict,
        max_batch_size: int,
        max_batch_cost: int = 0,
        call_cost: int = 0,
        workers: int = 1,
        starting: Callable[[int, list[Any], int], None] = lambda *_: None,
        done: Callable[[int, int, float], None] = lambda *_: None,
    ) -> None:
        self._predict = predict
        self._max_batch_size = max_batch_size
        self._most = max_batch_cost or math.inf
        self._call_cost = call_cost
        self._limit = self._most  # lower while memory is short
        self._proven = self._most  # the limit that worked before a larger one was tried
        self._probe_after = PROBE_AFTER
        self._at_limit = 0  # batches that worked since the limit was set
        self._starting, self._done = starting, done
        self._line: list[Job] = []
        self._lock = threading.Lock()
        self._idle: list[threading.Event] = []  # the last who worked is the next
        self._free = workers
        self._closed = False
        self.out_of_memory = 0  # how often
        self._workers = [
            threading.Thread(
                target=self._work, args=(number,), name=f"model-{number}", daemon=True
            )
            for number in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def submit(
        self, item: Any, cost: int = 1, group: Hashable = None, tag: Any = None
    ) -> Future[Any]:
        """Put a request in the line; cancel the future to take it out again.

        Args:
            item: what `predict` gets.
            cost: its length, in the unit of `max_batch_cost`.
            group: only items of equal group share a batch.
            tag: what `starting` is told about it.

        Raises:
            RuntimeError: the batcher is closed.
        """
        job = Job(item, max(1, cost), group, tag)
        with self._lock:
            if self._closed:
                raise RuntimeError("the Space is shutting down")
            self._line.append(job)
            if self._idle:
                self._idle.pop().set()
        return job.future

    def close(self) -> None:
        """Refuse new requests, finish what runs, and tell everybody in the line."""
        with self._lock:
            self._closed = True
            left_over, self._line = self._line, []
            while self._idle:
                self._idle.pop().set()
        for job in left_over:
            finish(job, error=RuntimeError("the Space is shutting down"))
        for worker in self._workers:
            worker.join(timeout=10)

    def _work(self, number: int) -> None:
        bell = threading.Event()
        while batch := self._take(bell):
            self._run(number, batch)
            with self._lock:
                self._free += 1

    def _take(self, bell: threading.Event) -> list[Job]:
        """Wait for requests, then take a batch; an empty list ends the worker."""
        while True:
            with self._lock:
                if self._line:
                    return self._next_batch()
                if self._closed:
                    return []
                bell.clear()
                self._idle.append(bell)
            bell.wait()

    def _next_batch(self) -> list[Job]:
        share = math.ceil(len(self._line) / self._free)  # the rest is for others
        batch = self._most_similar(min(share, self._max_batch_size))
        chosen = set(map(id, batch))
        self._line = [job for job in self._line if id(job) not in chosen]
        self._free -= 1
        return batch

    def _most_similar(self, count: int) -> list[Job]:
        """The oldest job and up to `count` - 1 of its group that are best with it."""
        oldest = self._line[0]
        line = [job for job in self._line if job.group == oldest.group]
        line.sort(key=lambda job: job.cost)
        place = line.index(oldest)
        near = line[max(0, place - count + 1) : place + count]
        place = near.index(oldest)
        costs = [job.cost for job in near]
        start = 0
        for end in cheapest_cuts(costs, self._call_cost, self._limit, count):
            if place < end:
                return near[start:end]
            start = end
        raise AssertionError("the last part ends with the line")

    def _run(self, number: int, batch: list[Job]) -> float:
        """Compute a batch and hand out its results; on an error, narrow it down.

        Returns:
            The most that went through the model together without an error, as a cost.
        """
        batch = [job for job in batch if not job.future.cancelled()]
        if not batch:
            return 0
        try:
            with self._lock:
                busy = len(self._workers) - self._free
            self._starting(number, [job.tag for job in batch], busy)
            began = time.monotonic()
            results = list(self._predict([job.item for job in batch]))
            if len(results) != len(batch):
                counts = f"{len(batch)} items and returned {len(results)} results"
                raise TypeError(f"predict got {counts}")
        except BaseException as raised:  # noqa: BLE001  # a worker must never end
            error = as_exception(raised)
        else:
            self._done(number, len(batch), time.monotonic() - began)
            for job, result in zip(batch, results):
                finish(job, result)
            self._probe(batch)
            return cost_of(batch)
        return self._narrow_down(number, batch, error)

    def _narrow_down(self, number: int, batch: list[Job], error: Exception) -> float:
        release(error)
        full = out_of_memory(error)
        if full:
            free_memory()
            with self._lock:
                self.out_of_memory += 1
        if len(batch) == 1:
            log.error("predict failed for one request", exc_info=error)
            finish(batch[0], error=error)
            return 0
        half = len(batch) // 2
        worked = max(self._run(number, batch[:half]), self._run(number, batch[half:]))
        if full and worked:  # the outermost call has the last word
            with self._lock:
                if cost_of(batch) <= self._proven:  # what used to work does no more
                    self._proven, self._probe_after = worked, PROBE_AFTER
                else:
                    if self._limit > self._proven:  # the larger one that was tried
                        self._probe_after *= 2
                    self._proven = max(self._proven, worked)
                self._limit, self._at_limit = self._proven, 0
                log.warning("out of memory: batches may cost %g at most", self._limit)
        return worked

    def _probe(self, batch: list[Job]) -> None:
        """After many batches at a lowered limit, try a slightly larger one."""
        cost = cost_of(batch)
        one_more = cost + cost / len(batch)  # may be more than PROBE_FACTOR
        highest = max(one_more, cost * PROBE_FACTOR)
        with self._lock:
            if self._limit == self._most or highest <= self._limit:
                return
            self._at_limit += 1
            if self._at_limit >= self._probe_after:
                self._proven = self._limit
                self._limit = min(self._most, self._limit * PROBE_FACTOR)
                self._at_limit = 0


def finish(job: Job, result: Any = None, error: Exception | None = None) -> None:
    """Give the visitor who still waits a result or an error."""
    if not job.future.set_running_or_notify_cancel():
        return
    if error is not None:
        job.future.set_exception(error)
    else:
        job.future.set_result(result)


def cost_of(batch: list[Job]) -> int:
    """What a call with these costs: all are padded to the longest."""
    return len(batch) * max(job.cost for job in batch)


def cheapest_cuts(
    costs: Sequence[int], call_cost: float, max_cost: float, max_items: int
) -> list[int]:
    """Cut a sorted line into parts so that the calls for all of them cost least.

    A call costs `call_cost` and its items x the highest of their costs, as all are padded
    to that. Exact, by dynamic programming from the end; of equally cheap cuts the one
    whose first parts are longest.

    Args:
        costs: of each item, ascending.
        max_cost: items x the highest cost in a part; a single item may exceed it.
        max_items: in a part.

    Returns:
        Where each part ends.
    """
    call_cost = max(1, call_cost)
    count = len(costs)
    # where equal costs end: cutting elsewhere never pays, unless a limit says so
    runs = [at for at in range(1, count) if costs[at - 1] < costs[at]] + [count]

    def ends(start: int) -> list[int]:
        """Where the part that begins at `start` may end, ascending."""
        found: list[int] = []
        for end in runs[bisect_right(runs, start) :]:
            highest = costs[end - 1]
            if highest - costs[start] > call_cost:  # the first alone would be cheaper
                break
            room = start + int(min(max_items, max_cost / max(1, highest)))
            if room < end:
                if room > max(found, default=start):
                    found.append(room)
                break
            found.append(end)
        return found or [start + 1]

    choices: dict[int, list[int]] = {}
    reached = {0}
    for start in range(count):
        if start in reached:
            choices[start] = ends(start)
            reached.update(choices[start])
    least, best = {count: 0.0}, {}
    for start in reversed(choices):
        # of equally cheap ones the last
        least[start], behind = min(
            (call_cost + (end - start) * costs[end - 1] + least[end], -end)
            for end in choices[start]
        )
        best[start] = -behind
    cuts, start = list[int](), 0
    while start < count:
        start = best[start]
        cuts.append(start)
    return cuts


def similar(
    costs: Sequence[int], call_cost: int, max_cost: int, max_items: int
) -> list[list[int]]:
    """Cut the parts of a batch into passes of similar cost; see `cheapest_cuts`.

    Args:
        costs: of each, in any order.
        max_cost: of a pass; 0 for no limit.

    Returns:
        For each pass the indices into `costs`.
    """
    order = sorted(range(len(costs)), key=costs.__getitem__)
    ordered = [costs[index] for index in order]
    cuts = cheapest_cuts(ordered, call_cost, max_cost or math.inf, max_items)
    return [order[start:end] for start, end in zip([0, *cuts], cuts)]


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
    try:
        text = str(error).lower()
    except Exception:  # noqa: BLE001  # the error's own code
        text = ""
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
