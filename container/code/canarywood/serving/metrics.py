"""Counters of the workers, as Prometheus text.

Each worker counts into files of its own below PROMETHEUS_MULTIPROC_DIR, which prometheus_client
reads when it is imported; whichever worker is asked adds all of them up.
"""

from __future__ import annotations

import struct
import threading
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Collection, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

ATTEMPTS = 5  # to read the files of all workers
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class _Histogram(Histogram):
    """A histogram that takes in several equal values at once."""

    def observe_all(self, value: float, count: int) -> None:
        """As `count` calls of observe(value)."""
        self._sum.inc(value * count)
        self._buckets[bisect_left(self._upper_bounds, value)].inc(count)


class Metrics:
    """What is counted of one process; made before the fork, used after it.

    Args:
        folder: of all processes' files; None where this process alone is meant.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "canarywood_requests",
            "Answered requests by route and HTTP status.",
            ("route", "status"),
            registry=registry,
        )
        self._seconds = _Histogram(
            "canarywood_invocation_seconds",
            "Time from the first line of an invocation to its answer, waiting included.",
            buckets=SECONDS,
            registry=registry,
        )
        self._rows = Counter("canarywood_rows", "Rows predicted.", registry=registry)
        self._unknown = Counter(
            "canarywood_unknown_categories",
            "Cells whose category training never saw, by column.",
            ("column",),
            registry=registry,
        )
        self.in_flight = Gauge(
            "canarywood_in_flight",
            "Invocations that have begun and are not answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.queue_length = Gauge(
            "canarywood_queue_length",
            "Invocations that wait for a slot.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._unknown_seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def count_request(self, route: str, status: int) -> None:
        """Count one answer."""
        self._requests.labels(route, str(status)).inc()

    def count_invocations(self, statuses: Collection[int], seconds: float, rows: int) -> None:
        """Count answers of /invocations that were given together, each after so many seconds.

        One write a counter, however many there are: a write takes microseconds.
        """
        for status, count in Tally(statuses).items():
            self._requests.labels("/invocations", str(status)).inc(count)
        self._seconds.observe_all(seconds, len(statuses))
        if rows:
            self._rows.inc(rows)

    def count_unknown(self, totals: Mapping[str, int]) -> None:
        """Take in this process's totals of unknown categories, by column."""
        if totals == self._unknown_seen:
            return
        with self._lock:
            for column, total in list(totals.items()):
                more = total - self._unknown_seen.get(column, 0)
                if more > 0:
                    self._unknown.labels(column).inc(more)
                    self._unknown_seen[column] = total

    def open(self) -> None:
        """Make this process's files, before others may read them."""
        self.in_flight.inc(0)

    def render(self) -> bytes:
        """The text that a scraper reads: the sum over all processes."""
        if self._folder is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        # its constructor ships no types
        MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        for _ in range(ATTEMPTS - 1):
            try:
                return generate_latest(registry)
            except (struct.error, OSError):  # a worker that starts has made its file, still empty
                time.sleep(0.01)
        return generate_latest(registry)
