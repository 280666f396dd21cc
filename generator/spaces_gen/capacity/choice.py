"""The best values for a service time, a memory and a target: the objective, in one place.

The most requests a second with 95 % of the answers within the target; then the smallest batch, and
the fewest workers, within 5 % of that. The optimum is flat, and small batches are kinder to a lone
visitor and to the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spaces_gen.capacity.queue import Precision, highest_rate, simulate
from spaces_gen.capacity.service import Memory, ServiceTime, doublings, throughput

FLATNESS = 0.05
GAIN_OF_A_WORKER = 0.1  # less is not worth the memory and the jitter of another one
MODERATE_LOAD = 0.8  # of the highest rate: where p95 is predicted and verified
MAX_QUEUE = 1000
SLOTS = 40  # of Gradio's thread pool at the least
SPARE_SLOTS = 8


@dataclass(frozen=True)
class Choice:
    """What was chosen, and what it is expected to do.

    Attributes:
        rate: requests a second within the target; 0 where even one at a time is too slow.
        p95: seconds, at 80 % of that rate.
    """

    workers: int
    max_batch_size: int
    rate: float
    p95: float


def choose(
    services: Mapping[int, ServiceTime],
    memory: Memory,
    target: float,
    largest: int | Mapping[int, int] = 1_000_000,
    copies: Mapping[int, int] | None = None,
    precision: Precision | None = None,
) -> Choice:
    """Choose the number of workers and the size of a batch.

    Args:
        services: time of a batch by the number of workers that run at once.
        target: seconds within which 95 % are to be answered.
        largest: no batch is larger, perhaps by the number of workers; nor is one twice as large
            as what is known.
        copies: of the weights, by the number of workers; 1 where it is not said.

    Raises:
        ValueError: not even one item fits the memory.
    """
    rates: dict[tuple[int, int], float] = {}
    for workers, service in sorted(services.items()):
        fitting = memory.largest_batch(workers, (copies or {}).get(workers, 1))
        bound = largest if isinstance(largest, int) else largest[workers]
        for batch in doublings(min(fitting, bound, 2 * service.largest)):
            rates[workers, batch] = highest_rate(service, target, batch, workers, precision)
    if not rates:
        raise ValueError("not even one item fits the memory")
    workers = worth_it({key[0]: rate for key, rate in sorted(rates.items(), key=lambda x: x[1])})
    of_workers = {batch: rate for (count, batch), rate in rates.items() if count == workers}
    best = max(of_workers.values())
    if best == 0:  # the target cannot be met: one at a time is the least wait
        return Choice(workers, 1, 0.0, services[workers].of_batch(1))
    batch = min(size for size, rate in of_workers.items() if rate >= (1 - FLATNESS) * best)
    rate = of_workers[batch]
    arrivals = (precision or Precision()).arrivals
    seen = simulate(services[workers], MODERATE_LOAD * rate, batch, workers, arrivals=arrivals)
    return Choice(workers, batch, rate, seen.p95)


def worth_it(best: Mapping[int, float]) -> int:
    """The number of workers: another one only where it gains more than a tenth."""
    chosen = min(best)
    for workers in sorted(best):
        if best[workers] > (1 + GAIN_OF_A_WORKER) * best[chosen]:
            chosen = workers
    return chosen


def queue_length(service: ServiceTime, batch: int, workers: int, longest_wait: float) -> int:
    """How many may wait: as many as are answered within the longest wait (Little's law).

    At least two full rounds, so that no worker ever lacks company for a batch.
    """
    rounds = 2 * batch * workers
    answered = int(throughput(service, batch, workers) * longest_wait)
    return max(rounds, min(MAX_QUEUE, answered))


def thread_slots(concurrency: int) -> int:
    """`max_threads` of Gradio's queue, whose slots async functions take as well."""
    return max(SLOTS, concurrency + SPARE_SLOTS)
