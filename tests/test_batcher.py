"""The batcher under real threads: whose result is whose, what shares a call, who gets an error."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving import batcher as module
from serving.batcher import Batcher, cheapest_cuts, similar

WAIT = 20  # seconds until a test gives up; none depends on how long anything takes

# an exception that ends a worker would leave everybody behind it without an answer
pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
]
Start = Callable[..., Batcher]


class Poison(Exception):
    """What the model raises for a poisoned item."""


class Model:
    """A `predict` that remembers its calls and can be held inside one.

    It raises `too_big` for what costs more than `memory`, and what stands in `poison` for an
    item; if that is None, it returns nothing for the item. An item that is a number costs that.
    """

    def __init__(self, poison: Any = None, memory: int = 1000, too_big: Any = MemoryError) -> None:
        self.poison, self.memory, self.too_big = poison or {}, memory, too_big
        self.calls: list[list[Any]] = []
        self.entered, self.open = threading.Event(), threading.Event()
        self.open.set()

    def __call__(self, items: list[Any]) -> list[Any]:
        self.calls.append(list(items))
        self.entered.set()
        assert self.open.wait(WAIT)
        if total(items) > self.memory:
            raise self.too_big
        for item in items:
            if self.poison.get(item):
                raise self.poison[item]
        return right(*(item for item in items if item not in self.poison))

    def hold(self, batcher: Batcher, item: Any = "busy", **options: Any) -> Future[Any]:
        """Make the worker begin a call and stay in it: what comes next waits in the line."""
        self.entered.clear()
        self.open.clear()
        future = batcher.submit(item, **options)
        assert self.entered.wait(WAIT)
        return future

    def ask(self, batcher: Batcher, *items: Any, group: Any = lambda _: None) -> list[Any]:
        """Answers to items that wait in the line together; `calls` are those for them."""
        futures = [self.hold(batcher)]
        self.calls.clear()
        futures += [batcher.submit(item, cost(item), group(item)) for item in items]
        self.open.set()
        return answers(futures)[1:]

    def sizes(self, batcher: Batcher, count: int) -> list[int]:
        """How many items each call has when so many wait, each of cost 1."""
        items = [f"item {number}" for number in range(count)]
        assert self.ask(batcher, *items) == right(*items)
        return list(map(len, self.calls))


def cost(item: Any) -> int:
    """What an item costs by itself."""
    return item if isinstance(item, int) else item[2] if isinstance(item, tuple) else 1


def total(items: list[Any]) -> int:
    """What a call with these items costs."""
    return len(items) * max(1, *map(cost, items))


def right(*items: Any) -> list[Any]:
    """What the model answers to `items`."""
    return [("answer to", item) for item in items]


def answers(futures: Sequence[Future[Any]]) -> list[Any]:
    """Each future's result, or the error that it ended with; None where the visitor left."""
    ended: list[Any] = [None] * len(futures)
    for place, future in enumerate(futures):
        with suppress(CancelledError):
            ended[place] = future.exception(WAIT) or future.result()
    return ended


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """A quick gc.collect(), however much is loaded."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts batchers, of 16 items unless told otherwise, and closes them after the test."""
    batchers = list[Batcher]()

    def get(predict: Any, max_batch_size: int = 16, *limits: int, **options: Any) -> Batcher:
        batchers.append(Batcher(predict, max_batch_size, *limits, **options))
        return batchers[-1]

    yield get
    for batcher in batchers:
        closing = threading.Thread(target=batcher.close, daemon=True)  # it may hang, if broken
        closing.start()
        closing.join(WAIT)


@pytest.mark.parametrize("workers", [1, 3])
def test_each_of_many_visitors_at_once_gets_their_own_result(start: Start, workers: int) -> None:
    batcher, together = start(Model(), 16, 40, workers=workers), threading.Barrier(8)

    def visit(number: int) -> bool:
        together.wait(WAIT)
        items = [(number, turn, turn % 7) for turn in range(25)]
        futures = [batcher.submit(item, cost(item), item[1] % 2) for item in items]
        return answers(futures) == right(*items)

    with ThreadPoolExecutor(8) as visitors:
        assert all(visitors.map(visit, range(8)))


def test_a_callback_may_submit_again_for_results_are_given_without_the_lock(start: Start) -> None:
    model, again, asked = Model(), list[Future[Any]](), threading.Event()
    batcher = start(model)
    first = model.hold(batcher, "a")
    first.add_done_callback(lambda _: (again.append(batcher.submit("b")), asked.set()))
    model.open.set()
    assert asked.wait(WAIT), "the callback waits for a lock that its own thread holds"
    assert answers([first, *again]) == right("a", "b")


def test_only_requests_of_equal_group_share_a_call_oldest_first(start: Start) -> None:
    items, model = ["a1", "a2", "b1", "a3", "a4", "b2", "c1", "a5"], Model()
    assert model.ask(start(model, 4), *items, group=lambda item: item[0]) == right(*items)
    assert model.calls == [["a1", "a2", "a3", "a4"], ["b1", "b2"], ["c1"], ["a5"]]


@pytest.mark.parametrize(
    ("size", "limit", "call_cost", "costs", "calls"),
    [
        (3, 0, 9, [10, 14, 9, 10, 30, 8], [[8, 9, 10], [10, 14], [30]]),
        (9, 0, 9, [10, 8, 5, 10], [[5, 8, 10, 10]]),
        (9, 0, 5, [10, 8, 4, 10], [[8, 10, 10], [4]]),
        (9, 0, 4, [6, 10, 11, 6], [[6, 6], [10, 11]]),
        (9, 0, 6, [10, 7, 14], [[7, 10], [14]]),
        (9, 0, 0, [10, 9, 10, 9], [[10, 10], [9, 9]]),
        (9, 12, 9, [5, 4, 6, 1, 50, 1, 4, 3], [[5, 6], [3, 4, 4], [1, 1], [50]]),
        (9, 1, 9, [0, 0], [[0], [0]]),
    ],
    ids=["size", "dear", "cheaper", "longer", "nearer", "equal", "limit", "at least 1"],
)
def test_a_batch_is_the_oldest_and_what_is_cheapest_with_it_within_the_limit(
    start: Start, size: int, limit: int, call_cost: int, costs: list[int], calls: list[list[int]]
) -> None:
    model = Model()
    assert model.ask(start(model, size, limit, call_cost), *costs) == right(*costs)
    assert model.calls == calls


def cost_of_all(costs: list[int], ends: list[int], call_cost: int) -> int:
    """Of the calls for the parts of a sorted line."""
    parts = [costs[start:end] for start, end in zip([0, *ends], ends)]
    return sum(call_cost + len(part) * max(part) for part in parts)


@given(
    costs=st.lists(st.integers(1, 12), min_size=1, max_size=9).map(sorted),
    call_cost=st.integers(1, 20),
    max_cost=st.integers(1, 60),
    max_items=st.integers(1, 9),
)
def test_no_other_cuts_are_cheaper(
    costs: list[int], call_cost: int, max_cost: int, max_items: int
) -> None:
    """Compared with all there are; `call_cost` = 1 is what 0 counts as."""

    def allowed(ends: list[int]) -> bool:
        return all(
            end - start == 1
            or (end - start <= max_items and (end - start) * costs[end - 1] <= max_cost)
            for start, end in zip([0, *ends], ends)
        )

    ends = cheapest_cuts(costs, call_cost, max_cost, max_items)
    inner = range(1, len(costs))
    every = [
        [*chosen, len(costs)] for many in range(len(costs)) for chosen in combinations(inner, many)
    ]
    assert ends in every
    assert allowed(ends)
    cheapest = min(cost_of_all(costs, cuts, call_cost) for cuts in every if allowed(cuts))
    assert cost_of_all(costs, ends, call_cost) == cheapest


@pytest.mark.parametrize("other", [{"cost": 100}, {"cost": 1}, {"group": "other"}], ids=str)
def test_an_endless_flow_of_others_starves_nobody(start: Start, other: dict[str, Any]) -> None:
    """With every call more newcomers arrive than a batch holds."""
    calls, lone, came = list[list[Any]](), list[Future[Any]](), threading.Event()

    def predict(items: list[Any]) -> list[Any]:
        calls.append(items)
        if len(calls) == 3:
            lone.append(batcher.submit("lone", **{"cost": 10, **other}))
            came.set()
        for _ in range(8 if len(calls) < 30 else 0):
            batcher.submit(len(calls), cost=10)
        return right(*items)

    batcher = start(predict, 4)
    batcher.submit(0, cost=10)
    assert came.wait(WAIT)
    assert answers(lone) == right("lone")
    assert calls.index(["lone"]) == 5, "after the 8 that were there before"


@pytest.mark.parametrize(("free", "sizes"), [(1, [7]), (2, [4, 3]), (3, [3, 2, 2])])
@pytest.mark.parametrize("busy", [0, 1])
def test_workers_that_are_free_share_the_line_evenly(
    start: Start, monkeypatch: pytest.MonkeyPatch, free: int, busy: int, sizes: list[int]
) -> None:
    lock, together, model = threading.RLock(), threading.Barrier(free + 1), Model()
    threads = SimpleNamespace(**{**vars(threading), "Lock": lambda: lock})
    monkeypatch.setattr(module, "threading", threads)  # so that several can arrive at once

    def predict(items: list[Any]) -> list[Any]:
        if items != ["busy"]:
            together.wait(WAIT)  # opens only when all are inside at once
        return model(items)

    batcher = start(predict, workers=free + busy)
    held = [model.hold(batcher) for _ in range(busy)]
    model.calls.clear()
    with lock:
        futures = [batcher.submit(n) for n in range(7)]
    together.wait(WAIT)
    model.open.set()
    assert answers([*futures, *held]) == right(*range(7), *["busy"] * busy)
    assert sorted(map(len, model.calls), reverse=True) == sizes


def test_starting_and_done_say_who_computes_what_and_for_how_long(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, begun, done, model = [0], list[Any](), list[Any](), Model({"bad": Poison()})
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def starting(*what: Any) -> None:
        clock[0] += 100
        begun.append((threading.current_thread().name, *what))

    def predict(items: list[Any]) -> list[Any]:
        clock[0] += 5
        return model(items)

    batcher = start(predict, workers=2, starting=starting, done=lambda *what: done.append(what))
    model.hold(batcher, "a", tag="tag a")
    model.hold(batcher, "bad", tag="tag b")
    (name, one, *a), (_, two, *b) = begun
    assert (name, one + two, a, b) == (f"model-{one}", 1, [["tag a"], 1], [["tag b"], 2])
    model.open.set()
    batcher.close()
    assert done == [(one, 1, 110)], "of a, in which the other one began; what failed is not done"


@pytest.mark.parametrize("places", [[0], [7], [8], [15], [3, 4], [0, 5, 15]])
def test_poisoned_items_fail_alone_each_with_its_own_error_in_the_log(
    start: Start, monkeypatch: pytest.MonkeyPatch, places: list[int]
) -> None:
    logged = list[Exception]()
    log = SimpleNamespace(error=lambda _, exc_info: logged.append(exc_info))
    monkeypatch.setattr(module, "log", log)
    items = [f"item {number}" for number in range(16)]
    batcher = start(model := Model({items[place]: Poison(place) for place in places}))
    assert model.ask(batcher, *items) == [model.poison.get(i, ("answer to", i)) for i in items]
    assert logged == [*model.poison.values()]
    assert len(model.calls) <= 1 + 8 * len(places), "narrowed down by halves"
    model.poison.clear()
    assert model.sizes(batcher, 16) == [16], "it was not for want of memory"
    assert batcher.out_of_memory == 0


class Unprintable(Exception):
    """Its own code fails."""

    def __str__(self) -> str:
        raise ValueError


class Unreadable(list[Any]):
    """As long as it should be, but its results cannot be read."""

    def __iter__(self) -> Iterator[Any]:
        raise Unprintable


@pytest.mark.parametrize("bad", [[], [1, 2], None, 7, Unreadable([1])])
def test_wrong_results_fail_one_request_and_not_the_worker(start: Start, bad: Any) -> None:
    batcher = start(lambda items: bad if items == [0] else items[1:] if 0 in items else items)
    a, error, b = answers([batcher.submit(item) for item in [1, 0, 2]])
    assert (a, b) == (1, 2)
    assert isinstance(error, TypeError | Unprintable)


@pytest.mark.parametrize("words", ["", "CUDA: Out of memory.", "CPU: can't allocate memory"])
def test_out_of_memory_answers_all_and_later_batches_cost_what_worked(
    start: Start, words: str
) -> None:
    too_big = RuntimeError(words) if words else MemoryError()
    too_big.__cause__ = too_big  # as after "raise error from error"
    batcher = start(model := Model(memory=50, too_big=too_big), 32)
    assert model.ask(batcher, *[10] * 16) == right(*[10] * 16)
    assert list(map(len, model.calls)) == [16, 8, 4, 4, 8, 4, 4]
    model.ask(batcher, *[10] * 6, *[20] * 4, *[3] * 14)
    assert model.calls == [[10] * 4, [10] * 2, [20] * 2, [20] * 2, [3] * 13, [3]]
    assert batcher.out_of_memory == 3


def test_one_item_too_big_by_itself_does_not_make_all_later_batches_tiny(start: Start) -> None:
    batcher = start(model := Model({"item 15": MemoryError()}))
    items = [f"item {number}" for number in range(16)]
    assert model.ask(batcher, *items) == [*right(*items[:15]), model.poison["item 15"]]
    assert model.sizes(batcher, 15) == [8, 7], "8 worked while the culprit was looked for"
    assert model.ask(batcher, *["item 15"] * 2) == [model.poison["item 15"]] * 2
    assert model.sizes(batcher, 15) == [8, 7], "where nothing worked there is no new limit"


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger batch is tried after 3 that worked."""
    monkeypatch.setattr(module, "PROBE_AFTER", 3)


@pytest.mark.usefixtures("_soon")
def test_with_memory_there_again_batches_grow_slowly_up_to_the_limit(start: Start) -> None:
    batcher = start(model := Model(memory=6), 16, 12)
    assert model.sizes(batcher, 12) == [12, 6, 6]
    model.memory = 1000
    for count in [*[1] * 9, 5, 5]:  # what is far from the limit says nothing about it
        model.sizes(batcher, count)
    sizes = model.sizes(batcher, 300)
    assert sizes[:10] == [6, 7, 7, 7, 9, 9, 9, 11, 11, 11]
    assert set(sizes[10:-1]) == {12}


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("memory", [1, 2])
def test_batches_of_few_grow_too_however_deep_they_were_cut(start: Start, memory: int) -> None:
    """One item is more than the limit is raised by, and one shortage is not several."""
    batcher = start(model := Model(memory=memory))
    model.sizes(batcher, 16)
    model.memory = 1000
    first, *_, late, _ = model.sizes(batcher, 500)
    assert (first, late) == (memory, 16)


@pytest.mark.usefixtures("_soon")
def test_after_a_larger_batch_failed_the_next_is_tried_half_as_soon(start: Start) -> None:
    batcher = start(model := Model(memory=5), 8)
    tries = [6, 3, 3, *[5] * 6, 6, 3, 3, *[5] * 12, 6, 3, 3]
    assert model.sizes(batcher, 154) == [8, 4, 4, *[4] * 3, *[5] * 3, *tries, 5, 5, 1]
    model.memory = 2  # less than ever: that is no larger batch that failed, so all begins anew
    assert model.sizes(batcher, 24)[:12] == [5, 2, 3, 1, 2, *[2] * 6, 3]


@pytest.mark.parametrize("how", ["cause", "context", "in a cycle"])
def test_what_a_failed_call_held_is_free_before_the_next_one(start: Start, how: str) -> None:
    """Neither the error's traceback nor a cycle may keep the tensors of what was too big."""
    live, still_held = weakref.WeakSet[Any](), list[int]()

    def layers() -> None:
        live.add(tensor := Model())
        tensor.poison = tensor if how == "in a cycle" else None
        raise MemoryError

    def predict(items: list[Any]) -> None:
        still_held.append(len(live))
        try:
            layers()
        except MemoryError as error:
            if how == "context":
                raise RuntimeError("out of memory") from None
            cause = error
        raise RuntimeError("out of memory") from cause

    batcher = start(predict)
    gc.disable()
    answers([batcher.submit(item) for item in range(9)])
    gc.enable()
    assert still_held == [0] * len(still_held)


@pytest.mark.parametrize("gpu", [True, False])
def test_only_out_of_memory_empties_the_cache_of_the_gpu(
    start: Start, monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    emptied = list[bool]()
    cuda = SimpleNamespace(is_available=lambda: gpu, empty_cache=lambda: emptied.append(True))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    batcher = start(Model({"huge": MemoryError(), "bad": Poison()}))
    answers([batcher.submit("bad"), batcher.submit("huge")])
    assert (len(emptied), batcher.out_of_memory) == (gpu, 1)


def test_who_left_is_not_computed_and_the_rest_of_the_batch_is(start: Start) -> None:
    batcher = start(model := Model())
    futures = [model.hold(batcher), *(batcher.submit(i, group=i == "d") for i in "abcd")]
    assert futures[2].cancel()
    assert futures[4].cancel()
    model.open.set()
    assert answers(futures) == [*right("busy", "a"), None, *right("c"), None]
    assert answers([batcher.submit("e")]) == right("e")
    assert model.calls == [["busy"], ["a", "c"], ["e"]], "d was alone: there is no empty call"


@pytest.mark.parametrize("fails", [False, True])
def test_who_leaves_during_a_call_is_not_in_the_next(start: Start, fails: bool) -> None:
    batcher = start(model := Model({"a": Poison()} if fails else {}))
    busy = model.hold(batcher)
    busy.add_done_callback(lambda _: model.open.clear())  # hold the next call as well
    futures = [batcher.submit(item) for item in "abcd"]
    model.entered.clear()
    model.open.set()
    assert model.entered.wait(WAIT)
    assert futures[1].cancel()
    model.open.set()
    a = model.poison.get("a", ("answer to", "a"))
    assert answers(futures) == [a, None, *right("c", "d")]
    assert model.calls[1:] == [[*"abcd"], *([["a"], ["c", "d"]] if fails else [])]


def test_close_refuses_the_new_tells_the_waiting_and_finishes_the_running(start: Start) -> None:
    model, before, told = Model(), set(threading.enumerate()), threading.Event()
    start(model, workers=3).close()
    assert set(threading.enumerate()) <= before, "idle workers end, too"
    batcher = start(model)
    assert all(worker.daemon for worker in set(threading.enumerate()) - before)
    running, waiting = model.hold(batcher), batcher.submit("waiting")
    waiting.add_done_callback(lambda _: told.set())
    closing = threading.Thread(target=batcher.close)
    closing.start()
    assert told.wait(WAIT), "who waits is told at once, not after what runs"
    with pytest.raises(RuntimeError, match="shutting down"):
        batcher.submit("new")
    model.open.set()
    closing.join(WAIT)
    assert isinstance(waiting.exception(0), RuntimeError)
    assert answers([running]) == right("busy")
    assert set(threading.enumerate()) <= before


# how each kind ends; asyncio would end on an exit as it is, and wait for ever on a stop
RAISED = {"poison": Poison, "huge": MemoryError, "exit": SystemExit, "stop": StopIteration}
ERRORS = {**RAISED, "exit": RuntimeError, "stop": RuntimeError, "lost": TypeError}
KIND, GROUP = st.sampled_from([*ERRORS, *["fine"] * 7]), st.integers(0, 1)
COST = st.sampled_from([0, 1, *range(6, 13), 15, 20])
LEAVES = st.one_of(st.none(), st.integers(0, 9))  # after how many more


@settings(max_examples=200, deadline=None)
@given(
    arrivals=st.lists(st.tuples(KIND, COST, GROUP, LEAVES), min_size=6, max_size=24),
    released=st.integers(0, 24),  # how many arrive before the first call goes on
    limits=st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 20, 60])),
    memory=st.sampled_from([10, 40, 1000]),
    call_cost=st.sampled_from([0, 3, 8]),
    workers=st.integers(1, 3),
)
def test_in_any_schedule_each_request_ends_once_with_its_own_result_or_error(
    arrivals: list[Any], released: int, limits: Any, memory: int, call_cost: int, workers: int
) -> None:
    items = [(number, kind, cost, group) for number, (kind, cost, group, _) in enumerate(arrivals)]
    poison: dict[Any, Any] = {item: None for item in items if item[1] == "lost"}
    poison |= {item: RAISED[item[1]](item) for item in items if item[1] in RAISED}
    model = Model(poison, memory)
    told, ends, left = defaultdict[str, list[Any]](list), list[int](), set[int]()

    def tell(*what: Any) -> None:
        told[threading.current_thread().name].append(what)

    def predict(called: list[Any]) -> list[Any]:
        tell("predict", called)
        try:
            return model(called)
        except MemoryError:
            told["memory"].append(called)
            raise

    def starting(number: int, tags: list[Any], busy: int) -> None:
        tell("starting", number, tags, 1 <= busy <= workers)

    model.open.clear()
    batcher = Batcher(
        predict, *limits, call_cost, workers, starting, lambda *what: tell("done", *what[:2])
    )
    futures = list[Future[Any]]()
    for number, item in enumerate(items):
        if number == released:
            model.open.set()
        futures.append(batcher.submit(item, *item[2:], tag=item))
        futures[-1].add_done_callback(lambda _, number=number: ends.append(number))
        for earlier, (*_, after) in enumerate(arrivals[: number + 1]):
            if after == number - earlier and futures[earlier].cancel():
                left.add(earlier)
    model.open.set()
    outcomes = answers(futures)
    batcher.close()

    assert sorted(ends) == list(range(len(items))), "each ends exactly once"
    for number, (item, outcome) in enumerate(zip(items, outcomes)):
        if number in left:
            assert outcome is None
        elif total([item]) > memory:
            assert isinstance(outcome, MemoryError)
        elif item[1] != "fine":
            assert type(outcome) is ERRORS[item[1]]
            assert str(item) in str(outcome) or item[1] == "lost", "the own error"
        else:
            assert outcome == ("answer to", item)
    assert batcher.out_of_memory == len(told["memory"])
    seen = set[int]()
    for call in model.calls:
        numbers, _, _, groups = zip(*call)
        costs = [max(1, cost(item)) for item in call]
        assert len(set(groups)) == 1
        assert len(call) <= limits[0]
        assert len(call) == 1 or total(call) <= (limits[1] or 1000)
        assert max(costs) - min(costs) <= max(1, call_cost)
        if workers == 1 and not left and seen.isdisjoint(numbers):
            assert seen.issuperset(range(min(numbers))), "nobody older waits"
        seen.update(numbers)
    for number in range(workers):
        wanted = list[Any]()
        for call in [what[1] for what in told[f"model-{number}"] if what[0] == "predict"]:
            wanted += [("starting", number, call, True), ("predict", call)]
            if poison.keys().isdisjoint(call) and total(call) <= memory:
                wanted += [("done", number, len(call))]
        assert told[f"model-{number}"] == wanted


@given(
    costs=st.lists(st.integers(0, 30)),
    limits=st.tuples(st.integers(1, 40), st.integers(0, 60), st.integers(1, 9)),
)
def test_similar_parts_pass_once_within_the_limits(costs: Any, limits: Any) -> None:
    call_cost, most, many = limits
    passes = similar(costs, *limits)
    assert sorted(part for chosen in passes for part in chosen) == list(range(len(costs)))
    ordered = [costs[part] for chosen in passes for part in chosen]
    assert ordered == sorted(costs)
    for chosen in passes:
        highest = max(costs[part] for part in chosen)
        assert len(chosen) == 1 or len(chosen) * highest <= (most or 1000)
        assert len(chosen) <= many
        assert highest - min(costs[part] for part in chosen) <= call_cost
