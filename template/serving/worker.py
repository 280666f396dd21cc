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
import math
import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Any, BinaryIO

from serving.batcher import Batcher, out_of_memory
from serving.contract import Model, revision
from serving.errors import InputError
from serving.messages import (
    About,
    Alive,
    Ask,
    AskStream,
    Cancel,
    Chunk,
    Done,
    Failed,
    Hung,
    Result,
    Starting,
    Stop,
)
from serving.runtime import runtime
from serving.values import encode_pictures, holds_picture

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
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        self.alive: Callable[[], list[Any]] = list

    def put(self, message: Any) -> None:
        """Send `message` soon."""
        self._waiting.put(message)

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
            if time.monotonic() - spoken >= ALIVE_SECONDS:
                messages += self.alive()
                spoken = time.monotonic()
            try:
                for message in messages:
                    if message is not None:
                        self._sink.write(pickled(message))
                self._sink.flush()
            except OSError:  # the page's process is gone
                os._exit(1)
            if None in messages:
                return


class Worker:
    """Answers what comes in until it is told to stop."""

    def __init__(self, sink: BinaryIO, max_batch_size: int) -> None:
        self._outbox = Outbox(sink)
        self._model = Model()
        self._model.load()
        gc.collect()
        gc.freeze()  # what stays for ever is never looked through again
        self._preparing: dict[int, float] = {}  # since when, by number of the request
        self._futures: dict[int, Future[Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(min(4, runtime.cpus + 1), "prepare", one_thread)
        self._streaming = 0
        self._batcher: Batcher | None = None
        if self._model.streams:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
        else:
            tier = runtime.tier
            self._batcher = Batcher(
                self._model.predict,
                min(tier.max_batch_size, max_batch_size or tier.max_batch_size),
                tier.max_batch_cost,
                runtime.threads,
                self._starting,
                lambda *done: self._outbox.put(Done(*done)),
            )
        self._outbox.put(
            About(
                runtime,
                self._model.streams,
                self._model.deterministic,
                revision(runtime.model_id),
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
                self._preparing[message.number] = math.inf  # not yet
                self._pool.submit(self._ask, message)
            elif isinstance(message, AskStream):
                self._loop.call_soon_threadsafe(self._start_stream, message)
            elif isinstance(message, Cancel):
                self._cancel(message.number)
            elif isinstance(message, Stop):
                return self._stop()

    def _ask(self, ask: Ask) -> None:
        number = ask.number
        if number not in self._preparing:
            return  # the visitor left
        try:
            self._preparing[number] = time.monotonic()
            item, cost, group = self._model.prepare(ask.inputs)
            if self._preparing.pop(number, None) is None:
                return  # the visitor left
            if ask.alone:
                group = ("alone", number)
            assert self._batcher is not None
            future = self._batcher.submit(item, cost, group, tag=number)
            self._futures[number] = future
            future.add_done_callback(lambda future: self._finished(number, future))
        except BaseException as error:  # noqa: BLE001  # e.g. sys.exit() in prepare
            self._preparing.pop(number, None)
            self._outbox.put(failed(number, error, "prepare"))

    def _finished(self, number: int, future: Future[Any]) -> None:
        """Called by the thread that computed it, which must not be held up."""
        self._futures.pop(number, None)
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._outbox.put(failed(number, error))
        elif holds_picture(result := future.result()):
            self._pool.submit(self._encode, number, result)
        else:
            self._outbox.put(Result(number, result))

    def _encode(self, number: int, result: Any) -> None:
        try:
            self._outbox.put(Result(number, encode_pictures(result)))
        except Exception as error:  # noqa: BLE001  # e.g. a mode that PNG has not
            self._outbox.put(failed(number, error, "encoding"))

    def _cancel(self, number: int) -> None:
        self._preparing.pop(number, None)
        if number in self._futures:
            self._futures[number].cancel()
        if number in self._tasks:
            self._loop.call_soon_threadsafe(self._tasks[number].cancel)

    def _start_stream(self, ask: AskStream) -> None:
        self._tasks[ask.number] = asyncio.ensure_future(self._stream(ask))

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
            self._tasks.pop(number, None)

    def _starting(self, worker: int, numbers: list[int], busy: int) -> None:
        self._outbox.put(Starting(worker, numbers))
        torch = sys.modules.get("torch")
        if torch is not None and runtime.device == "cpu":
            # of this thread: a lone batch gets all CPUs, several share them
            torch.set_num_threads(max(1, runtime.cpus // busy))

    def _alive(self) -> list[Any]:
        """What to say when there is nothing else."""
        oldest = time.monotonic() - runtime.tier.time_limit
        since = dict(self._preparing)
        hung = [number for number, began in since.items() if began < oldest]
        full = self._batcher.out_of_memory if self._batcher else 0
        return [Alive(full), *([Hung(hung)] if hung else [])]

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
    return Failed(number, "memory" if out_of_memory(error) else "error", repr(error))


def pickled(message: Any) -> bytes:
    """The message as bytes; an answer that cannot be pickled becomes an error."""
    try:
        return pickle.dumps(message, protocol=5)
    except Exception as error:  # pickling runs the answer's own code
        log.error("an answer cannot be passed on", exc_info=error)
        return pickle.dumps(Failed(message.number, "error", repr(error)))


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
    Worker(sink, max_batch_size=int(sys.argv[1])).run(source)


if __name__ == "__main__":
    main()
