"""`spaces-gen tune`: measures a Space on this machine and gives it the values that fit."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from spaces_gen.answers import ANSWERS
from spaces_gen.bench import Demand, Target, measure, parse_value, source
from spaces_gen.capacity.choice import MODERATE_LOAD
from spaces_gen.errors import UserError
from spaces_gen.load.endpoint import find_endpoint
from spaces_gen.load.figures import Figures, counters
from spaces_gen.load.served import Served, served
from spaces_gen.tables import ModelType, load_model_types
from spaces_gen.tuning import recorder
from spaces_gen.tuning.found import Compared, Settings, Tuned
from spaces_gen.tuning.measure import Aim, Measured, measure_model
from spaces_gen.tuning.process import variables_of
from spaces_gen.tuning.values import MEASURED, row_values
from spaces_gen.upgrading.change import Wish, content, make_change
from spaces_gen.upgrading.files import Folder
from spaces_gen.upgrading.recorded import parse
from spaces_gen.upgrading.swap import recover, swap

RECORDED = 256  # requests
MOST_USERS, FEWEST_USERS = 32, 4
ALL_ANSWERED_SECONDS = 20.0  # by a Space that answers one at a time: bounds the visitors
RUN_SECONDS, LONGEST_RUN_SECONDS = 4.0, 60.0
PATIENCE_SECONDS = 600.0  # of visitors
ROUNDS, LEAST_ROUNDS = 3, 2  # of the comparison with what was before
CLEAR_GAIN = 1.1  # in each round, that needs no more of them
ROOM = 4  # times its memory that must be free to keep a Space running beside the probes


def tune(space: Path, settings: Settings, say: Callable[[str], None]) -> Tuned:
    """Measure a Space, and compare what was found with what it has; writes nothing.

    Raises:
        UserError: it does not start, its model fails, or nobody knows what to ask.
    """
    answers = parse(content(Folder(space), ANSWERS), str(space)).answers
    types = load_model_types()
    if answers["model_type"] not in types:
        raise UserError(f"model_type: {answers['model_type']!r} is not known")
    model_type = types[answers["model_type"]]
    target = settings.p95 or model_type.estimate.p95_s
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as folder:
        return Tuning(space, Path(folder), model_type, answers, target, settings, say).run()


class Tuning:
    """One run of `tune`."""

    def __init__(
        self,
        space: Path,
        folder: Path,
        model_type: ModelType,
        answers: Mapping[str, Any],
        target: float,
        settings: Settings,
        say: Callable[[str], None],
    ) -> None:
        self._space, self._settings, self._say = space.resolve(), settings, say
        self._model_type, self._answers, self._target = model_type, answers, target
        self._inputs, self._files = folder / "inputs", folder / "files"
        self._model_id = str(answers.get("model_id") or model_type.model_id)
        self._users = self._seconds = 0.0

    def run(self) -> Tuned:
        """Measure."""
        with ExitStack() as stack:
            self._say("starting the Space as it is")
            script = (recorder.__file__, str(self._inputs), str(RECORDED))
            before = stack.enter_context(self._served({}, script))
            told = Path(f"{self._inputs}.json")
            if not told.exists():
                raise UserError("app.py starts without server.launch(), by which tune learns of it")
            where = json.loads(told.read_text(encoding="utf-8"))
            if where["zero_gpu"]:
                raise UserError("on ZeroGPU each request is a batch of its own: nothing to tune")
            if where["model_id"] != self._model_id:
                raise UserError(
                    f"the variable MODEL_ID makes the Space run {where['model_id']} in place of "
                    f"{self._model_id}; unset it, or make that the Space's own model first: "
                    f"spaces-gen upgrade --data model_id={where['model_id']}"
                )
            self._values = source(before, Demand(given=self._settings.given))
            front_end = self._first_load(before, shared=where["device"] == "cpu")
            if not self._inputs.exists():
                raise UserError("what the page is asked does not go through server.answer()")
            if not self._may_stay(before, where["device"]):
                stack.close()
            measured = self._measure(where, front_end)
            values = self._row_values(where["row"], measured)
            changed = any(where["row"].get(name) != value for name, value in values.items())
            compared = None
            if changed:
                if not self._may_stay(before, where["device"]):
                    before = stack.enter_context(self._served({}))
                self._say("starting the Space with the new values")
                after = stack.enter_context(self._served(variables_of(values, list(values))))
                compared = self._compare(before, after)
        return Tuned(
            self._model_id,
            where["row"],
            where["reason"],
            self._target,
            front_end,
            measured,
            values,
            compared,
            self._source(measured, compared),
        )

    def _served(self, variables: Mapping[str, str], script: tuple[str, ...] = ("app.py",)) -> Any:
        """A running Space as a target of load; a context manager."""
        folder = {"METRICS": "1", "GRADIO_TEMP_DIR": str(self._files)}
        running = served(self._space, {**folder, **variables}, self._settings.python, script)
        return _Opened(running, str(self._space), self._target)

    def _may_stay(self, before: Target, device: str) -> bool:
        """Whether there is room for the Space beside the probes."""
        if before.served is None or device != "cpu":
            return False
        needed = ROOM * before.served.memory_mb() * 2**20
        return bool(psutil.virtual_memory().available > needed)

    def _first_load(self, before: Target, shared: bool) -> float:
        """Put load on the Space as it is: seconds of the page's own work for a request.

        On a GPU that is time of the page's one CPU; on CPUs the model needs the same ones, so that
        it counts divided by their number.
        """
        self._say("asking it, to record what its model gets")
        alone = self._load(before, 1, 1.0, rate=None, warm_up=0.0)
        latency = alone.p50
        if latency is None:
            raise UserError(f"the Space does not answer: {failures(alone)}")
        fitting = int(ALL_ANSWERED_SECONDS / latency)
        self._users = max(FEWEST_USERS, min(MOST_USERS, fitting))
        usual = min(RUN_SECONDS, self._settings.seconds)
        needed = max(usual, 4 * latency, self._users * latency / 2)
        self._seconds = min(LONGEST_RUN_SECONDS, needed)
        assert before.served is not None
        counted, cpu = answered(before), page_seconds(before.served)
        self._load(before, self._users, self._seconds, rate=None)
        used, done = page_seconds(before.served) - cpu, answered(before) - counted
        return used / max(1.0, done) / ((psutil.cpu_count() or 1) if shared else 1)

    def _load(
        self,
        target: Target,
        users: float,
        seconds: float,
        rate: float | None,
        warm_up: float = 1.0,
    ) -> Figures:
        """A closed loop of visitors, or arrivals at a rate where there is one."""
        demand = Demand(
            seconds=seconds, warm_up=min(warm_up, seconds / 2), patience=PATIENCE_SECONDS
        )  # fmt: skip
        route = "direct" if target.endpoint.direct else "queue"
        closed, offered = rate is None, users if rate is None else rate
        return measure(target, route, closed, offered, demand, self._values)

    def _measure(self, where: Mapping[str, Any], front_end: float) -> Measured:
        row = where["row"]
        streams = {"MAX_BATCH_SIZE": str(2 * row["max_batch_size"])} if where["streams"] else {}
        aim = Aim(
            row,
            self._target,
            front_end,
            time.monotonic() + self._settings.seconds,
            self._settings.ways,
            self._settings.python,
            streams,
        )
        return measure_model(self._space, self._inputs, self._model_type, aim, self._say)

    def _row_values(self, row: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
        """The columns of tuning.py that this Space has, with their new values."""
        choice = measured.choice
        found = row_values(
            self._model_type,
            row,
            choice,
            measured.point,
            measured.services[choice.workers],
            bool(measured.about["by_cost"]),
        )
        found |= {"engine": measured.way.engine, "dtype": measured.way.dtype}
        return {name: found[name] for name in MEASURED if name in row}

    def _compare(self, before: Target, after: Target) -> Compared:
        """The same load on both, in turn."""
        rates: dict[str, list[float]] = {"before": [], "after": []}
        for number in range(ROUNDS):
            self._say(f"comparing with the values of before, round {number + 1} of {ROUNDS}")
            for name, target in (("before", before), ("after", after)):
                found = self._load(target, self._users, self._seconds, rate=None)
                rates[name].append(found.throughput)
            if clearly_better(rates["before"], rates["after"]):
                break
        if not min(rates["before"]) > 0:
            raise UserError("nobody was answered in time; make --seconds larger")
        least = min(map(statistics.median, rates.values()))
        rate = MODERATE_LOAD * least
        self._say(f"comparing with the values of before, {rate:.3g} arrivals/s")
        late = [self._load(one, 0, self._seconds, rate) for one in (before, after)]
        p95 = [one.p95 if one.clean else None for one in late]
        return Compared(
            int(self._users), tuple(rates["before"]), tuple(rates["after"]), rate, p95[0], p95[1]
        )

    def _source(self, measured: Measured, compared: Compared | None) -> str:
        about = measured.about
        versions = about["versions"]
        names = ["torch", *([measured.way.engine] if measured.way.engine != "pytorch" else [])]
        libraries = ", ".join(f"{name} {versions.get(name, '?')}" for name in names)
        found = ""
        if compared is not None:
            found = (
                f": {statistics.median(compared.after):.3g} req/s with {compared.users} visitors"
            )
        return f"measured {date.today()} on {about['machine']}, {libraries}{found}"


class _Opened:
    """A served Space as a target of load."""

    def __init__(self, running: Any, name: str, p95: float) -> None:
        self._running, self._name, self._p95 = running, name, p95

    def __enter__(self) -> Target:
        running = self._running.__enter__()
        try:
            endpoint = find_endpoint(running.url)
        except BaseException:
            self._running.__exit__(*sys.exc_info())
            raise
        return Target(self._name, running.url, endpoint, running, None, self._p95)

    def __exit__(self, *error: Any) -> Any:
        return self._running.__exit__(*error)


def clearly_better(before: list[float], after: list[float]) -> bool:
    """Whether the rounds so far leave no doubt."""
    faster = [new > CLEAR_GAIN * old for old, new in zip(before, after, strict=True)]
    return len(faster) >= LEAST_ROUNDS and all(faster)


def page_seconds(running: Served) -> float:
    """CPU time that the page's process has used."""
    times = psutil.Process(running.pid).cpu_times()
    return float(times.user + times.system)


def answered(target: Target) -> float:
    """Requests that a Space has answered so far."""
    return counters(target.url).get("space_latency_seconds_count", 0.0)


def failures(row: Figures) -> str:
    """Why nobody was answered."""
    kinds = [kind for kind, count in row.failures.items() if count]
    return ", ".join(kinds) or ("all were refused" if row.refused else "no answer in time")


def write(space: Path, tuned: Tuned, say: Callable[[str], None]) -> list[str]:
    """Write the values into a Space; returns the files that changed.

    Raises:
        UserError: lines that the owner edited are in the way; nothing is changed then.
    """
    if recover(space.resolve()):
        say(f"an interrupted change of {space} was undone first")
    recorded = parse(content(Folder(space), ANSWERS), str(space)).answers
    known = mapping(recorded.get("measured"))
    of_model = {**mapping(known.get(tuned.model_id)), tuned.flavor: tuned.answer}
    wish = Wish({"measured": {**known, tuned.model_id: of_model}})
    change = make_change(str(space), Folder(space), wish, say)
    if change.merge.clashes:
        paths = ", ".join(one.path for one in change.merge.clashes)
        raise UserError(
            f"your own lines in {paths} are where the values would go; nothing was changed. Take "
            "them back, or set the values by hand"
        )
    swap(space.resolve(), dict(change.merge.written), change.merge.deleted, change.merge.seen)
    return sorted(change.merge.written)


def mapping(value: Any) -> Mapping[str, Any]:
    """An answer that is a mapping; the template says what is wrong with any other."""
    return value if isinstance(value, Mapping) else {}


def report(
    space: Path,
    settings: Settings,
    *,
    dry_run: bool,
    plot_file: Path | None,
    as_json: bool,
) -> int:
    """Tune, show what was found, and write it; returns the exit code.

    Raises:
        UserError: it cannot be tuned; the Space is as it was then.
    """
    from spaces_gen.terminal import for_figures, make_console
    from spaces_gen.tuning.show import as_data, plot, print_tuned

    if not space.is_dir():
        raise UserError(f"there is no folder {space}")
    progress = make_console(sys.stderr, soft_wrap=False)
    with progress.status("…") as status:
        tuned = tune(space, settings, status.update)
    if plot_file is not None:
        plot(tuned, plot_file)
    changed: list[str] = []
    if tuned.better and not dry_run:
        changed = write(space, tuned, lambda sentence: progress.print(sentence, markup=False))
    if as_json:
        print(json.dumps({**as_data(tuned), "written": changed}, indent=2))
        return 0
    print_tuned(for_figures(), tuned, changed, dry_run)
    return 0


def parse_data(pairs: list[str]) -> Iterator[tuple[str, Any]]:
    """Fixed values of arguments, from ARGUMENT=VALUE."""
    return (parse_value(pair) for pair in pairs)
