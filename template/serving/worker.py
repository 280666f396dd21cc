"""The process of the model: `python -m serving.worker`, started by serving/processes.py.

It has an interpreter of its own, so the page's work and the model's never wait for each
other, and it may be ended and started anew. Requests come in on its standard input and
answers go out on its standard output, see serving/messages.py; what else is printed goes
to the log.

Four kinds of threads: the main one reads requests, a few prepare them, the batcher's call
the model, and one writes what is finished, so that a large answer holds up nobody else.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import mmap
import os
import pickle
import queue
import signal
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from typing import Any, BinaryIO

from serving.batcher import Batcher, out_of_memory
from serving.causes import why_not_loaded
from serving.contract import Model, revision
from serving.errors import InputError
from serving.examples import code_hash
from serving.messages import (
    LENGTH,
    About,
    Alive,
    Ask,
    AskStream,
    Cancel,
    Chunk,
    Done,
    Failed,
    NotLoaded,
    Result,
    Starting,
    Stop,
)
from serving.runtime import runtime
from serving.values import encode_pictures, holds_media

log = logging.getLogger("space")

ALIVE_SECONDS = 1.0
# In seconds, between two updates of a streamed answer. Each costs the page's process
# about 0.6 ms, so with many streams they come less often: a third of its time at most.
STREAM_SECONDS = 0.05
UPDATE_SECONDS = 3 * 0.0006


class Outbox:
    """Sends messages from a thread of its own, as many at once as there are."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._remarks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        self.alive: Callable[[], list[Any]] = list

    def put(self, message: Any) -> None:
        """Send `message` soon."""
        self._waiting.put(message)

    def remark(self, message: Any) -> None:
        """Send `message` before the next one: the page need not wake up for it."""
        self._remarks.put(message)

    def close(self) -> None:
        """Send what is left."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        spoken = 0.0
        while True:
            messages = []
            with suppress(queue.Empty):
                messages.append(self._waiting.get(timeout=ALIVE_SECONDS))
            while not self._waiting.empty():
                messages.append(self._waiting.get())
            remarks = []
            while not self._remarks.empty():
                remarks.append(self._remarks.get())
            ready = remarks + [packed(one) for one in messages if one is not None]
            if time.monotonic() - spoken >= ALIVE_SECONDS:
                ready += self.alive()
                spoken = time.monotonic()
            if ready:
                data = pickle.dumps(ready, protocol=5)
                try:
                    self._sink.write(LENGTH.pack(len(data)) + data)
                    self._sink.flush()
                except OSError:  # the page's process is gone
                    os._exit(1)
            if None in messages:
                return


class Notes:
    """Which requests each thread works on, in a file that outlives the process.

    Messages would not do: a process that crashes takes along what it has not yet sent.

    Args:
        path: of an empty file.
        threads: as many work at the same time.
        width: requests that one of them works on, at most.
    """

    def __init__(self, path: str, threads: int, width: int) -> None:
        self._bytes = 8 * width
        with open(path, "r+b") as file:
            file.truncate(threads * self._bytes)
            self._map = mmap.mmap(file.fileno(), 0)
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for place in range(threads):
            self._free.put(place)

    @contextmanager
    def on(self, numbers: list[int]) -> Iterator[None]:
        """This thread works on these requests."""
        place = self._free.get()
        self._write(place, numbers)
        try:
            yield
        finally:
            self._write(place, [])
            self._free.put(place)

    def _write(self, place: int, numbers: list[int]) -> None:
        start = place * self._bytes
        data = array("q", numbers).tobytes().ljust(self._bytes, b"\0")
        self._map[start : start + self._bytes] = data


class Worker:
    """Answers what comes in until it is told to stop."""

    def __init__(self, sink: BinaryIO, max_batch_size: int, notes: str) -> None:
        self._outbox = Outbox(sink)
        self._model = Model()
        self._model.load()
        gc.collect()
        gc.freeze()  # what stays for ever is never looked through again
        self._wanted: set[int] = set()  # numbers of the requests whose visitor waits
        self._futures: dict[int, Future[Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # more of them would only fight for the interpreter's lock, with the model's, too
        threads = max(2, min(4, runtime.cpus))
        self._pool = ThreadPoolExecutor(threads, "prepare", one_thread)
        self._streaming = 0
        self._batcher: Batcher | None = None
        if self._model.streams:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
        else:
            tier = runtime.tier
            threads += runtime.threads
            self._notes = Notes(notes, threads, tier.max_batch_size)
            self._batcher = Batcher(
                self._predict,
                min(tier.max_batch_size, max_batch_size or tier.max_batch_size),
                tier.max_batch_cost,
                tier.call_cost,
                runtime.threads,
                self._starting,
                lambda _, *done: self._outbox.remark(Done(*done)),
            )
        self._outbox.put(
            About(
                runtime,
                self._model.streams,
                self._model.deterministic,
                revision(runtime.model_id),
                code_hash(),
                runtime.processes,
            )
        )
        self._outbox.alive = self._alive

    def run(self, source: BinaryIO) -> None:
        """Read requests until the end."""
        while True:
            try:
                message = pickle.load(source)
            except (EOFError, OSError):  # the page's process is gone, nobody waits
                os._exit(1)
            if isinstance(message, Ask):
                self._wanted.add(message.number)
                self._pool.submit(self._ask, message)
            elif isinstance(message, AskStream):
                self._loop.call_soon_threadsafe(self._start_stream, message)
            elif isinstance(message, Cancel):
                self._cancel(message.number)
            elif isinstance(message, Stop):
                return self._stop()

    def _ask(self, ask: Ask) -> None:
        number = ask.number
        if number not in self._wanted:
            return  # the visitor left
        try:
            with self._notes.on([number]):
                item, cost, group = self._model.prepare(ask.inputs)
            if number not in self._wanted:
                return  # the visitor left
            assert self._batcher is not None
            future = self._batcher.submit((number, item), cost, group, tag=number)
            self._futures[number] = future
            future.add_done_callback(lambda future: self._finished(number, future))
            if number not in self._wanted:  # the visitor left just now
                future.cancel()
        except BaseException as error:  # noqa: BLE001  # e.g. sys.exit() in prepare
            self._wanted.discard(number)
            self._outbox.put(failed(number, error, "prepare"))

    def _predict(self, items: list[tuple[int, Any]]) -> Sequence[Any]:
        """What the model says to `items`, each with the number of its request."""
        with self._notes.on([number for number, _ in items]):
            return self._model.predict([item for _, item in items])

    def _finished(self, number: int, future: Future[Any]) -> None:
        """Called by the thread that computed it, which must not be held up."""
        self._futures.pop(number, None)
        self._wanted.discard(number)
        if future.cancelled():
            return
        error: BaseException | None = future.exception()
        if error is not None:
            self._outbox.put(failed(number, error))
            return
        try:
            result = future.result()
            if holds_media(result):
                self._pool.submit(self._encode, number, result)
            else:
                self._outbox.put(Result(number, result))
        except BaseException as raised:  # noqa: BLE001  # e.g. a list that holds itself
            self._outbox.put(failed(number, raised, "the result"))

    def _encode(self, number: int, result: Any) -> None:
        try:
            with self._notes.on([number]):
                self._outbox.put(Result(number, encode_pictures(result)))
        except BaseException as error:  # noqa: BLE001  # e.g. a mode that PNG has not
            self._outbox.put(failed(number, error, "encoding"))

    def _cancel(self, number: int) -> None:
        self._wanted.discard(number)
        future = self._futures.get(number)
        if future is not None:
            future.cancel()
        if self._model.streams:  # in the loop, where it may be about to begin
            self._loop.call_soon_threadsafe(self._cancel_stream, number)

    def _cancel_stream(self, number: int) -> None:
        task = self._tasks.get(number)
        if task is not None:
            task.cancel()

    def _start_stream(self, ask: AskStream) -> None:
        task = self._tasks[ask.number] = asyncio.ensure_future(self._stream(ask))
        task.add_done_callback(lambda _: self._tasks.pop(ask.number, None))

    async def _stream(self, ask: AskStream) -> None:
        """Send the model's stream: not each value, but always the last."""
        number, shown, pending = ask.number, 0.0, []
        self._streaming += 1
        try:
            async with aclosing(self._model.stream(ask.inputs)) as values:
                async for value in values:
                    pending = [value]
                    pause = max(STREAM_SECONDS, self._streaming * UPDATE_SECONDS)
                    if time.monotonic() - shown >= pause:
                        shown, pending = time.monotonic(), []
                        self._outbox.put(Chunk(number, value))
            for value in pending:
                self._outbox.put(Chunk(number, value))
            self._outbox.put(Result(number, None))
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001  # e.g. sys.exit() in stream
            self._outbox.put(failed(number, error, "stream"))
        finally:
            self._streaming -= 1

    def _starting(self, _: int, numbers: list[int], busy: int) -> None:
        self._outbox.remark(Starting(numbers, time.monotonic()))
        torch = sys.modules.get("torch")
        if torch is not None and runtime.device == "cpu":
            # of this thread: a lone batch gets all CPUs, several share them
            torch.set_num_threads(max(1, runtime.cpus // busy))

    def _alive(self) -> list[Any]:
        """What to say when there is nothing else."""
        return [Alive(self._batcher.out_of_memory if self._batcher else 0)]

    def _stop(self) -> None:
        for number in [*self._tasks]:
            self._cancel(number)
        if self._batcher is not None:
            self._batcher.close()
        self._model.unload()
        self._outbox.close()
        os._exit(0)  # threads of libraries may hang on


def failed(number: int, error: BaseException, where: str = "") -> Failed:
    """What the page is told about an error; the rest is for the log."""
    if isinstance(error, InputError):
        return Failed(number, "input", str(error))
    if type(error).__module__ == "gradio.exceptions":  # gr.Error in model.py
        return Failed(number, "input", str(getattr(error, "message", error)))
    if where:  # the batcher has logged its own
        log.error("%s failed for one request", where, exc_info=error)
    kind = "memory" if out_of_memory(error) else "error"
    return Failed(number, kind, type(error).__name__)


def packed(message: Any) -> Any:
    """The message with its value pickled; one that cannot be becomes an error."""
    if isinstance(message, Failed):  # plain text, whatever model.py raised
        return message._replace(text="".join(map(str, str(message.text))))
    if not isinstance(message, (Result, Chunk)):
        return message
    try:
        return message._replace(value=pickle.dumps(message.value, protocol=5))
    except BaseException as error:  # pickling runs the answer's own code
        log.error("an answer cannot be passed on", exc_info=error)
        return Failed(message.number, "error", type(error).__name__)


def one_thread() -> None:
    """Keep PyTorch, in a thread that prepares, from using the CPUs of the model."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def main() -> None:
    """Take over standard input and output, then answer until told to stop."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # what the model starts must not read requests ...
    os.dup2(2, 1)  # ... and what it prints is no answer
    for number in (signal.SIGINT, signal.SIGTERM):  # the page's process decides
        signal.signal(number, signal.SIG_IGN)
    try:
        worker = Worker(sink, max_batch_size=int(sys.argv[1]), notes=sys.argv[2])
    except (Exception, SystemExit) as error:
        reason = why_not_loaded(error, runtime.model_id)
        data = pickle.dumps([NotLoaded(reason)])
        sink.write(LENGTH.pack(len(data)) + data)
        sink.flush()
        raise
    worker.run(source)


if __name__ == "__main__":
    main()
