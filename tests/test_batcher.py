"""The batcher under real threads: whose result is whose, what shares a call, who gets an error."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving.batcher import Batcher

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

    It raises `too_big` beyond `memory` items, and the error of an item that stands in `poison`;
    it returns nothing for items in `lost`.
    """

    def __init__(
        self, poison: dict[Any, Any] | None = None, memory: int = 1000, too_big: Any = MemoryError
    ) -> None:
        self.poison, self.memory, self.too_big = poison or {}, memory, too_big
        self.lost: set[Any] = set()
        self.calls: list[list[Any]] = []
        self.worked: list[int] = []  # sizes of the calls that did
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
        if self.lost.isdisjoint(items):
            self.worked.append(len(items))
        return right(*(item for item in items if item not in self.lost))

    def hold(self, batcher: Batcher, item: Any = "busy", **options: Any) -> Future[Any]:
        """Make the worker begin a call and stay in it: what comes next waits in the line."""
        self.entered.clear()
        self.open.clear()
        future = batcher.submit(item, **options)
        assert self.entered.wait(WAIT)
        return future


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


def ask(batcher: Batcher, model: Model, *items: Any, **options: Any) -> list[Any]:
    """Answers to items that wait in the line together; an option is a function of the item."""
    futures = [model.hold(batcher)]
    for item in items:
        futures.append(batcher.submit(item, **{name: of(item) for name, of in options.items()}))
    model.open.set()
    return answers(futures)[1:]


@pytest.fixture(autouse=True, scope="module")
def _quiet_and_quick() -> Iterator[None]:
    """No log of the errors that are meant, and a quick gc.collect(), however much is loaded."""
    logging.getLogger("space").disabled = True
    gc.freeze()
    yield
    gc.unfreeze()
    logging.getLogger("space").disabled = False


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts batchers, of 16 items unless told otherwise, and closes them after the test."""
    with ExitStack() as closing:

        def get(predict: Any, max_batch_size: int = 16, *limits: int, workers: int = 1) -> Batcher:
            batcher = Batcher(predict, max_batch_size, *limits, workers=workers)
            closing.callback(batcher.close)
            return batcher

        yield get


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
    batcher = start(model := Model(), 100)
    assert [answers([batcher.submit(n)]) for n in range(20)] == [right(n) for n in range(20)]
    assert model.worked == [1] * 20


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
    batcher = start(model := Model())
    futures = [model.hold(batcher, "a", key="a")]
    futures += [batcher.submit(item, key=item) for item in "abbb"]
    futures += [batcher.submit("c"), batcher.submit("c")]  # without a key nothing is the same
    model.open.set()
    assert answers(futures) == right(*"aabbbcc")
    assert model.calls == [["a"], ["b", "c", "c"]]
    assert (batcher.counters.requests, batcher.counters.shared) == (7, 3)


def test_a_failure_goes_to_all_who_share_it_and_the_next_try_is_computed(start: Start) -> None:
    batcher = start(model := Model({"a": Poison()}))
    assert ask(batcher, model, "a", "a", key=str) == [model.poison.pop("a")] * 2
    assert answers([batcher.submit("a", key="a")]) == right("a")


@pytest.mark.parametrize("places", [[0], [7], [8], [15], [3, 4], [0, 5, 15]])
def test_poisoned_items_of_sixteen_fail_alone_each_with_its_own_error(
    start: Start, places: list[int]
) -> None:
    batcher = start(model := Model({place: Poison(place) for place in places}))
    wanted = [model.poison.get(item, ("answer to", item)) for item in range(16)]
    assert ask(batcher, model, *range(16)) == wanted
    assert (batcher.counters.failed, batcher.counters.items) == (len(places), 17 - len(places))
    assert len(model.calls) <= 2 + 8 * len(places), "narrowed down by halves"


class Unreadable(list[Any]):
    """As long as it should be, but its results cannot be read."""

    def __iter__(self) -> Iterator[Any]:
        raise Poison


@pytest.mark.parametrize("returned", [[], [1, 2], None, 7, Unreadable([1])])
def test_results_of_wrong_length_or_kind_fail_one_request_and_not_the_worker(
    start: Start, returned: Any
) -> None:
    def predict(items: list[Any]) -> Any:
        return returned if items == ["bad"] else items[1:] if "bad" in items else items

    batcher = start(predict)
    a, bad, b = answers([batcher.submit(item) for item in ["a", "bad", "b"]])
    assert (a, b) == ("a", "b")
    assert isinstance(bad, TypeError | Poison)


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration()], ids=repr)
def test_exit_or_stop_in_predict_ends_no_worker_and_no_event_loop(start: Start, error: Any) -> None:
    """As they are, asyncio ends the server with the one, and waits for ever with the other."""
    batcher = start(Model({"bad": error}))

    async def visit(item: str) -> Any:
        future = asyncio.wrap_future(batcher.submit(item))
        await asyncio.wait([future], timeout=WAIT)
        return future.exception() or future.result()

    assert isinstance(asyncio.run(visit("bad")), Exception)
    assert asyncio.run(visit("good")) == ("answer to", "good")


@pytest.mark.parametrize(
    "words", ["", "CUDA out of memory.", "DefaultCPUAllocator: can't allocate memory: you tried"]
)
def test_out_of_memory_answers_everyone_and_later_batches_stay_at_what_worked(
    start: Start, words: str
) -> None:
    model = Model(memory=5, too_big=RuntimeError(words) if words else MemoryError())
    model.too_big.__cause__ = model.too_big  # as after "raise error from error"
    batcher = start(model, 32)
    assert ask(batcher, model, *range(32), group=lambda item: item % 2) == right(*range(32))
    second = [len(call) for call in model.calls[1:] if call[0] % 2]
    assert max(second) == 4, "the second batch of those taken already knows"
    model.calls.clear()
    assert ask(batcher, model, *range(16)) == right(*range(16))
    assert [len(call) for call in model.calls] == [1, 4, 4, 4, 4]


def test_one_item_too_big_by_itself_does_not_make_all_later_batches_tiny(start: Start) -> None:
    batcher = start(model := Model({15: MemoryError()}))
    assert ask(batcher, model, *range(16)) == [*right(*range(15)), model.poison[15]]
    model.worked.clear()
    assert ask(batcher, model, *range(15)) == right(*range(15))
    assert max(model.worked) == 8, "8 items worked while the culprit was looked for"


def test_what_a_failed_call_held_is_free_before_the_next_one(start: Start) -> None:
    """The error's traceback must not keep the tensors of what was too big."""
    live: weakref.WeakSet[Any] = weakref.WeakSet()

    class Tensor:
        def __init__(self, size: int) -> None:
            if sum(tensor.size for tensor in live) + size > 20:
                raise MemoryError
            self.size = size
            live.add(self)

    def layers(items: list[Any]) -> list[Any]:
        held = [Tensor(sum(items))]
        held.append(Tensor(sum(items)))
        return items

    def predict(items: list[Any]) -> list[Any]:
        try:
            return layers(items)
        except MemoryError as error:
            raise RuntimeError("CUDA out of memory") from error

    batcher = start(predict)
    too_big, *others = answers([batcher.submit(size) for size in [15, 9, *[1] * 62]])
    assert isinstance(too_big, RuntimeError)
    assert others == [9, *[1] * 62]


def test_who_left_is_not_computed_and_the_rest_of_the_batch_is(start: Start) -> None:
    batcher = start(model := Model())
    busy = model.hold(batcher)
    a, b, c = (batcher.submit(item, key=item) for item in "abc")
    assert b.cancel()
    model.open.set()
    assert answers([busy, a, b, c]) == [*right("busy", "a"), None, *right("c")]
    assert model.calls == [["busy"], ["a", "c"]]
    assert (batcher.counters.left, batcher.counters.items) == (1, 3)
    assert answers([batcher.submit("b", key="b")]) == right("b"), "the dropped one is forgotten"


@pytest.mark.parametrize(("running", "leaves"), [(False, 0), (False, 1), (True, 0), (True, 1)])
def test_one_of_two_sharers_leaves_and_the_other_still_gets_the_result(
    start: Start, running: bool, leaves: int
) -> None:
    batcher = start(model := Model())
    first = model.hold(batcher, "a", key="a" if running else None)
    sharers = [first if running else batcher.submit("a", key="a"), batcher.submit("a", key="a")]
    assert sharers[leaves].cancel()
    model.open.set()
    assert answers([sharers[1 - leaves], batcher.submit("b")]) == right("a", "b")
    batcher.close()
    assert batcher.counters.left == 1


def test_close_refuses_the_new_tells_the_waiting_and_finishes_the_running(start: Start) -> None:
    model, before, told = Model(), set(threading.enumerate()), threading.Event()
    start(model, workers=3).close()
    assert set(threading.enumerate()) <= before, "idle workers end, too"
    batcher = start(model)
    running = model.hold(batcher)
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
    assert set(threading.enumerate()) <= before


KINDS = {"poison": Poison, "huge": MemoryError, "exit": SystemExit, "lost": None, "fine": None}
# kind, cost, group
SPEC = st.tuples(st.sampled_from([*KINDS, *["fine"] * 4]), st.integers(0, 9), st.integers(0, 2))
# which item, whether equal ones are the same request, after how many more the visitor leaves
ARRIVAL = st.tuples(st.integers(0, 7), st.booleans(), st.integers(-9, 4))


@settings(max_examples=200, deadline=None)
@given(
    specs=st.lists(SPEC, min_size=8),
    arrivals=st.lists(ARRIVAL, min_size=6, max_size=24),
    released=st.integers(0, 24),  # how many arrive before the first call goes on
    limits=st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 8, 20])),
    memory=st.integers(1, 9),
    workers=st.integers(1, 3),
)
def test_in_any_schedule_each_request_ends_and_counts_once_with_its_own_result_or_error(
    specs: list[Any], arrivals: list[Any], released: int, limits: Any, memory: int, workers: int
) -> None:
    items = [(s if same else 10 + n, *specs[s]) for n, (s, same, _) in enumerate(arrivals)]
    model = Model({item: KINDS[item[1]](item) for item in items if KINDS[item[1]]}, memory)
    model.lost = {item for item in items if item[1] == "lost"}
    model.open.clear()
    batcher = Batcher(model, *limits, workers=workers)
    futures, ends, left = list[Future[Any]](), list[int](), set[int]()
    for number, (item, (_, same, _)) in enumerate(zip(items, arrivals)):
        if number == released:
            model.open.set()
        futures.append(batcher.submit(item, *item[2:], item[0] if same else None))
        futures[-1].add_done_callback(lambda _, number=number: ends.append(number))
        for earlier, (_, _, after) in enumerate(arrivals[: number + 1]):
            if earlier + after == number and futures[earlier].cancel():
                left.add(earlier)
    model.open.set()
    outcomes = answers(futures)
    batcher.close()
    assert sorted(ends) == list(range(len(items))), "each ends exactly once"
    for number, (item, outcome) in enumerate(zip(items, outcomes)):
        if number in left:
            assert outcome is None
        elif item in model.lost:
            assert isinstance(outcome, TypeError)
        elif item in model.poison:
            assert isinstance(outcome, Exception)
            assert str(item) in str(outcome), "the own error"
        else:
            assert outcome == ("answer to", item)
    for call in model.calls:
        _, _, costs, groups = zip(*call)
        assert len(set(groups)) == 1
        assert len(call) <= limits[0]
        assert len(call) == 1 or len(call) * max(costs) <= (limits[1] or 1000)
    counted, worked = batcher.counters, model.worked
    failed = sum(isinstance(outcome, Exception) for outcome in outcomes)
    assert (counted.requests, counted.left, counted.failed) == (len(items), len(left), failed)
    computed = counted.batches, counted.items, counted.largest_batch
    assert computed == (len(worked), sum(worked), max(worked, default=0))
