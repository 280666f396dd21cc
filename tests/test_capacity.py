"""The queue simulator against closed forms, and the choice on services with known optima."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces_gen.capacity.choice import FLATNESS, choose, queue_length, thread_slots
from spaces_gen.capacity.queue import highest_rate, run, simulate
from spaces_gen.capacity.service import Memory, ServiceTime, doublings, throughput

ROOMY = Memory(fixed=1, per_item=0, available=100)


def line(fixed: float, per_item: float, largest: int = 64) -> ServiceTime:
    """t(b) = fixed + per_item * b."""
    return ServiceTime({size: fixed + per_item * size for size in doublings(largest)})


# -- time and memory -------------------------------------------------------------------------------


def test_time_is_linear_between_what_is_known_and_goes_on_with_the_last_slope() -> None:
    service = ServiceTime({1: 1.0, 4: 1.6, 8: 4.0})
    assert service.of_model(1) == 1.0
    assert service.of_model(2) == pytest.approx(1.2)
    assert service.of_model(6) == pytest.approx(2.8)
    assert service.of_model(10) == pytest.approx(5.2)
    assert ServiceTime({4: 2.0}).of_model(2) == 2.0
    assert ServiceTime({1: 2.0}).of_model(3) == 6.0, "without more, batching gains nothing"


def test_the_servers_own_work_adds_up_on_a_cpu_and_goes_beside_a_gpu() -> None:
    known = {1: 0.01, 8: 0.02}
    assert ServiceTime(known, 0.005, shared=True).of_batch(8) == pytest.approx(0.06)
    assert ServiceTime(known, 0.005, shared=False).of_batch(8) == pytest.approx(0.04)
    assert ServiceTime(known, 0.001, shared=False).of_batch(8) == pytest.approx(0.02)


@pytest.mark.parametrize("known", [{}, {0: 1.0}, {1: 0.0}, {1: -1.0}])
def test_what_is_no_service_time_is_refused(known: dict[int, float]) -> None:
    with pytest.raises(ValueError, match="no service time"):
        ServiceTime(known)


def test_memory_bounds_the_batch() -> None:
    memory = Memory(fixed=2, per_item=0.5, available=10, share=0.8)
    assert memory.largest_batch() == 12
    assert memory.largest_batch(workers=2) == 6
    assert memory.largest_batch(workers=2, copies=2) == 4
    assert memory.largest_batch(copies=4) == 0
    assert memory.of_batch(12) == 8


# -- the simulator ---------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_one_at_a_time_is_the_queue_of_pollaczek_and_khinchine(load: float) -> None:
    """M/D/1: the mean time in the system is s + load s / (2 (1 - load))."""
    found = simulate(ServiceTime({1: 1.0}), load, 1, arrivals=200_000)
    assert found.mean == pytest.approx(1 + load / (2 * (1 - load)), rel=0.03)
    assert found.utilization == pytest.approx(load, rel=0.02)


@pytest.mark.parametrize("rate", [2.0, 6.0, 12.0])
def test_any_size_of_batch_stays_under_inoues_bound(rate: float) -> None:
    """Theorem of arXiv:1912.06322 for t(b) = t0 + a b, one server, batches of any size."""
    a, t0 = 0.05, 0.3
    rho = rate * a
    arrived = (a + t0) / (2 * (1 - rho)) * (1 + 2 * rate * t0 + (1 - rate * t0) / (1 + rho))
    loaded = 1.5 * t0 / (1 - rho) + a / 2 * (rho + 2) / (1 - rho**2)
    bound = min(arrived, loaded)
    found = simulate(line(t0, a, 4096), rate, 4096, arrivals=100_000)
    assert found.mean <= bound * 1.02
    assert found.mean >= bound * 0.85, "the bound is close"


def test_alone_a_visitor_waits_for_nobody() -> None:
    found = simulate(line(0.1, 0.01), 0.001, 16)
    assert found.mean == pytest.approx(0.11)
    assert found.mean_batch == 1


def test_more_than_capacity_is_lost_and_counted() -> None:
    service = line(0.0001, 0.1)  # 10 a second
    found = simulate(service, 20, 4, max_size=10, arrivals=40_000)
    assert found.loss == pytest.approx(0.5, abs=0.02)
    assert found.p99 < 10 / 10 + 2 * 0.4 + 0.05


@pytest.mark.parametrize(("max_size", "lost"), [(1, 3), (2, 2), (4, 0), (None, 0)])
def test_as_many_may_wait_as_the_line_holds(max_size: int | None, lost: int) -> None:
    """Beside the one who is served, as nobody else waits when it comes."""
    found = run([0.0, 1.0, 2.0, 3.0, 4.0], 0.0, lambda _: 10.0, 1, 1, max_size)
    assert found.loss == lost / 5


def test_arrivals_are_served_in_order_by_the_first_free_worker() -> None:
    found = run([0.0, 0.1, 0.2, 5.0], 0.0, lambda size: 1.0 * size, 2, 1, None)
    # 0 alone until 1; 0.1 and 0.2 together until 3; 5 alone until 6
    assert found.mean == pytest.approx((1 + 2.9 + 2.8 + 1) / 4)
    assert found.mean_batch == pytest.approx(4 / 3)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=40),
    largest=st.integers(1, 5),
    workers=st.integers(1, 3),
    room=st.none() | st.integers(1, 4),
)
def test_everybody_is_answered_or_lost_and_nobody_before_a_batch_takes(
    gaps: list[float], largest: int, workers: int, room: int | None
) -> None:
    times = [sum(gaps[: end + 1]) for end in range(len(gaps))]
    served: list[int] = []

    def seconds(size: int) -> float:
        served.append(size)
        return 0.5

    found = run(times, 0.0, seconds, largest, workers, room)
    assert max(served) <= largest
    assert sum(served) + round(found.loss * len(times)) == len(times)
    assert found.p50 >= 0.5 - 1e-9
    if room is None:
        assert found.loss == 0


def test_the_highest_rate_keeps_the_target_and_a_little_more_breaks_it() -> None:
    service = line(0.3, 0.05)
    rate = highest_rate(service, 1.0, 16)
    assert simulate(service, rate, 16).p95 <= 1.0
    assert simulate(service, rate * 1.1, 16).p95 > 1.0
    assert highest_rate(service, 0.2, 16) == 0, "slower than the target even alone"


# -- the choice ------------------------------------------------------------------------------------


def exhaustive(service: ServiceTime, target: float, largest: int) -> float:
    return max(highest_rate(service, target, size) for size in range(1, largest + 1))


def test_on_a_flat_optimum_the_smallest_batch_is_taken() -> None:
    """Almost no gain beyond 8."""
    service = ServiceTime({1: 1.0, 2: 1.1, 4: 1.3, 8: 1.8, 16: 3.6, 32: 7.2, 64: 14.4})
    chosen = choose({1: service}, ROOMY, 60)
    assert chosen.max_batch_size == 8
    assert chosen.rate >= (1 - FLATNESS) * exhaustive(service, 60, 64)


def test_a_wall_of_memory_is_not_touched() -> None:
    chosen = choose({1: line(1, 0.001)}, Memory(4, 1.0, 20), 60)
    assert chosen.max_batch_size == 8
    with pytest.raises(ValueError, match="not even one"):
        choose({1: line(1, 0.1)}, Memory(16.5, 1.0, 20), 60)


def test_a_target_bounds_the_batch() -> None:
    service = line(0.05, 0.1)
    patient, hurried = choose({1: service}, ROOMY, 30), choose({1: service}, ROOMY, 0.5)
    assert hurried.max_batch_size <= 2
    assert hurried.rate < patient.rate
    assert hurried.p95 <= 0.5
    hopeless = choose({1: service}, ROOMY, 0.01)
    assert (hopeless.max_batch_size, hopeless.rate) == (1, 0)


def test_noise_in_the_measurements_moves_the_choice_by_no_more_than_it_costs() -> None:
    exact = line(0.2, 0.02)
    best = exhaustive(exact, 5, 64)
    for seed in range(3):
        noisy = ServiceTime(
            {
                size: seconds * (1 + 0.04 * math.sin(seed * 7 + size))
                for size, seconds in exact.known.items()
            }
        )
        chosen = choose({1: noisy}, ROOMY, 5)
        reached = highest_rate(exact, 5, chosen.max_batch_size)
        assert reached >= 0.9 * best


def test_a_second_worker_is_taken_where_it_gains_and_left_where_it_does_not() -> None:
    alone = line(0.1, 0.05)
    slower = {
        slowed: ServiceTime({size: slowed * s for size, s in alone.known.items()})
        for slowed in (1.1, 1.95)
    }
    assert choose({1: alone, 2: slower[1.1]}, ROOMY, 10).workers == 2
    assert choose({1: alone, 2: slower[1.95]}, ROOMY, 10).workers == 1
    tight = Memory(fixed=12, per_item=0, available=20)
    assert choose({1: alone, 2: slower[1.1]}, tight, 10, copies={2: 2}).workers == 1


@settings(max_examples=12, deadline=None)
@given(
    fixed=st.floats(0.001, 1),
    per_item=st.floats(0.0005, 0.2),
    weights=st.floats(0.1, 5),
    item=st.floats(0.001, 1),
    target=st.floats(0.05, 20),
    wait=st.floats(1, 120),
)
def test_no_value_breaks_its_constraint(
    fixed: float, per_item: float, weights: float, item: float, target: float, wait: float
) -> None:
    memory = Memory(weights, item, 16)
    services = {1: line(fixed, per_item, 16), 2: line(1.5 * fixed, 1.5 * per_item, 16)}
    chosen = choose(services, memory, target)
    service = services[chosen.workers]
    assert memory.of_batch(chosen.max_batch_size, chosen.workers) <= 0.85 * 16 + 1e-6
    assert chosen.max_batch_size <= 2 * service.largest
    assert chosen.rate == 0 or chosen.p95 <= target
    assert chosen.rate <= throughput(service, chosen.max_batch_size, chosen.workers)
    length = queue_length(service, chosen.max_batch_size, chosen.workers, wait)
    assert length >= 2 * chosen.max_batch_size * chosen.workers
    assert thread_slots(length) > length
