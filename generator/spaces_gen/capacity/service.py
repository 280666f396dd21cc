"""Time and memory of a batch by its size, from a few sizes that were measured or estimated."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LARGEST = 1_000_000  # no batch has more items


@dataclass(frozen=True)
class ServiceTime:
    """Seconds of a batch: linear between the sizes that are known.

    A straight line through all of them is off by up to 18 % (measured on a CPU), so there is none.

    Attributes:
        known: seconds by size of a batch; at least one.
        front_end: seconds of the server's own work per request (h).
        shared: whether that work takes the cores that the model needs, as on a CPU; on a GPU it
            goes on beside it.
    """

    known: Mapping[int, float]
    front_end: float = 0.0
    shared: bool = True
    _sizes: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no service time.

        Raises:
            ValueError: no size is known, or one takes no time.
        """
        if not self.known or min(self.known) < 1 or min(self.known.values()) <= 0:
            raise ValueError(f"no service time: {dict(self.known)}")
        object.__setattr__(self, "_sizes", tuple(sorted(self.known)))

    @property
    def largest(self) -> int:
        """The largest size that is known; values beyond twice it are a guess."""
        return self._sizes[-1]

    def of_model(self, batch: int) -> float:
        """Seconds of the model alone, t(b); beyond the known sizes by the last slope."""
        sizes, known = self._sizes, self.known
        place = bisect_left(sizes, batch)
        if place < len(sizes) and sizes[place] == batch:
            return known[batch]
        if len(sizes) == 1 or place == 0:
            # below the smallest a batch is hardly faster; above the only one it is no faster
            return known[sizes[0]] * max(1.0, batch / sizes[0])
        low, high = sizes[min(place, len(sizes) - 1) - 1], sizes[min(place, len(sizes) - 1)]
        slope = (known[high] - known[low]) / (high - low)
        return known[low] + max(0.0, slope) * (batch - low)

    def of_batch(self, batch: int) -> float:
        """Seconds until the next batch can begin, the server's own work included."""
        own = batch * self.front_end
        return self.of_model(batch) + own if self.shared else max(self.of_model(batch), own)


@dataclass(frozen=True)
class Memory:
    """Memory of a worker, in GB: fixed, and per item of its batch; `available` for all workers."""

    fixed: float
    per_item: float
    available: float
    share: float = 0.85  # of it that may be used; the rest is for fragmentation and peaks

    def of_batch(self, batch: float, workers: int = 1, copies: int = 1) -> float:
        """GB in use while `workers` batches run on `copies` of the weights."""
        return copies * self.fixed + workers * batch * self.per_item

    @property
    def free(self) -> float:
        """GB for all batches together, beside one copy of the weights."""
        return self.share * self.available - self.fixed

    def largest_batch(self, workers: int = 1, copies: int = 1) -> int:
        """The largest batch with which all workers fit; 0 where not even one item does."""
        free = self.share * self.available - copies * self.fixed
        if free <= 0:
            return 0
        if self.per_item <= 0:
            return LARGEST
        return int(min(LARGEST, free / (workers * self.per_item) + 1e-9))


def throughput(service: ServiceTime, batch: int, workers: int = 1) -> float:
    """Requests a second at saturation, where every batch is full."""
    return workers * batch / service.of_batch(batch)


def doublings(largest: int) -> Iterable[int]:
    """1, 2, 4 … up to `largest`."""
    size = 1
    while size <= largest:
        yield size
        size *= 2
