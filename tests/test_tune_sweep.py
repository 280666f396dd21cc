"""What `tune` measures next and what it makes of it, on services whose optimum is known."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from upgrading import fresh, put

from spaces_gen.capacity.choice import FLATNESS
from spaces_gen.capacity.queue import Precision, highest_rate
from spaces_gen.capacity.service import ServiceTime, doublings
from spaces_gen.errors import UserError
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.tuning import measure
from spaces_gen.tuning import sweep as module
from spaces_gen.tuning.fidelity import (
    LEAST_COSINE,
    MOST_DIFFERENCE,
    MOST_LOGIT_DIFFERENCE,
    MOST_WITHIN,
    comparable,
    fidelity,
)
from spaces_gen.tuning.measure import Aim, Measured, engines, measure_model, power_of_two
from spaces_gen.tuning.probe_answers import OPAQUE, PICTURE
from spaces_gen.tuning.process import Full, Point
from spaces_gen.tuning.sweep import sweep
from spaces_gen.tuning.values import MEASURED, MOST_CALL_COST, call_cost, row_values

ROOT = Path(__file__).parent.parent
QUICK = Precision(arrivals=800, steps=7)
TYPES = load_model_types()
IMAGES, TEXTS = TYPES["image-classification"], TYPES["text-classification"]
ROW = {"max_batch_cost": 4096, "call_cost": 40}


@dataclass
class Service:
    """A model whose every figure is known; stands in for the process that measures one.

    Attributes:
        seconds: of a batch alone.
        slowed: by the number of workers, how much slower a batch is then.
        item_gb: memory of a request.
        wall_gb: beyond which memory runs out.
        each: what a request costs, where cost bounds a batch.
        disturb: makes a time into the one that is measured.
        answer: to everything.
        told: what it says of itself beside the usual.
        fits: whether there is memory for the model.
    """

    seconds: Callable[[float], float]
    slowed: Mapping[int, float] = field(default_factory=lambda: {1: 1.0})
    item_gb: float = 0.0
    wall_gb: float = math.inf
    each: int = 1
    disturb: Callable[[float], float] = lambda seconds: seconds
    answer: Any = "an answer"
    told: Mapping[str, Any] = field(default_factory=dict)
    fits: bool = True
    asked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def about(self) -> dict[str, Any]:
        """What the probe says."""
        return {
            "device": "cpu",
            "cpus": len(self.slowed),
            "zero_gpu": False,
            "bfloat16": False,
            "memory_gb": 100.0,
            "fixed_gb": 1.0,
            "streams": False,
            "by_cost": self.each > 1,
            "typical_cost": self.each,
            "has_engines": True,
            "engine_problem": "",
            "installed": [],
            "prepare_seconds": 0.0,
            "requests": 20,
            **self.told,
        }

    def answers(self, count: int) -> list[Any]:
        """As the probe does."""
        return [self.answer] * count

    def measure(self, limit: int, workers: int, seconds: float = 1.0) -> Point:
        """As the probe does."""
        self.asked.append((workers, limit))
        items = max(1.0, limit / self.each)
        memory_gb = workers * items * self.item_gb
        if memory_gb > self.wall_gb:
            raise Full
        took = self.disturb(self.slowed[workers] * self.seconds(items))
        passes = tuple((round(size * self.each), self.seconds(size)) for size in (items / 2, items))
        return Point(limit, items, took, memory_gb, passes)

    def known(self, workers: int, largest: int = 256) -> ServiceTime:
        """The exact times."""
        return ServiceTime(
            {size: self.slowed[workers] * self.seconds(size) for size in doublings(largest)}
        )


def tuned(
    service: Service, target: float, ways: Mapping[str, Service] | None = None, **row: Any
) -> Measured:
    """What `tune` makes of a service.

    Args:
        ways: other services, by what computes them.
        row: values of tuning.py.
    """

    @contextmanager
    def probing(space: Path, inputs: Path, variables: Mapping[str, str], _: str) -> Iterator[Any]:
        name = f"{variables['ENGINE']} {variables['DTYPE']}"
        one = service if name == "pytorch float32" else (ways or {})[name]
        if not one.fits:
            raise Full
        yield one

    kind = TEXTS if service.each > 1 else IMAGES
    wanted = Aim({"dtype": "float32", **row}, target, 0.0, math.inf, ways is not None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "probing", probing)
        patch.setattr(measure, "ENOUGH", QUICK)
        return measure_model(Path(), Path(), kind, wanted, lambda _: None)


def row_of(found: Measured, by_cost: bool = False) -> dict[str, Any]:
    """The values of tuning.py."""
    service = found.services[found.choice.workers]
    kind = TEXTS if by_cost else IMAGES
    return row_values(kind, ROW, found.choice, found.point, service, by_cost)


def best_rate(service: Service, target: float, workers: int = 1) -> float:
    """The rate of the best size, looking at all of them."""
    known = service.known(workers)
    return max(highest_rate(known, target, size, workers, QUICK) for size in doublings(256))


def line(fixed: float, per_item: float) -> Callable[[float], float]:
    return lambda size: fixed + per_item * size


# -- which batches are measured --------------------------------------------------------------------


def test_a_flat_optimum_ends_the_sweep_and_gives_the_smallest_batch_of_it() -> None:
    """Nothing is gained beyond 16."""
    service = Service(lambda size: 1.0 if size <= 16 else size / 16)
    found = tuned(service, 60)
    assert found.sweeps[1].reason == "no gain"
    assert [point.limit for point in found.sweeps[1].points] == [1, 2, 4, 8, 16, 32, 64]
    assert found.choice.max_batch_size == 16
    assert found.point.limit == 16
    flatter = tuned(Service(lambda size: 0.001 + size), 600)
    assert flatter.choice.max_batch_size == 1, "batching gains next to nothing"


def test_a_batch_that_takes_longer_than_the_target_is_the_last() -> None:
    service = Service(line(0.05, 0.1))
    found = tuned(service, 0.5)
    assert found.sweeps[1].reason == "too slow"
    assert found.sweeps[1].points[-1].seconds > 0.5 > found.sweeps[1].points[-2].seconds
    assert found.choice.p95 <= 0.5
    assert service.seconds(found.choice.max_batch_size) <= 0.5
    hopeless = tuned(service, 0.01)
    assert hopeless.sweeps[1].points[0].limit == 1
    assert (hopeless.choice.max_batch_size, hopeless.choice.rate) == (1, 0)


def test_where_memory_runs_out_is_a_wall() -> None:
    """Nothing said so before; at 16 it is full."""
    service = Service(line(1, 0.001), item_gb=1, wall_gb=10)
    found = tuned(service, 60)
    assert found.sweeps[1].reason == "memory"
    assert [point.limit for point in found.sweeps[1].points] == [1, 2, 4, 8]
    assert found.choice.max_batch_size == 8
    assert (1, 32) not in service.asked, "beyond a wall nothing is tried"


def test_no_limit_is_measured_that_would_not_fit_the_hardware_of_the_row() -> None:
    """This machine has more memory than that hardware: nothing runs full here."""
    service = Service(line(1, 0.001), item_gb=1)
    service.told = {"memory_gb": 20, "fixed_gb": 4}
    found = tuned(service, 60)
    assert found.sweeps[1].reason == "memory"
    assert found.choice.max_batch_size == 8
    assert max(limit for _, limit in service.asked) == 8


def test_what_takes_more_than_was_expected_is_not_taken() -> None:
    """The first two tell little: what is needed may grow faster than a line."""
    free = 5.0

    def measure(limit: int) -> Point:
        return Point(limit, limit, 1, 0.1 if limit < 4 else 2.0 * limit)

    found = sweep(measure, 1, largest=256, target=60, memory_gb=free)
    assert (found.points[-1].limit, found.reason) == (2, "memory")
    with pytest.raises(Full):
        sweep(lambda limit: Point(limit, 1, 1, 9.0), 1, largest=256, target=60, memory_gb=free)
    with pytest.raises(UserError, match="not even one request fits"):
        tuned(Service(line(1, 1), item_gb=3, wall_gb=2), 60)


def test_several_at_once_share_the_memory() -> None:
    """8 requests fit, all batches together."""
    service = Service(line(1, 0.001), {1: 1.0, 2: 1.0}, item_gb=1, wall_gb=10)
    found = tuned(service, 60)
    assert [sweep.points[-1].limit for sweep in found.sweeps.values()] == [8, 4]
    assert found.choice.workers * found.choice.max_batch_size == 8


def test_where_two_at_once_do_not_fit_there_is_one() -> None:
    found = tuned(Service(line(1, 0.001), {1: 1.0, 2: 1.0}, item_gb=3, wall_gb=5), 60)
    assert list(found.sweeps) == [1]
    assert (found.choice.workers, found.choice.max_batch_size) == (1, 1)


def test_the_wall_of_two_at_once_is_theirs_though_one_alone_has_another() -> None:
    """It runs full without a sign before."""

    class Unforeseen(Service):
        def measure(self, limit: int, workers: int, seconds: float = 1.0) -> Point:
            if limit > (32 if workers == 1 else 4):
                raise Full
            return super().measure(limit, workers)

    found = tuned(Unforeseen(line(1, 0.001), {1: 1.0, 2: 0.1}), 60)
    assert [one.points[-1].limit for one in found.sweeps.values()] == [32, 4]
    assert (found.choice.workers, found.choice.max_batch_size) == (2, 4)


@pytest.mark.parametrize(("slowed", "workers"), [(1.0, 2), (1.7, 2), (1.9, 1), (2.2, 1)])
def test_another_worker_is_there_only_for_more_than_a_tenth(slowed: float, workers: int) -> None:
    """Two batches at once, each slower: 2 / 1.7 is 18 % more, 2 / 1.9 is 5 %."""
    found = tuned(Service(line(0.1, 0.05), {1: 1.0, 2: slowed}), 10)
    assert found.choice.workers == workers
    assert row_of(found)["workers"] == workers


def test_when_time_is_up_what_was_measured_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)

    def measure(limit: int) -> Point:
        nonlocal now
        now += 1
        return Point(limit, limit, 1, 0)

    found = sweep(measure, 1, largest=256, target=60, deadline=2.5)
    assert ([point.limit for point in found.points], found.reason) == ([1, 2, 4], "time")
    late = sweep(measure, 1, largest=256, target=60, deadline=-1.0)
    assert [point.limit for point in late.points] == [1], "something is always known"


def test_a_dip_ends_nothing_and_a_slow_moment_is_measured_again() -> None:
    """8 is slower than 4 on some machines, and 16 is not."""
    dips = {1: 1.0, 2: 1.0, 4: 1.0, 8: 2.1, 16: 2.2, 32: 2.3}
    service = Service(lambda size: dips.get(round(size), size / 14) / 4)
    found = tuned(service, 60)
    assert found.choice.max_batch_size == 32
    assert service.asked.count((1, 8)) == 2
    assert service.asked.count((1, 4)) == 1


# -- disturbances ----------------------------------------------------------------------------------


def noisy(seed: int, width: float, outliers: float) -> Callable[[float], float]:
    """Times that vary by so much, and are now and then three times as long."""
    chance = random.Random(seed)

    def disturb(seconds: float) -> float:
        rare = 3.0 if chance.random() < outliers else 1.0
        return seconds * rare * (1 + chance.uniform(-width, width))

    return disturb


@pytest.mark.parametrize(
    ("width", "outliers"), [(0.1, 0.0), (0.02, 0.05)], ids=["noise", "outliers"]
)
@pytest.mark.parametrize("fixed", [0.02, 0.4], ids=["flat", "steep"])
def test_disturbed_measurements_cost_little(width: float, outliers: float, fixed: float) -> None:
    """What the choice reaches by the exact times, beside the best there is."""
    exact, target = line(fixed, 0.02), 5.0
    best = best_rate(Service(exact), target)
    reached = []
    for seed in range(30):
        found = tuned(Service(exact, disturb=noisy(seed, width, outliers)), target)
        batch = found.choice.max_batch_size
        reached.append(highest_rate(Service(exact).known(1), target, batch, 1, QUICK) / best)
    assert sum(one >= 0.9 for one in reached) >= 28, sorted(reached)
    assert sum(reached) / len(reached) >= 1 - FLATNESS


def test_only_short_batches_are_measured_again() -> None:
    """A disturbance hardly counts in a long one, and each costs its time."""
    service = Service(line(0.0, 0.1), slowed={1: 1.0})  # no batch is any better
    sweep(lambda limit: service.measure(limit, 1), 1, largest=256, target=100.0)
    assert service.asked == [(1, 1), (1, 2), (1, 2), (1, 4), (1, 4)]
    service = Service(line(0.0, 2.0))
    sweep(lambda limit: service.measure(limit, 1), 1, largest=256, target=100.0)
    assert service.asked == [(1, 1), (1, 2), (1, 4)]


# -- what computes it ------------------------------------------------------------------------------

BASE = line(0.1, 0.05)
NEAR, FAR = {"a": 0.61, "b": 0.39}, {"a": 0.4, "b": 0.6}
ALL = {"installed": ["onnxruntime", "openvino"], "bfloat16": True}


def faster(gain: float, **more: Any) -> Service:
    """So many times as fast as BASE."""
    return Service(lambda size: BASE(size) / gain, **{"answer": NEAR, **more})


def of_ways(told: Mapping[str, Any] = ALL, **other: Service) -> Measured:
    """What comes of BASE beside others that are no better, but for those that are given."""
    names = ("pytorch bfloat16", "onnxruntime float32", "openvino float32", "openvino bfloat16")
    ways = {name: other.get(name.replace(" ", "_"), faster(1.0)) for name in names}
    return tuned(Service(BASE, answer={"a": 0.6, "b": 0.4}, told=told), 10, ways)


def test_the_fastest_that_gives_the_same_answers_is_taken_and_measured_anew() -> None:
    best = faster(1.6)
    found = of_ways(onnxruntime_float32=faster(1.3), openvino_float32=best)
    assert found.way.name == "openvino float32"
    assert {one.way.name: one.gain for one in found.tried if one.good} == {
        "pytorch float32": 1.0,
        "pytorch bfloat16": pytest.approx(1.0),
        "onnxruntime float32": pytest.approx(1.3),
        "openvino float32": pytest.approx(1.6),
    } | {"openvino bfloat16": pytest.approx(1.0)}
    assert found.point in found.sweeps[1].points
    assert found.point.seconds == pytest.approx(best.seconds(found.point.items))
    assert len(best.asked) > measure.ROUNDS + 1, "not only compared"


def test_a_little_more_speed_is_not_worth_another_library() -> None:
    assert of_ways(onnxruntime_float32=faster(1.05)).way.name == "pytorch float32"


def problem(found: Measured, name: str) -> str:
    """Why something that could compute the model is refused."""
    (one,) = [one for one in found.tried if one.way.name == name]
    assert not one.good
    assert one.gain is None
    assert found.way.name != name
    return one.said


def test_what_gives_other_answers_is_refused_however_fast() -> None:
    found = of_ways(openvino_float32=faster(9, answer=FAR))
    assert "0.0% same top label" in problem(found, "openvino float32")


@pytest.mark.parametrize("raised", [Full, UserError("the model failed: it broke")])
def test_what_fails_is_refused(raised: Any) -> None:
    class Failing(Service):
        def measure(self, limit: int, workers: int, seconds: float = 1.0) -> Point:
            raise raised

    said = problem(of_ways(openvino_float32=Failing(BASE, answer=NEAR)), "openvino float32")
    assert said == ("memory ran out" if raised is Full else "the model failed: it broke")


def test_what_cannot_be_here_is_not_even_started() -> None:
    found = of_ways({}, openvino_float32=faster(9), pytorch_bfloat16=faster(9))
    assert "this CPU does not compute bfloat16 itself" in problem(found, "pytorch bfloat16")
    assert "pip install 'openvino" in problem(found, "openvino float32")
    failing = faster(9, told={"engine_problem": "ValueError: no such operator"})
    said = problem(of_ways(onnxruntime_float32=failing), "onnxruntime float32")
    assert said == "cannot compute it: ValueError: no such operator"


def test_a_model_without_engines_is_computed_by_pytorch() -> None:
    found = of_ways({**ALL, "has_engines": False}, openvino_float32=faster(9))
    assert [one.way.name for one in found.tried] == ["pytorch float32", "pytorch bfloat16"]


@pytest.mark.parametrize(
    ("row", "answers", "chosen"),
    [
        ("float16", {"float16": NEAR, "bfloat16": NEAR}, "float16"),
        ("bfloat16", {"float16": NEAR, "bfloat16": NEAR}, "bfloat16"),
        ("bfloat16", {"float16": NEAR, "bfloat16": FAR}, "float16"),
        ("float16", {"float16": {"a": math.nan, "b": math.nan}, "bfloat16": NEAR}, "bfloat16"),
        ("float16", {"float16": FAR, "bfloat16": FAR}, "float32"),
    ],
)
def test_on_a_gpu_half_precision_is_taken_where_its_answers_are_the_same(
    row: str, answers: dict[str, Any], chosen: str
) -> None:
    told = {"device": "cuda", "bfloat16": True}
    slowed = {1: 1.0, 2: 1.95}
    exact = Service(BASE, slowed, answer={"a": 0.6, "b": 0.4}, told=told)
    ways = {
        f"pytorch {dtype}": Service(BASE, slowed, answer=answer, told=told)
        for dtype, answer in answers.items()
    }
    assert tuned(exact, 10, ways, dtype=row).way.name == f"pytorch {chosen}"


# -- values ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def accepts() -> Callable[[Any], str]:
    """What the template says against an answer to `measured`; nothing where it is valid."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    card = (ROOT / "generator" / "spaces_gen" / "tables" / "card.yml").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
    )
    validator = environment.from_string(questions["measured"]["validator"])
    known = {"tiers": load_tiers(), "engines": engines(), "card_values": yaml.safe_load(card)}
    return lambda measured: validator.render(measured=measured, **known).strip()


@pytest.fixture(scope="module")
def overridden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """The row of a Space, as variables of some values make it."""
    space = put(fresh(), tmp_path_factory.mktemp("machine") / "space")
    with pytest.MonkeyPatch.context() as patch:
        for name, path in (("tuning", "tuning.py"), ("machine", "serving/machine.py")):
            spec = importlib.util.spec_from_file_location(name, space / path)
            assert spec is not None
            assert spec.loader is not None
            loaded = importlib.util.module_from_spec(spec)
            patch.setitem(sys.modules, name, loaded)
            spec.loader.exec_module(loaded)

        def get(values: Mapping[str, Any]) -> Any:
            with pytest.MonkeyPatch.context() as variables:
                for name, value in values.items():
                    variables.setenv(name.upper(), str(value))
                return loaded.with_overrides(sys.modules["tuning"].TIERS[0])

        yield get


@settings(max_examples=40, deadline=None, phases=set(Phase) - {Phase.shrink})  # which takes long
@given(
    fixed=st.floats(1e-4, 2),
    per_item=st.floats(1e-5, 0.5),
    slowed=st.floats(0.9, 3),
    item_gb=st.floats(0, 2),
    weights=st.floats(0.1, 10),
    wall=st.floats(2, 60),
    each=st.sampled_from([1, 16, 64, 200]),
    target=st.floats(0.05, 60),
    seed=st.integers(0, 1000),
)
def test_no_value_breaks_its_constraint(
    accepts: Callable[[Any], str],
    overridden: Callable[..., Any],
    fixed: float,
    per_item: float,
    slowed: float,
    item_gb: float,
    weights: float,
    wall: float,
    each: int,
    target: float,
    seed: int,
) -> None:
    service = Service(line(fixed, per_item), {1: 1.0, 2: slowed}, item_gb, wall, each)
    service.disturb = noisy(seed, 0.1, 0.05)
    service.told = {"memory_gb": 16, "fixed_gb": weights}
    by_cost = each > 1
    items = max(1, power_of_two(each) / each)  # of the smallest limit
    if items * item_gb > min(wall, 0.85 * 16 - weights):
        with pytest.raises(UserError, match="not even one request fits"):
            tuned(service, target)
        return
    found = tuned(service, target)
    row, choice, point = row_of(found, by_cost), found.choice, found.point
    workers, batch = row["workers"], point.items if by_cost else row["max_batch_size"]
    assert found.room.of_batch(batch, workers) <= 0.85 * 16 + 1e-6
    assert workers * batch * item_gb <= wall + 1e-6
    assert row["max_size"] >= 2 * row["max_batch_size"] * workers
    assert min(workers, row["max_batch_size"], row["max_batch_cost"]) >= 1
    assert row["max_batch_size"] >= choice.max_batch_size
    assert row["time_limit"] % 60 == 0
    assert row["time_limit"] > found.services[workers].of_model(choice.max_batch_size)
    assert row["time_limit"] > point.seconds
    assert row["call_cost"] >= 0
    assert point in found.sweeps[workers].points
    assert point.items >= choice.max_batch_size - 0.5
    assert by_cost or point.limit == row["max_batch_size"]
    row |= {"engine": "openvino", "dtype": "float32"}
    assert row.keys() == set(MEASURED)
    kept = {**row, "source": "measured 2026-01-01 on a CPU (TM) @ 2 GHz: 5 req/s", "figures": {}}
    assert accepts({TEXTS.model_id: {"cpu-basic": kept}}) == ""
    assert overridden(row)._asdict().items() >= row.items()


def test_what_measuring_never_gives_the_template_refuses(accepts: Callable[[Any], str]) -> None:
    """So the acceptance above means something."""
    for wrong in (
        {"workers": "2"},
        {"max_size": -1},
        {"max_size": 1.5},
        {"dtype": "float8"},
        {"engine": "abacus"},
        {"source": "two\nlines"},
        {"flavor": "cpu-basic"},
        {"figures": 3},
    ):
        assert next(iter(wrong)) in accepts({"me/mine": {"cpu-basic": wrong}}), wrong


def test_the_line_takes_more_where_more_is_answered_in_time() -> None:
    quick, slow = Service(line(0.001, 0.001)), Service(line(1, 5))
    assert row_of(tuned(quick, 5))["max_size"] == 1000
    assert row_of(tuned(slow, 60))["max_size"] < 30


# -- what a call costs -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    beside=st.integers(1, 5000),
    each=st.floats(1e-6, 1e-2),
    costs=st.lists(st.integers(1, 5000), min_size=2, max_size=30, unique=True),
)
def test_an_exact_line_gives_its_exact_cost_of_a_call(
    beside: int, each: float, costs: list[int]
) -> None:
    passes = [(cost, each * (beside + cost)) for cost in costs]
    assert call_cost(passes, 7) == pytest.approx(beside, abs=1)
    assert call_cost([*passes, (3, 0.0)], 7) == pytest.approx(beside, abs=1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 2**17), st.floats(0, 1e4, allow_nan=False)), max_size=8),
    st.integers(0, 100),
)
def test_whatever_the_times_the_cost_of_a_call_is_a_number_that_can_be(
    passes: list[tuple[int, float]], otherwise: int
) -> None:
    found = call_cost(passes, otherwise)
    assert isinstance(found, int)
    assert 0 <= found <= MOST_CALL_COST


@pytest.mark.parametrize(
    "passes",
    [
        [],
        [(5, 1.0)],
        [(5, 1.0), (5, 2.0)],
        [(5, 0.0), (9, 0.0)],
        [(10, 2.0), (20, 1.0)],
        [(10, 1.0), (20, 3.0)],
        [(10, 1e-200), (20, 1e-200)],
    ],
    ids=["none", "one", "all alike", "no time", "faster when larger", "below 0", "tiny"],
)
def test_where_no_line_can_be_seen_it_stays(passes: list[tuple[int, float]]) -> None:
    assert call_cost(passes, 42) == 42


def test_where_padding_is_free_a_call_costs_all_there_is() -> None:
    assert call_cost([(1, 1.0), (100_000, math.nextafter(1.0, 2))], 42) == MOST_CALL_COST


# -- whether answers are the same ------------------------------------------------------------------


VECTOR = [1.0] * 16


def turned(cosine: float) -> list[float]:
    """A vector at that angle to VECTOR."""
    across = [1.0 if place % 2 else -1.0 for place in range(16)]
    away = math.sqrt(1 / cosine**2 - 1)
    return [a + away * b for a, b in zip(VECTOR, across)]


@pytest.mark.parametrize(
    ("found", "good"),
    [
        (VECTOR, True),
        ([3.0] * 16, True),
        (turned(LEAST_COSINE + 1e-5), True),
        (turned(LEAST_COSINE - 1e-5), False),
        ([-1.0] * 16, False),
        ([0.0] * 16, False),
        ([*VECTOR[:-1], math.nan], False),
        ([*VECTOR[:-1], math.inf], False),
        (VECTOR[:-1], False),
        (1.0, False),
        (None, False),
        ("text", False),
    ],
)
def test_vectors_are_compared_by_their_angle(found: Any, good: bool) -> None:
    assert fidelity([VECTOR] * 300, [*[VECTOR] * 299, found]).good is good, "one is enough"
    assert fidelity([VECTOR], [found]).good is good


@pytest.mark.parametrize("broken", ["text", None, 1.0, VECTOR[:3], [*VECTOR[:-1], math.nan]])
def test_an_odd_answer_among_vectors_is_no_vector(broken: Any) -> None:
    assert not fidelity([VECTOR, broken], [VECTOR, VECTOR]).good


SCORES = {"a": 0.6, "b": 0.3, "c": 0.0999, "d": 0.0001}


def scaled(**logits: float) -> dict[str, float]:
    """SCORES with so much more of some logits."""
    raised = {label: score * math.exp(logits.get(label, 0)) for label, score in SCORES.items()}
    return {label: score / sum(raised.values()) for label, score in raised.items()}


@pytest.mark.parametrize(
    ("found", "good"),
    [
        (SCORES, True),
        (dict(reversed(SCORES.items())), True),
        # the mean of three labels takes a third of a change away
        (scaled(b=1.5 * MOST_LOGIT_DIFFERENCE - 0.001), True),
        (scaled(b=1.5 * MOST_LOGIT_DIFFERENCE + 0.001), False),
        (scaled(b=1), False),
        (scaled(d=1), True),
        ({**SCORES, "c": math.nan}, False),
        ({**SCORES, "d": math.nan}, False),
        ({**SCORES, "a": math.inf}, False),
        ({**SCORES, "b": 0.0}, False),
        ({label: SCORES[label] for label in "abd"}, False),
        ({label: SCORES[label] for label in "abc"}, True),
        ({}, False),
        ("a", False),
        (None, False),
    ],
)
def test_scores_are_compared_by_their_logits(found: Any, good: bool) -> None:
    assert fidelity([SCORES] * 300, [*[SCORES] * 299, found]).good is good
    assert fidelity([SCORES], [found]).good is good


def test_another_label_on_top_is_another_answer_though_all_logits_are_near() -> None:
    near, swapped = {"a": 0.505, "b": 0.495}, {"a": 0.495, "b": 0.505}
    assert not fidelity([near], [swapped]).good
    assert fidelity([near] * 200, [swapped, *[near] * 199]).good
    assert not fidelity([near] * 199, [swapped, *[near] * 198]).good


@pytest.mark.parametrize("broken", [None, "a", {}, {**SCORES, "a": math.nan}])
def test_an_odd_answer_among_scores_has_none(broken: Any) -> None:
    assert not fidelity([SCORES, broken], [SCORES, SCORES]).good


@pytest.mark.parametrize(
    ("expected", "found", "good"),
    [
        (0.5, 0.5, True),
        (3, 3.0, True),
        (0.5, 0.5 + 0.9 * MOST_DIFFERENCE, True),
        (0.5, 0.5 + 1.1 * MOST_DIFFERENCE, False),
        (-500.0, -500.0 * (1 + 0.9 * MOST_DIFFERENCE), True),
        (500.0, 500.0 * (1 + 1.1 * MOST_DIFFERENCE), False),
        (0.5, math.nan, False),
        (0.5, -math.inf, False),
        (math.nan, 0.5, False),
        (0.5, None, False),
        (0.5, "0.5", False),
    ],
)
def test_single_numbers_are_compared_by_their_difference(
    expected: Any, found: Any, good: bool
) -> None:
    assert fidelity([0.1, expected, 0.1], [0.1, found, 0.1]).good is good
    assert fidelity([expected], [found]).good is good


PAGE = random.Random(3).choices(range(256), k=32 * 32)  # pixels of a photo


def picture(pixels: list[int], *size: int) -> dict[str, Any]:
    return {PICTURE: ["L", *(size or (640, 480))], "pixels": pixels}


def entity(score: float, word: str = "Ann", end: int = 3) -> dict[str, Any]:
    return {"entity": "PER", "score": score, "word": word, "start": 0, "end": end}


BOX = [[[10, 20, 30, 40], "cat 0.87"]]
CLASSES = [1] * 900 + [2] * 124


@pytest.mark.parametrize(
    ("expected", "found", "good"),
    [
        ("a text", "a text", True),
        ("a text", "another", False),
        ("a 0.50 b", "a 0.51 b", True),
        ("a 0.50 b", "a 0.60 b", False),
        ("a 0.50 b", "a 0.50 c", False),
        ("a 0.50", "a 0.50 0.50", False),
        (True, True, True),
        (None, None, True),
        (None, "other", False),
        ([entity(0.9)], [entity(0.9 + 0.9 * MOST_WITHIN)], True),
        ([entity(0.9)], [entity(0.9 - 1.1 * MOST_WITHIN)], False),
        ([entity(0.9)], [entity(0.9, word="An", end=2)], False),
        ([entity(0.9)], [entity(math.nan)], False),
        ([entity(0.9)], [], False),
        (BOX, [[[10, 21, 29, 40], "cat 0.88"]], True),
        (BOX, [[[10, 22, 30, 40], "cat 0.87"]], False),
        (BOX, [[[10, 20, 30, 40], "dog 0.87"]], False),
        ([[0.8, "a"], [0.79, "b"]], [[0.8, "b"], [0.79, "a"]], True),
        ([[0.8, "a"], [0.7, "b"]], [[0.8, "b"], [0.7, "a"]], False),
        ([[0.8, "a"]], [[0.8, "b"]], False),
        ([VECTOR, "x"], [turned(LEAST_COSINE + 1e-5), "x"], True),
        ([VECTOR, "x"], [turned(LEAST_COSINE - 1e-5), "x"], False),
        (picture(PAGE), picture([min(255, one + 3) for one in PAGE]), True),
        (picture(PAGE), picture([one ^ 16 for one in PAGE]), False),
        (picture(PAGE), picture(PAGE, 640, 481), False),
        (picture(CLASSES), picture([2] * 20 + CLASSES[20:]), True),
        (picture(CLASSES), picture([2] * 21 + CLASSES[21:]), False),
    ],
)
def test_anything_else_is_compared_part_by_part(expected: Any, found: Any, good: bool) -> None:
    assert fidelity([expected], [expected]).good
    assert fidelity([expected], [found]).good is good
    assert fidelity([expected] * 200, [found, *[expected] * 199]).good, "one in 200 may differ"
    assert fidelity([expected] * 199, [found, *[expected] * 198]).good is good


def quick(**options: Any) -> Service:
    return Service(lambda size: 0.01 + 0.001 * size, **options)


def test_a_model_that_only_fits_in_its_usual_dtype_keeps_it() -> None:
    found = tuned(quick(fits=False), 1.0, {"pytorch bfloat16": quick()}, dtype="bfloat16")
    assert found.way.dtype == "bfloat16"
    assert [(one.way.dtype, one.said) for one in found.tried] == [
        ("float32", "memory ran out"),
        ("bfloat16", "as before"),
    ]
    with pytest.raises(UserError, match="memory"):
        tuned(quick(fits=False), 1.0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_writes_files_keeps_its_dtype(dtype: str) -> None:
    service = quick(answer=[{OPAQUE: ".mp4"}, 7])
    found = tuned(service, 1.0, {"pytorch bfloat16": quick()}, dtype=dtype)
    assert [(one.way.dtype, one.said) for one in found.tried] == [(dtype, "as before")]
    assert found.way.dtype == dtype


def test_files_cannot_be_compared() -> None:
    assert all(map(comparable, ["a", 1.0, VECTOR, SCORES, BOX, picture(PAGE), None]))
    assert not any(
        map(comparable, [{OPAQUE: ".wav"}, [{OPAQUE: ".mp4"}, 3], {"a": [{OPAQUE: ""}]}])
    )


@pytest.mark.parametrize(("expected", "found"), [([], []), (["a"], []), (["a"], ["a", "a"])])
def test_other_numbers_of_answers_cannot_be_compared(expected: list[Any], found: list[Any]) -> None:
    with pytest.raises(ValueError, match="answers, not"):
        fidelity(expected, found)
