"""What the Space counts: for /metrics, as Prometheus reads it, and for the log."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

# Upper bounds of the histograms. Seconds: from a small text model to a slow picture.
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 300)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """What one Space counts."""

    def __init__(self) -> None:
        disable_created_metrics()  # they would double the list
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "space_requests",
            "Requests that ended, by route and how.",
            ["route", "outcome"],
            registry=registry,
        )
        self.cache_hits = Counter(
            "space_cache_hits", "Requests answered from the cache.", registry=registry
        )
        self.shared = Counter(
            "space_shared",
            "Requests that shared the answer of an equal one in flight.",
            registry=registry,
        )
        self._out_of_memory = Counter(
            "space_out_of_memory", "Calls that ran out of memory.", registry=registry
        )
        self._restarts = Counter(
            "space_model_restarts", "Model processes replaced.", registry=registry
        )
        self._batch_size = Histogram(
            "space_batch_size",
            "Requests in one call.",
            registry=registry,
            buckets=ITEMS,
        )
        self._compute = Histogram(
            "space_compute_seconds",
            "Duration of a call of the model.",
            registry=registry,
            buckets=SECONDS,
        )
        self._queue_wait = Histogram(
            "space_queue_wait_seconds",
            "Time from the arrival at the model until it begins.",
            registry=registry,
            buckets=SECONDS,
        )
        self.latency = Histogram(
            "space_latency_seconds",
            "Time from a request's arrival to its answer.",
            registry=registry,
            buckets=SECONDS,
        )
        self.largest_batch = 0

    def watch(self, present: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Show how many requests there are, each time that somebody looks."""
        for name, what, count in (
            ("space_present", "Requests in the Space.", present),
            ("space_waiting", "Requests whose turn has not come.", waiting),
        ):
            Gauge(name, what, registry=self._registry).set_function(count)

    def ended(self, route: str, outcome: str) -> None:
        """Count a request: `outcome` is answered, failed, invalid, refused or left."""
        self._requests.labels(route, outcome).inc()

    def waited(self, seconds: float) -> None:
        """Count a request that the model begins with."""
        self._queue_wait.observe(seconds)

    def restarted(self) -> None:
        """Count a process of the model that was replaced."""
        self._restarts.inc()

    def ran_out_of_memory(self, times: int) -> None:
        """Count calls."""
        self._out_of_memory.inc(times)

    def computed(self, items: int, seconds: float) -> None:
        """Count a call of the model."""
        self._batch_size.observe(items)
        self._compute.observe(seconds)
        self.largest_batch = max(self.largest_batch, items)

    def streaming(self, streams: int) -> None:
        """Count a stream that began, as one of `streams` at the same time."""
        self._batch_size.observe(streams)
        self.largest_batch = max(self.largest_batch, streams)

    def text(self) -> bytes:
        """All of it in the format of Prometheus."""
        return generate_latest(self._registry)

    @property
    def requests(self) -> int:
        """Requests that ended."""
        return self._total("space_requests_total")

    def __str__(self) -> str:
        """A summary in one line, for the log."""
        counts = {
            outcome: self._total("space_requests_total", outcome=outcome)
            for outcome in ("invalid", "failed", "refused", "left")
        }
        counts["from the cache"] = self._total("space_cache_hits_total")
        counts["shared"] = self._total("space_shared_total")
        details = ", ".join(f"{count} {what}" for what, count in counts.items())
        batches = self._total("space_batch_size_count")
        return (
            f"{self.requests} requests ({details}) "
            f"in {batches} batches of up to {self.largest_batch}"
        )

    def _total(self, name: str, **labels: str) -> int:
        """The sum of all samples of `name` with these labels."""
        return int(
            sum(
                sample.value
                for metric in self._registry.collect()
                for sample in metric.samples
                if sample.name == name and labels.items() <= sample.labels.items()
            )
        )
