"""Measures the model of a Space: batches, workers, and what computes it."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from spaces_gen.capacity.choice import GAIN_OF_A_WORKER, Choice, choose
from spaces_gen.capacity.queue import Precision
from spaces_gen.capacity.service import Memory, ServiceTime, doublings
from spaces_gen.errors import UserError
from spaces_gen.tables import ModelType
from spaces_gen.tuning.fidelity import comparable, fidelity
from spaces_gen.tuning.process import Full, Point, Probe, probing
from spaces_gen.tuning.sweep import Sweep, limit_for, memory, service_time, sweep

PYTORCH = "pytorch"
EXACT = "float32"
ROUNDS = 3  # of a comparison, in turn
LEAST_GAIN = GAIN_OF_A_WORKER  # of another engine or dtype, to be worth it
COMPARED_SECONDS = 10.0  # for the answers that are compared
COMPARED, LEAST_COMPARED = 200, 16  # answers
POINT_SECONDS = 0.9
SWEEP_SECONDS = 30.0  # at least, for the way that was chosen
STREAM_SECONDS = 8.0  # of conversations, whose pace varies more
LARGEST_COST, LARGEST_BATCH = 2**17, 256
ENOUGH = Precision(arrivals=4000, steps=10)  # the optimum is flat


@dataclass(frozen=True)
class Way:
    """How the model is computed."""

    engine: str
    dtype: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.engine} {self.dtype}"

    @property
    def variables(self) -> dict[str, str]:
        """That make a Space compute it so."""
        return {"ENGINE": self.engine, "DTYPE": self.dtype}


@dataclass(frozen=True)
class Tried:
    """A way, what was found about it, and whether it may be chosen.

    Attributes:
        gain: its throughput over that of the first way; None where it was not measured.
    """

    way: Way
    good: bool
    said: str
    gain: float | None = None


@dataclass(frozen=True)
class Measured:
    """Everything about the model on this machine.

    Attributes:
        about: what the probe says of itself.
        sweeps: by the number of workers, in the chosen way.
        services: the same, as times of a batch.
        point: the limit that was chosen.
    """

    about: Mapping[str, Any]
    way: Way
    tried: tuple[Tried, ...]
    sweeps: Mapping[int, Sweep]
    services: Mapping[int, ServiceTime]
    room: Memory
    choice: Choice
    point: Point


@dataclass(frozen=True)
class Aim:
    """What is looked for, and how long.

    Attributes:
        row: of tuning.py, as it applies here.
        target: seconds for 95 % of the answers.
        front_end: seconds of the page's own work per request.
        deadline: by time.monotonic(); nothing new is begun after it.
        ways: whether other engines and dtypes are tried.
    """

    row: Mapping[str, Any]
    target: float
    front_end: float
    deadline: float
    ways: bool = True
    python: str = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict)


def measure_model(
    space: Path,
    inputs: Path,
    model_type: ModelType,
    aim: Aim,
    say: Callable[[str], None],
) -> Measured:
    """Find the best values for a Space's model here.

    Args:
        inputs: recorded ones, see `recorder.py`.

    Raises:
        UserError: the model fails, or does not even fit alone.
    """
    try:
        return Measurement(space, inputs, model_type, aim, say).run()
    except Full as error:
        raise UserError("not even one request fits the memory beside the model") from error


class Measurement:
    """One run of `measure_model`."""

    def __init__(
        self,
        space: Path,
        inputs: Path,
        model_type: ModelType,
        aim: Aim,
        say: Callable[[str], None],
    ) -> None:
        self._space, self._inputs, self._aim, self._say = space, inputs, aim, say
        self._model_type = model_type
        self._expected: list[Any] = []

    def run(self) -> Measured:
        """Measure."""
        with ExitStack() as stack:
            way, first, tried = self._first(stack)
            about = first.about
            sweeps = self._sweeps(first)
            choice, point = self._choose(about, sweeps)
            others = list(self._others(about, way)) if self._aim.ways else []
            compared = [
                self._try(other, first, point.limit, choice.workers, about) for other in others
            ]
            tried += compared
        better = [one for one in compared if one.good and (one.gain or 0) >= 1 + LEAST_GAIN]
        if better:
            way = max(better, key=lambda one: one.gain or 0).way
            self._say(f"measuring {way.name}")
            with self._probe(way, choice.workers) as probe:
                about = probe.about
                deadline = max(self._aim.deadline, time.monotonic() + SWEEP_SECONDS)
                sweeps = {choice.workers: self._sweep(probe, choice.workers, deadline)}
                choice, point = self._choose(about, sweeps)
        return Measured(
            about,
            way,
            tuple(tried),
            sweeps,
            self._services(about, sweeps),
            self._room(about, sweeps),
            choice,
            point,
        )

    def _probe(self, way: Way | None, workers: int | None = None) -> Any:
        variables = dict(self._aim.variables)
        variables |= way.variables if way else {}
        variables |= {"WORKERS": str(workers)} if workers else {}
        return probing(self._space, self._inputs, variables, self._aim.python)

    def _first(self, stack: ExitStack) -> tuple[Way, Probe, list[Tried]]:
        """The way that is measured first: the row's dtype where it is as good as float32."""
        self._say("loading the model")
        exact, usual = Way(PYTORCH, EXACT), Way(PYTORCH, self._aim.row["dtype"])
        tried = []
        try:
            probe = stack.enter_context(self._probe(exact))
        except Full:
            if usual == exact:
                raise
            tried = [Tried(exact, False, "memory ran out")]
            probe = stack.enter_context(self._probe(usual))
        about = probe.about
        if about["zero_gpu"]:
            raise UserError("on ZeroGPU each request is a batch of its own: nothing to tune")
        if tried:
            return usual, probe, [*tried, Tried(usual, True, "as before")]
        if not about["streams"]:
            self._expected = self._answers(probe)
        if not self._comparable:
            if usual != exact:
                stack.close()
                probe = stack.enter_context(self._probe(usual))
            return usual, probe, [Tried(usual, True, "as before")]
        if about["device"] == "cpu":
            return exact, probe, [Tried(exact, True, "what others are compared with", 1.0)]
        tried = [Tried(exact, True, "what others are compared with")]
        stack.close()  # two models may be too many for one card
        for dtype in half_types(about, self._aim.row["dtype"]):
            way = Way(PYTORCH, dtype)
            probe = stack.enter_context(self._probe(way))
            found = fidelity(self._expected, probe.answers(len(self._expected)))
            tried.append(Tried(way, found.good, found.said))
            if found.good:
                return way, probe, tried
            stack.close()
        return exact, stack.enter_context(self._probe(exact)), tried

    @property
    def _comparable(self) -> bool:
        """Whether there are answers that others can be compared with.

        Those of a stream differ in words with the last bit, and files cannot be told apart.
        """
        return bool(self._expected) and all(map(comparable, self._expected))

    def _answers(self, probe: Probe) -> list[Any]:
        began = time.monotonic()
        probe.answers(1)
        each = max(time.monotonic() - began, 1e-4)
        fitting = int(COMPARED_SECONDS / each)
        count = max(LEAST_COMPARED, min(COMPARED, fitting, probe.about["requests"]))
        return probe.answers(count)

    def _workers(self, about: Mapping[str, Any]) -> list[int]:
        """Numbers of batches at the same time that are tried."""
        if about["streams"] or not self._model_type.parallel:
            return [1]
        if about["device"] != "cpu":
            return [1, 2]
        return sorted({*doublings(about["cpus"]), about["cpus"]})

    def _sweeps(self, probe: Probe) -> dict[int, Sweep]:
        found: dict[int, Sweep] = {}
        for workers in self._workers(probe.about):
            try:
                found[workers] = self._sweep(probe, workers, self._aim.deadline)
            except Full:  # so many at once do not even fit with a request each
                if not found:
                    raise
                break
        return found

    def _sweep(self, probe: Probe, workers: int, deadline: float) -> Sweep:
        about = probe.about
        free = Memory(about["fixed_gb"], 0, about["memory_gb"]).free
        streams = about["streams"]
        first, largest = 1, LARGEST_BATCH
        if about["by_cost"]:
            first, largest = power_of_two(about["typical_cost"]), LARGEST_COST
        elif streams:  # its memory for conversations is set aside at the start
            largest = int(self._aim.variables["MAX_BATCH_SIZE"])
        seconds = STREAM_SECONDS if streams else POINT_SECONDS

        def measure(limit: int) -> Point:
            self._say(f"batches up to {limit}, {workers} at once")
            return probe.measure(limit, workers, seconds)

        return sweep(
            measure,
            workers,
            first=first,
            largest=largest,
            target=self._aim.target,
            memory_gb=free,
            deadline=deadline,
        )

    def _services(
        self, about: Mapping[str, Any], sweeps: Mapping[int, Sweep]
    ) -> dict[int, ServiceTime]:
        shared = about["device"] == "cpu"
        own = self._aim.front_end + about["prepare_seconds"] / (about["cpus"] if shared else 1)
        return {workers: service_time(found, own, shared) for workers, found in sweeps.items()}

    def _room(self, about: Mapping[str, Any], sweeps: Mapping[int, Sweep]) -> Memory:
        return memory(sweeps, about["fixed_gb"], about["memory_gb"])

    def _choose(
        self, about: Mapping[str, Any], sweeps: Mapping[int, Sweep]
    ) -> tuple[Choice, Point]:
        services = self._services(about, sweeps)
        measured = {workers: service.largest for workers, service in services.items()}
        room = self._room(about, sweeps)
        target = self._aim.target
        try:
            choice = choose(services, room, target, measured, precision=ENOUGH)
        except ValueError as error:
            raise Full from error
        return choice, limit_for(sweeps[choice.workers], choice.max_batch_size)

    def _others(self, about: Mapping[str, Any], first: Way) -> Iterator[Way]:
        """The other ways that there are for such a model on a CPU."""
        if about["device"] != "cpu" or not self._comparable:
            return
        for engine, known in engines().items():
            if engine == PYTORCH or about["has_engines"]:
                for dtype in known["dtypes"]:
                    if Way(engine, dtype) != first:
                        yield Way(engine, dtype)

    def _try(
        self, way: Way, first: Probe, limit: int, workers: int, about: Mapping[str, Any]
    ) -> Tried:
        """Compare a way with the first one: answers, then throughput."""
        if way.dtype != EXACT and not about["bfloat16"]:
            return Tried(way, False, f"this CPU does not compute {way.dtype} itself")
        if way.engine not in (PYTORCH, *about["installed"]):
            needed = " ".join(f"'{one}'" for one in engines()[way.engine]["requirements"])
            return Tried(way, False, f"not installed: pip install {needed}")
        if time.monotonic() > self._aim.deadline:
            return Tried(way, False, "no time left")
        self._say(f"trying {way.name}")
        try:
            with self._probe(way, workers) as probe:
                problem = probe.about["engine_problem"]
                if problem:
                    return Tried(way, False, f"cannot compute it: {problem}")
                found = fidelity(self._expected, probe.answers(len(self._expected)))
                if not found.good:
                    return Tried(way, False, f"too far from float32: {found.said}")
                gain = self._gain(probe, first, limit, workers)
        except Full:
            return Tried(way, False, "memory ran out")
        except UserError as error:
            return Tried(way, False, str(error))
        return Tried(way, True, found.said, gain)

    def _gain(self, probe: Probe, first: Probe, limit: int, workers: int) -> float:
        """Its throughput over that of the first way, measured in turn."""
        ratios = [
            probe.measure(limit, workers, POINT_SECONDS).rate(workers)
            / first.measure(limit, workers, POINT_SECONDS).rate(workers)
            for _ in range(ROUNDS)
        ]
        return statistics.median(ratios)


def half_types(about: Mapping[str, Any], first: str) -> Iterable[str]:
    """The dtypes of a GPU that are faster than float32."""
    ones = ["float16", *(["bfloat16"] if about["bfloat16"] else [])]
    return sorted(ones, key=lambda one: one != first)


def power_of_two(cost: float) -> int:
    """The smallest one that is no less."""
    return 1 << max(0, int(cost - 1).bit_length())


@cache
def engines() -> dict[str, dict[str, Any]]:
    """The table of what can compute a network on a CPU."""
    path = Path(__file__).parent.parent / "tables" / "engines.yml"
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found
