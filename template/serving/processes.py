"""The model's processes, as the page's process sees them.

A process that ends by itself (killed for memory, a crash) or does not finish a call
within the time limit is replaced; the page stays up meanwhile:

- what waited is given to another process or to the new one;
- the requests that it worked on are tried once more, one at a time in a process that does
  nothing else, so that the one that did it takes no other along;
- a call that took too long is not tried again, and neither is a stream that has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import pickle
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from serving.errors import (
    InputError,
    ModelError,
    Restarted,
    TookTooLong,
    TooLarge,
    Unavailable,
)
from serving.messages import (
    Alive,
    Ask,
    AskStream,
    Cancel,
    Chunk,
    Done,
    Failed,
    Result,
    Starting,
)
from serving.metrics import Metrics
from serving.process import Process, Request

log = logging.getLogger("space")

SILENT_SECONDS = 60  # a process that says nothing for longer is stuck
LONGEST_PAUSE = 60  # in seconds, between two attempts to start a process
GIVE_UP_AFTER = 3  # failed attempts to start; then visitors are told at once


class Processes:
    """Hands requests to the processes and keeps them running.

    Raises:
        ModelError: the model cannot be loaded.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._numbers = itertools.count(1)
        self._waiting: deque[tuple[int, Request]] = deque()  # while no process is there
        self._quarantine: deque[tuple[int, Request]] = deque()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._max_batch_size = 0
        self._failed_starts = 0
        self._last_end = 0.0  # when a process was last found to have ended
        self._restarting: set[asyncio.Task[None]] = set()
        self._starting: set[Process] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="space-")
        self._environments: list[dict[str, str]] = [{}]
        first = self._start(0)
        self.about = first.about
        runtime = self.about.runtime
        if runtime.processes > 1:
            self._environments = [
                {"CUDA_VISIBLE_DEVICES": gpus, "TIER": runtime.tier.flavor}
                for gpus in visible_gpus(runtime.processes, runtime.tier.shards)
            ]
        others = [self._start(slot) for slot in range(1, runtime.processes)]
        self._slots: list[Process | None] = [first, *others]

    def start(self) -> None:
        """Serve in the running event loop."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            for process in self._slots:
                if process is not None:
                    process.listen(self._hear)
            self._watching = asyncio.ensure_future(self._watch())

    def _start(self, slot: int) -> Process:
        """A process with the model loaded.

        Raises:
            ModelError, OSError: it cannot be.
        """
        notes = Path(self._folder.name, str(slot))
        process = Process(self._environments[slot], notes, self._max_batch_size)
        self._starting.add(process)
        try:
            if self._closed:
                process.kill()
            process.load()
        finally:
            self._starting.discard(process)
        return process

    def close(self) -> None:
        """Let the processes finish what they compute, then end them."""
        self._closed = True
        for starting in list(self._starting):
            starting.kill()
        for process in self._slots:
            if process is not None:
                if self._loop is None:
                    process.kill()
                else:
                    process.stop()

    def answers_as(self, version: tuple[str, ...]) -> bool:
        """Whether those that have just come are of this version: there is no other."""
        return True

    async def answer(self, inputs: tuple[Any, ...], arrived: float) -> Any:
        """The model's answer.

        Raises:
            InputError, TooLarge, ModelError: there is none.
        """
        request = Request(inputs, False, arrived)
        with self._asked(request):
            value = await request.values.get()
            if isinstance(value, Exception):
                raise value
            return value

    async def stream(
        self, inputs: tuple[Any, ...], arrived: float
    ) -> AsyncGenerator[Any, None]:
        """The model's answer bit by bit; each value replaces the one before.

        Raises:
            InputError, TooLarge, ModelError: it ends early.
        """
        request = Request(inputs, True, arrived)
        with self._asked(request):
            while not isinstance(value := await request.values.get(), Result):
                if isinstance(value, Exception):
                    raise value
                while not request.values.empty():  # only the latest counts
                    later = request.values.get_nowait()
                    if isinstance(later, (Result, Exception)):
                        request.values.put_nowait(later)
                        break
                    value = later
                yield value

    @contextlib.contextmanager
    def _asked(self, request: Request) -> Any:
        """Send the request; take it back if whoever asked leaves early."""
        self.start()
        number = next(self._numbers)
        self._send(number, request)
        try:
            yield
        finally:
            for process in self._slots:
                if process is not None and number in process.requests:
                    del process.requests[number]
                    process.send(pickle.dumps(Cancel(number)))
            for line in (self._waiting, self._quarantine):
                with contextlib.suppress(ValueError):
                    line.remove((number, request))
            if request.alone:
                self._go_on()

    @property
    def _ready(self) -> list[Process]:
        """The processes that are for everybody."""
        return [process for process in self._slots if process and not process.isolated]

    @property
    def given_up(self) -> bool:
        """Whether there is no process and no hope for one soon."""
        return self._failed_starts >= GIVE_UP_AFTER and not any(self._slots)

    def _send(self, number: int, request: Request) -> None:
        """Give the request to the process with the fewest."""
        if self._ready:
            process = min(self._ready, key=lambda process: len(process.requests))
            self._give(process, number, request)
        elif self._closed or self.given_up:
            request.values.put_nowait(Unavailable())
        else:
            request.asked = time.monotonic()
            self._waiting.append((number, request))

    def _give(self, process: Process, number: int, request: Request) -> None:
        if request.stream:
            message: Any = AskStream(number, request.inputs)
        else:
            message = Ask(number, request.inputs)
        try:
            data = pickle.dumps(message, protocol=5)
        except Exception as error:  # pickling runs the input's own code
            log.error("an input cannot be passed on to the model", exc_info=error)
            request.values.put_nowait(ModelError())
            return
        if not process.requests:
            process.heard = process.flowed = time.monotonic()
        request.asked = time.monotonic()
        process.requests[number] = request
        process.send(data)

    def _go_on(self) -> None:
        """One by one those that may have ended a process, then those who wait."""
        for process in filter(None, self._slots):
            if process.isolated and not process.requests:
                if self._quarantine:
                    self._give(process, *self._quarantine.popleft())
                else:
                    process.isolated = False
        while self._waiting and self._ready:
            self._send(*self._waiting.popleft())

    def _hear(self, process: Process, messages: list[Any]) -> None:
        process.heard = time.monotonic()
        for message in messages:
            self._receive(process, message)

    def _receive(self, process: Process, message: Any) -> None:
        if message is None:
            self._ended(process)
        elif isinstance(message, Starting):
            for number in message.numbers:
                if number in process.requests:
                    self._begins(process, process.requests[number], message.began)
        elif isinstance(message, Done):
            self._metrics.computed(message.items, message.seconds)
        elif isinstance(message, Alive):
            if times := message.out_of_memory - process.out_of_memory:
                self._metrics.ran_out_of_memory(times)
            process.out_of_memory = message.out_of_memory
        elif (request := process.requests.get(message.number)) is not None:
            self._answered(process, request, message)

    def _answered(self, process: Process, request: Request, message: Any) -> None:
        if isinstance(message, Chunk):
            self._begins(process, request, process.heard)
            # the time limit is between two chunks
            request.asked = process.flowed = process.heard
            request.values.put_nowait(message.value)
            return
        del process.requests[message.number]
        if isinstance(message, Failed):
            request.values.put_nowait(as_error(message))
        else:
            request.values.put_nowait(message if request.stream else message.value)

    def _begins(self, process: Process, request: Request, when: float) -> None:
        if not request.started:
            request.started = True
            self._metrics.waited(max(0, when - request.arrived))
            if request.stream:
                streams = sum(
                    one.stream and one.started for one in process.requests.values()
                )
                self._metrics.streaming(streams)

    async def _watch(self) -> None:
        """End processes that are stuck."""
        limit = self.about.runtime.tier.time_limit
        while not self._closed:
            await asyncio.sleep(min(1, limit / 4))
            now = time.monotonic()
            for process in filter(None, list(self._slots)):
                overdue = process.overdue(limit)
                overdue += [
                    number
                    for number, request in process.requests.items()
                    # who has not begun may be waiting behind others that go on
                    if request.stream
                    and now - request.asked > limit
                    and (request.started or now - process.flowed > limit)
                ]
                silent = now - process.heard > max(limit, SILENT_SECONDS)
                if silent and process.requests:
                    overdue += process.requests
                if overdue:
                    self._end_hung(process, overdue)
            for line, served in (
                (self._waiting, any(self._slots)),
                (self._quarantine, any(one and one.isolated for one in self._slots)),
            ):
                # where none serves, and none comes back
                for _, request in [] if served else line:
                    if now - max(request.asked, self._last_end) > limit:
                        request.values.put_nowait(Unavailable())

    def _end_hung(self, process: Process, numbers: list[int]) -> None:
        """Tell those concerned, and end the process; the listener notices."""
        process.hung = True
        for number in numbers:
            if number in process.requests:
                process.requests.pop(number).values.put_nowait(TookTooLong())
        threading.Thread(target=process.kill, daemon=True).start()

    def _ended(self, process: Process) -> None:
        """A process is gone: share out its requests and start another one."""
        if self._closed or process not in self._slots:
            for request in process.requests.values():
                request.values.put_nowait(Unavailable())
            return
        slot = self._slots.index(process)
        self._slots[slot] = None
        self._last_end = time.monotonic()
        log.error("the model's process %s; starting another one", process.fate)
        self._metrics.restarted()
        # those who hung it have been told; of a crash nobody is to blame but these
        worked_on = [] if process.hung else process.worked_on
        suspects = set[int]().union(*worked_on)
        if not suspects and not process.hung:
            suspects = set(process.requests)
        batch_size = self._max_batch_size
        largest = max(map(len, worked_on), default=0)
        if process.killed and largest > 1:
            self._max_batch_size = largest // 2
        orphans, process.requests = process.requests, {}
        for number, request in orphans.items():
            if request.stream or suspects == {number}:
                request.values.put_nowait(Restarted())
                if request.alone and process.killed:  # the batch was not too large
                    self._max_batch_size = request.batch_size
            elif number in suspects or request.alone:
                if not request.alone:
                    request.alone, request.batch_size = True, batch_size
                request.asked = time.monotonic()
                self._quarantine.append((number, request))
            else:
                self._send(number, request)
        restart = asyncio.ensure_future(self._restart(slot))
        self._restarting.add(restart)
        restart.add_done_callback(self._restarting.discard)

    async def _restart(self, slot: int) -> None:
        pause = 1.0
        while not self._closed:
            try:
                process = await asyncio.to_thread(self._start, slot)
            except (ModelError, OSError):
                self._failed_starts += 1
                if self.given_up:
                    for _, request in (*self._waiting, *self._quarantine):
                        request.values.put_nowait(Unavailable())
                log.error("the model cannot be started, trying again in %d s", pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if self._closed:
                process.kill()
                return
            self._failed_starts = 0
            self._slots[slot] = process
            process.isolated = bool(self._quarantine)
            process.listen(self._hear)
            log.info("the model is back")
            self._go_on()
            return


def visible_gpus(count: int, each: int) -> list[str]:
    """Names of the GPUs for `count` processes, `each` for one, joined by commas."""
    named = [
        name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name
    ]
    named = named or [str(number) for number in range(count * each)]
    return [",".join(named[n * each : (n + 1) * each]) for n in range(count)]


def as_error(failed: Failed) -> Exception:
    """The exception that stands for what the model's process reported."""
    if failed.kind == "input":
        return InputError(failed.text)
    return TooLarge() if failed.kind == "memory" else ModelError()
