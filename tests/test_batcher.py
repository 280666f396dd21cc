"""The batcher under real threads: whose result is whose, what shares a call, who gets which error."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving.batcher import Batcher  # noqa: E402

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

    It raises `too_big` beyond `memory` items, and the error of an item that stands in `poison`.
    """

    def __init__(
        self, poison: dict[Any, Any] | None = None, memory: int = 1000, too_big: Any = MemoryError
    ) -> None:
        self.poison, self.memory, self.too_big = poison or {}, memory, too_big
        self.calls: list[list[Any]] = []
        self.entered, self.open = threading.Event(), threading.Event()
        self.open.set()

    def __call__(self, items: list[Any]) -> list[Any]:
        self.calls.append(list(items))
        self.entered.set()
        assert self.open.wait(WAIT)
        if len(items) > self.memory:
            raise self.too_big
        for item in items:
            if item in self.poison:
                raise self.poison[item]
        return right(*items)

    def hold(self, batcher: Batcher, item: Any = "busy", **options: Any) -> Future[Any]:
        """Make the worker begin a call and stay in it: what comes next waits in the line."""
        self.entered.clear()
        self.open.clear()
        future = batcher.submit(item, **options)
        assert self.entered.wait(WAIT)
        return future

    def sizes(self) -> list[int]:
        """How many items each call had; forgets the calls."""
        calls, self.calls = self.calls, []
        return [len(call) for call in calls]


def right(*items: Any) -> list[Any]:
    """What the model answers to `items`."""
    return [("answer to", item) for item in items]


def answers(futures: Sequence[Future[Any]]) -> list[Any]:
    """Each future's result, or the error that it ended with; None where the visitor left."""

    def answer(future: Future[Any]) -> Any:
        try:
            return future.exception(WAIT) or future.result()
        except CancelledError:
            return None

    return [answer(future) for future in futures]


def ask(batcher: Batcher, model: Model, *items: Any, **options: Any) -> list[Any]:
    """Answers to items that all wait in the line; an option is a value or a function of the item."""
    busy = model.hold(batcher)
    futures = [
        batcher.submit(item, **{k: v(item) if callable(v) else v for k, v in options.items()})
        for item in items
    ]
    model.open.set()
    return answers([busy, *futures])[1:]


@pytest.fixture(autouse=True, scope="module")
def _quiet_and_quick() -> Iterator[None]:
    """No log of the errors that are meant, and a quick gc.collect(), however much is loaded."""
    log = logging.getLogger("space")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    gc.freeze()
    yield
    gc.unfreeze()
    log.setLevel(level)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts batchers, of 16 items unless told otherwise, and closes them after the test."""
    started: list[Batcher] = []

    def get(predict: Callable[[list[Any]], Any], *limits: int, workers: int = 1) -> Batcher:
        started.append(Batcher(predict, *(limits or (16,)), workers=workers))
        return started[-1]

    yield get
    for batcher in started:
        batcher.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_each_of_many_visitors_at_once_gets_their_own_result(start: Start, workers: int) -> None:
    batcher, together = start(Model(), 16, 40, workers=workers), threading.Barrier(8)

    def visit(number: int) -> bool:
        together.wait(WAIT)
        items = [(number, turn) for turn in range(25)]
        futures = [batcher.submit(item, cost=item[1] % 7, group=item[1] % 2) for item in items]
        return answers(futures) == right(*items)

    with ThreadPoolExecutor(8) as visitors:
        assert all(visitors.map(visit, range(8)))
    assert batcher.counters.requests == batcher.counters.items == 200


def test_several_workers_compute_at_the_same_time(start: Start) -> None:
    together = threading.Barrier(2)  # opens only when two calls are inside at once
    batcher = start(lambda items: [together.wait(WAIT) >= 0 for _ in items], 1, workers=2)
    assert answers([batcher.submit(1), batcher.submit(2)]) == [True, True]


def test_a_callback_may_submit_the_same_request_again_and_it_is_computed_anew(start: Start) -> None:
    """Results are given without the lock, after the key is forgotten."""
    model, again, asked = Model(), list[Future[Any]](), threading.Event()
    batcher = start(model)
    first = model.hold(batcher, "a", key="a")
    first.add_done_callback(lambda _: (again.append(batcher.submit("a", key="a")), asked.set()))
    model.open.set()
    assert asked.wait(WAIT), "the callback waits for a lock that its own thread holds"
    assert answers([first, *again]) == right("a", "a")
    assert model.calls == [["a"], ["a"]]


def test_a_lone_request_is_answered_while_nothing_else_arrives(start: Start) -> None:
    model = Model()
    batcher = start(model, 100)
    for number in range(20):
        assert answers([batcher.submit(number)]) == right(number)
    assert model.sizes() == [1] * 20


def test_what_arrives_while_a_batch_runs_is_the_next_batch_oldest_first(start: Start) -> None:
    model = Model()
    assert ask(start(model, 4), model, *range(10)) == right(*range(10))
    assert model.calls == [["busy"], [0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_micro_batches_are_sorted_and_items_times_longest_is_within_the_limit(start: Start) -> None:
    """What is too long by itself is computed by itself."""
    model = Model()
    ask(start(model, 16, 12), model, 5, 1, 50, 3, 1, 4, 6, 1, 2, 6, cost=lambda item: item)
    assert model.calls[1:] == [[1, 1, 1, 2], [3, 4], [5, 6], [6], [50]]


def test_only_requests_of_equal_group_share_a_call(start: Start) -> None:
    model = Model()
    assert ask(start(model), model, *range(9), group=lambda item: item % 3) == right(*range(9))
    assert model.calls[1:] == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_the_same_request_waiting_or_running_is_computed_once_for_all(start: Start) -> None:
    model = Model()
    batcher = start(model)
    futures = [model.hold(batcher, "a", key="a")]
    futures += [batcher.submit(item, key=item) for item in "abbb"]
    futures += [batcher.submit("c"), batcher.submit("c")]  # without a key nothing is the same
    model.open.set()
    assert answers(futures) == right(*"aabbbcc")
    assert model.calls == [["a"], ["b", "c", "c"]]
    assert (batcher.counters.requests, batcher.counters.shared) == (7, 3)


def test_a_failure_goes_to_all_who_share_it_and_the_next_try_is_computed(start: Start) -> None:
    model = Model({"a": Poison()})
    batcher = start(model)
    assert ask(batcher, model, "a", "a", key="a") == [model.poison.pop("a")] * 2
    assert answers([batcher.submit("a", key="a")]) == right("a")


@pytest.mark.parametrize("places", [[0], [7], [8], [15], [3, 4], [0, 5, 15]])
def test_poisoned_items_of_sixteen_fail_alone_each_with_its_own_error(
    start: Start, places: list[int]
) -> None:
    model = Model({place: Poison(place) for place in places})
    batcher = start(model)
    wanted = [model.poison.get(item, ("answer to", item)) for item in range(16)]
    assert ask(batcher, model, *range(16)) == wanted
    assert (batcher.counters.failed, batcher.counters.items) == (len(places), 17 - len(places))
    assert len(model.calls) <= 2 + 8 * len(places), "narrowed down by halves"


class Unreadable(Sequence[Any]):
    """As long as it should be, but its results cannot be read."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        raise Poison


@pytest.mark.parametrize("returned", [[], [1, 2], None, 7, Unreadable()])
def test_results_of_wrong_length_or_kind_fail_one_request_and_not_the_worker(
    start: Start, returned: Any
) -> None:
    def predict(items: list[Any]) -> Any:
        return returned if items == ["bad"] else items[1:] if "bad" in items else items

    batcher = start(predict)
    a, bad, b = answers([batcher.submit(item) for item in ["a", "bad", "b"]])
    assert (a, b, type(bad) in (TypeError, Poison)) == ("a", "b", True)


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration()], ids=repr)
def test_exit_or_stop_in_predict_ends_neither_the_worker_nor_the_event_loop(
    start: Start, error: BaseException
) -> None:
    """Left as it is, asyncio would end the server with the one, and wait for ever with the other."""
    batcher = start(Model({"bad": error}))

    async def visit(item: str) -> Any:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(batcher.submit(item)), WAIT)
        except Exception as caught:
            return caught.__cause__

    assert asyncio.run(visit("bad")) is error
    assert asyncio.run(visit("good")) == ("answer to", "good")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_out_of_memory_answers_everyone_and_later_batches_stay_at_what_worked(
    start: Start, error: Exception
) -> None:
    model = Model(memory=5, too_big=error)
    batcher = start(model, 32)
    groups: dict[str, Any] = {"group": lambda item: item % 2}
    assert ask(batcher, model, *range(32), **groups) == right(*range(32))
    second = [len(call) for call in model.calls if call[0] != "busy" and call[0] % 2]
    assert max(second) == 4, "the second batch of those taken already knows"
    model.sizes()
    assert ask(batcher, model, *range(16)) == right(*range(16))
    assert model.sizes() == [1, 4, 4, 4, 4]


def test_one_item_too_big_by_itself_does_not_make_all_later_batches_tiny(start: Start) -> None:
    model = Model({15: MemoryError()})
    batcher = start(model)
    assert ask(batcher, model, *range(16)) == [*right(*range(15)), model.poison[15]]
    model.sizes()
    assert ask(batcher, model, *range(15)) == right(*range(15))
    assert max(model.sizes()) == 8, "8 items worked while the culprit was looked for"


def test_what_a_failed_call_held_is_free_before_the_next_try(start: Start) -> None:
    """The error's traceback must not keep the tensors of the batch that was too big."""
    live: weakref.WeakSet[Any] = weakref.WeakSet()

    class Tensor:
        def __init__(self, size: int) -> None:
            if sum(tensor.size for tensor in live) + size > 20:
                raise MemoryError
            self.size = size
            live.add(self)

    def predict(items: list[Any]) -> list[Any]:
        try:
            layers = [Tensor(len(items))]
            layers.append(Tensor(len(items)))
        except MemoryError as error:
            raise RuntimeError("CUDA out of memory") from error
        return items

    batcher = start(predict)
    assert answers([batcher.submit(item) for item in range(64)]) == list(range(64))


def test_who_left_is_not_computed_and_the_rest_of_the_batch_is(start: Start) -> None:
    model = Model()
    batcher = start(model)
    busy = model.hold(batcher)
    a, b, c = (batcher.submit(item, key=item) for item in "abc")
    assert b.cancel()
    model.open.set()
    assert answers([busy, a, b, c]) == [*right("busy", "a"), None, *right("c")]
    assert model.calls == [["busy"], ["a", "c"]]
    assert (batcher.counters.left, batcher.counters.items) == (1, 3)
    assert answers([batcher.submit("b", key="b")]) == right("b"), "the dropped one is forgotten"


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("leaves", [0, 1])
def test_one_of_two_sharers_leaves_and_the_other_still_gets_the_result(
    start: Start, running: bool, leaves: int
) -> None:
    model = Model()
    batcher = start(model)
    first = model.hold(batcher, "a", key="a") if running else model.hold(batcher)
    sharers = [first] if running else [batcher.submit("a", key="a")]
    sharers.append(batcher.submit("a", key="a"))
    assert sharers[leaves].cancel()
    model.open.set()
    assert answers([sharers[1 - leaves], batcher.submit("b")]) == right("a", "b")
    batcher.close()
    assert batcher.counters.left == 1


def test_close_refuses_the_new_tells_the_waiting_and_finishes_the_running(start: Start) -> None:
    model, before = Model(), set(threading.enumerate())
    batcher = start(model, workers=2)
    running, told = model.hold(batcher), threading.Event()
    assert batcher.submit("also running") and model.entered.wait(WAIT)
    while len(model.calls) < 2:  # the second worker is on its way into the model
        threading.Event().wait(0.001)
    waiting = batcher.submit("waiting", key="waiting")
    waiting.add_done_callback(lambda _: told.set())
    closing = threading.Thread(target=batcher.close)
    closing.start()
    assert told.wait(WAIT), "who waits is told at once, not after what runs"
    with pytest.raises(RuntimeError, match="shutting down"):
        batcher.submit("new", key="waiting")
    model.open.set()
    closing.join(WAIT)
    assert isinstance(waiting.exception(0), RuntimeError)
    assert answers([running]) == right("busy")
    assert set(threading.enumerate()) <= before, "idle workers end, too"


KINDS = ["fine"] * 5 + ["poison", "huge", "exit", "short"]
SPECS = st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 2))
ARRIVALS = st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.integers(-9, 4)), max_size=24)


@settings(max_examples=150, deadline=None)
@given(
    specs=st.lists(SPECS, min_size=8, max_size=8),
    arrivals=ARRIVALS,
    released=st.integers(0, 24),
    limits=st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 8, 20])),
    memory=st.integers(1, 9),
    workers=st.integers(1, 3),
)
def test_in_any_schedule_every_request_ends_once_with_its_own_result_or_error_and_counts_once(
    specs: list[tuple[str, int, int]],
    arrivals: list[tuple[int, bool, int]],
    released: int,
    limits: tuple[int, int],
    memory: int,
    workers: int,
) -> None:
    """An arrival is (spec, whether equal ones are the same request, when its visitor leaves)."""
    broken: list[Any] = []
    worked: list[list[Any]] = []
    opened = threading.Event()

    def predict(items: list[Any]) -> list[Any]:
        opened.wait(WAIT)
        _, kinds, costs, groups = zip(*items)
        cost = len(items) * max(costs)
        too_much = limits[1] and cost > limits[1] and len(items) > 1
        if len(set(groups)) > 1 or len(items) > limits[0] or too_much:
            broken.append(items)
        for item in items:
            if item[1] in ("poison", "huge", "exit"):
                raise {"poison": Poison, "huge": MemoryError, "exit": SystemExit}[item[1]](item)
        if len(items) > memory:
            raise MemoryError
        if "short" not in kinds:
            worked.append(items)
        return right(*(item for item in items if item[1] != "short"))

    batcher = Batcher(predict, *limits, workers=workers)
    items = [(s if same else 10 + n, *specs[s]) for n, (s, same, _) in enumerate(arrivals)]
    futures: list[Future[Any]] = []
    ends: list[int] = []
    left: set[int] = set()
    for number, (item, (_, same, _)) in enumerate(zip(items, arrivals)):
        if number >= released:
            opened.set()
        futures.append(batcher.submit(item, item[2], item[3], item[0] if same else None))
        futures[-1].add_done_callback(lambda _, number=number: ends.append(number))
        leaving = (
            n for n, (_, _, after) in enumerate(arrivals[: number + 1]) if n + after == number
        )
        left |= {one for one in leaving if futures[one].cancel()}
    opened.set()
    outcomes = answers(futures)
    batcher.close()
    for number, (item, outcome) in enumerate(zip(items, outcomes)):
        if number in left:
            assert outcome is None
        elif item[1] == "fine":
            assert outcome == ("answer to", item)
        elif item[1] == "short":
            assert isinstance(outcome, TypeError)
        else:
            assert (outcome.__cause__ or outcome).args == (item,), "the own error"
    assert sorted(ends) == list(range(len(items)))
    assert not broken
    counted = batcher.counters
    errors = sum(isinstance(outcome, Exception) for outcome in outcomes)
    assert (counted.requests, counted.left, counted.failed) == (len(items), len(left), errors)
    assert counted.batches == len(worked)
    assert counted.items == sum(map(len, worked))
    assert counted.largest_batch == max(map(len, worked), default=0)
