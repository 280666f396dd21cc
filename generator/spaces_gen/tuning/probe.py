"""The model of a Space without its page: python probe.py FILE, run in the Space's folder.

FILE holds the inputs that the recorder wrote down. Questions come in and answers go out as lines
of JSON; see `process.py` for the other side. What the model prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import os
import pickle
import platform
import random
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# beside this file, which runs without the package
from probe_answers import plain  # type: ignore[import-not-found]
from probe_memory import peak_memory, reset_peak, used_memory  # type: ignore[import-not-found]

GB = 1e9
SLICES = 3  # of the time of a measurement; their median counts
LONGEST = 2  # times the wanted time: long batches need no median
POOL = 256  # requests in the line from which batches are cut
LONGEST_STREAM_SECONDS = 60.0


class Full(Exception):
    """Memory ran out."""


class Probe:
    """The loaded model, and requests for it."""

    def __init__(self, path: str) -> None:
        from serving.contract import Model  # type: ignore[import-not-found]
        from serving.runtime import runtime  # type: ignore[import-not-found]

        self.runtime = runtime
        self.model = Model()
        self.model.load()
        self.fixed = used_memory()
        with open(path, "rb") as file:
            self.inputs = list(unpickled(file))
        self.items: list[Any] = []
        self.prepare_seconds = 0.0
        self._loop = asyncio.new_event_loop()  # one: answers to who left come late
        if not self.model.streams:
            began = time.perf_counter()
            self.items = self._prepared()
            self.prepare_seconds = (time.perf_counter() - began) / len(self.inputs)

    def _prepared(self) -> list[Any]:
        """All inputs that can be answered; visitors may have typed others, too."""
        from serving.errors import InputError  # type: ignore[import-not-found]

        found = []
        for inputs in self.inputs:
            try:
                found.append(self.model.prepare(inputs))
            except InputError as error:
                refused = error
        if not found:
            raise refused
        return found

    @property
    def by_cost(self) -> bool:
        """Whether what requests cost together bounds a batch, in place of their number."""
        return self.runtime.tier.max_batch_cost > 0 and any(one.cost != 1 for one in self.items)

    def about(self) -> dict[str, Any]:
        """What is needed to know before measuring."""
        from serving.machine import find_hardware  # type: ignore[import-not-found]

        runtime, tier = self.runtime, self.runtime.tier
        hardware = find_hardware()
        engine = sys.modules.get("serving.engine")
        return {
            "device": runtime.device,
            "cpus": runtime.cpus,
            "gpus": runtime.gpus,
            "zero_gpu": runtime.zero_gpu,
            "bfloat16": hardware.bfloat16,
            "memory_gb": memory_of(runtime, hardware, tier),
            "fixed_gb": self.fixed / GB,
            "machine": f"{hardware.gpu or cpu_name()}, {runtime.cpus} CPUs",
            "streams": self.model.streams,
            "by_cost": self.by_cost,
            "typical_cost": statistics.median([one.cost for one in self.items] or [1]),
            "has_engines": engine is not None,
            "engine_problem": getattr(engine, "problem", ""),
            "installed": [
                name for name in ("onnxruntime", "openvino") if importlib.util.find_spec(name)
            ],
            "versions": versions(),
            "prepare_seconds": self.prepare_seconds,
            "requests": len(self.items or self.inputs),
        }

    def measure(self, limit: int, workers: int, seconds: float) -> dict[str, Any]:
        """Batches within a limit, by `workers` at the same time, as from a deep line.

        Raises:
            Full: memory ran out.
        """
        if self.model.streams:
            return self._streams(limit, seconds)
        name = "max_batch_cost" if self.by_cost else "max_batch_size"
        tier = self.runtime.tier._replace(**{name: limit})
        object.__setattr__(self.runtime, "tier", tier)
        passes = self._by_cost(limit, tier.call_cost) if self.by_cost else self._by_number(limit)
        following = itertools.cycle(passes)
        enough = float("inf") if self.by_cost else LONGEST * seconds  # by cost calls differ
        reset_peak()
        rate, seen, took = self._slice(following, workers, 0.0)
        rates = [rate]
        if took < enough:  # else the first call, slower at first, hardly counts
            if took < seconds:
                self._slice(following, workers, 0.0)
            reset_peak()
            rates, seen, took = [], [], 0.0
        while len(rates) < SLICES and took < enough:
            rate, done, lasted = self._slice(following, workers, seconds / SLICES)
            rates, seen, took = [*rates, rate], seen + done, took + lasted
        items = sum(map(len, passes)) / len(passes)
        return {
            "items": items,
            "seconds": workers * items / statistics.median(rates),
            "passes": [(cost, took) for _, cost, took in seen[:POOL]],
            "memory_gb": max(0.0, peak_memory() - self.fixed) / GB,
        }

    def _slice(
        self, passes: Iterator[list[int]], workers: int, seconds: float
    ) -> tuple[float, list[tuple[int, int, float]], float]:
        """Requests a second, the calls, and how long all took: at least one of each worker."""
        began = time.perf_counter()
        done = self.run(passes, workers, began + seconds)
        took = time.perf_counter() - began
        return sum(items for items, _, _ in done) / took, done, took

    def run(
        self, passes: Iterator[list[int]], workers: int, end: float
    ) -> list[tuple[int, int, float]]:
        """Compute passes until `end`, at least one for each worker.

        Returns:
            Of each: requests, what it costs, seconds.
        """
        lock = threading.Lock()
        seen: list[tuple[int, int, float]] = []
        errors: list[BaseException] = []

        def work() -> None:
            torch = sys.modules.get("torch")
            if torch is not None and self.runtime.device == "cpu":
                torch.set_num_threads(max(1, self.runtime.cpus // workers))
            try:
                while not errors:
                    with lock:
                        chosen = next(passes, None)
                    if chosen is None:
                        return
                    items = [self.items[number] for number in chosen]
                    began = time.perf_counter()
                    self.model.predict([one.item for one in items])
                    now = time.perf_counter()
                    cost = len(items) * max(one.cost for one in items)
                    seen.append((len(items), cost, now - began))
                    if now > end:
                        return
            except BaseException as error:  # told below, in the main thread
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return seen

    def _by_number(self, size: int) -> list[list[int]]:
        """One batch of that many requests for each group, the largest group first."""
        groups = defaultdict(list)
        for number, one in enumerate(self.items):
            groups[one.group].append(number)
        largest = max(groups.values(), key=len)
        return [(largest * -(-size // len(largest)))[:size]]

    def _by_cost(self, limit: int, call_cost: int) -> list[list[int]]:
        """A deep line, cut as the Space's own batcher does."""
        from serving.batcher import cheapest_cuts  # type: ignore[import-not-found]

        line = [number % len(self.items) for number in range(POOL)]
        order = sorted(line, key=lambda number: self.items[number].cost)
        costs = [self.items[number].cost for number in order]
        cuts = cheapest_cuts(costs, call_cost, limit, POOL)
        passes = [order[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
        random.Random(7).shuffle(passes)
        return passes

    def _streams(self, limit: int, seconds: float) -> dict[str, Any]:
        """So many conversations at once: how long all take, by the pace of their first part."""
        whole = self._updates_of_an_answer()
        reset_peak()
        updates, took = self._loop.run_until_complete(self._converse(limit, seconds))
        grown = max(0.0, peak_memory() - self.fixed - self._set_aside)
        each = self._set_aside / self.runtime.tier.max_batch_size
        return {
            "items": limit,
            "seconds": whole * limit / (updates / took),
            "passes": [],
            "memory_gb": (limit * each + grown) / GB,
        }

    def _updates_of_an_answer(self) -> float:
        if not hasattr(self, "_whole"):
            alone = self._converse(1, LONGEST_STREAM_SECONDS, rounds=1)
            updates, _ = self._loop.run_until_complete(alone)
            self._whole = max(1, updates)
            # what the first of them takes for as many as there may be, and keeps
            self._set_aside = max(0.0, used_memory() - self.fixed)
        return self._whole

    async def _converse(self, count: int, seconds: float, rounds: int = 0) -> tuple[int, float]:
        """Updates that came in that time, of `count` streams that follow one another."""
        updates = 0
        end = time.perf_counter() + seconds

        async def talk(first: int) -> None:
            nonlocal updates
            number, done = first, 0
            while time.perf_counter() < end and (not rounds or done < rounds):
                values = self.model.stream(self.inputs[number % len(self.inputs)])
                try:
                    async for _ in values:
                        updates += 1
                        if time.perf_counter() > end:
                            break
                finally:
                    await values.aclose()
                number, done = number + count, done + 1

        began = time.perf_counter()
        await asyncio.gather(*(talk(first) for first in range(count)))
        return max(1, updates), time.perf_counter() - began

    def answers(self, count: int) -> list[Any]:
        """The answers to the first requests, each alone, as JSON."""
        return [plain(self.model.predict([one.item])[0]) for one in self.items[:count]]


def unpickled(file: Any) -> Any:
    """Every value of a file of pickles."""
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


def memory_of(runtime: Any, hardware: Any, tier: Any) -> float:
    """GB that the model may use: of this machine, and of the hardware that the row is of."""
    if runtime.device == "cuda":
        found, promised = (
            tier.shards * memory for memory in (hardware.gpu_memory_gb, tier.gpu_memory_gb)
        )
    else:
        found, promised = hardware.memory_gb, tier.memory_gb
    return float(min(found, promised or found))


def cpu_name() -> str:
    """What the system calls its processor."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of what computes."""
    found = {"python": platform.python_version()}
    for name in ("torch", "transformers", "onnxruntime", "openvino"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    from serving.batcher import out_of_memory as is_full

    return bool(is_full(error))


def answered(probe: Probe, question: dict[str, Any]) -> dict[str, Any]:
    """The answer to one question."""
    try:
        if question["do"] == "measure":
            return probe.measure(question["limit"], question["workers"], question["seconds"])
        return {"answers": probe.answers(question["count"])}
    except BaseException as error:  # whatever the model raises
        full = out_of_memory(error)
        if full:
            error.__traceback__ = None
            from serving.batcher import free_memory

            free_memory()
        return {"full": True} if full else {"error": said(error)}


def said(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def main() -> None:
    """Answer questions until there are no more."""
    source, sink = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what the model prints is no answer
    sys.path[0] = os.getcwd()

    def tell(answer: dict[str, Any]) -> None:
        sink.write(json.dumps(answer) + "\n")
        sink.flush()

    try:
        probe = Probe(sys.argv[1])
        about = probe.about()
    except BaseException as error:  # whatever the model raises
        tell({"full": True} if out_of_memory(error) else {"error": said(error)})
        os._exit(1)
    tell(about)
    for line in source:
        tell(answered(probe, json.loads(line)))
    probe.model.unload()
    os._exit(0)  # threads of libraries may hang on


if __name__ == "__main__":
    main()
