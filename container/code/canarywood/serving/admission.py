"""Admission: how many requests predict at once, how many wait, how long. Standard library only.

    predict at once = slots, wait = queue, one more is told to come back (429)

A slot goes from the one who leaves straight to the one who has waited longest, so a newcomer
cannot overtake. Waiting ends with the deadline of the request.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from canarywood.errors import QueueFullError, UnavailableError

RETRY_AFTER_S = 1

Clock = Callable[[], float]


@dataclass(frozen=True)
class Deadline:
    """The moment at which a request is given up."""

    at: float
    after_s: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> Deadline:
        """The deadline `seconds` from now."""
        return cls(clock() + seconds, seconds, clock)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.clock())

    @property
    def error(self) -> UnavailableError:
        """What a request is told that met its deadline: 503 `deadline`."""
        return UnavailableError(
            f"no answer within {self.after_s:g} seconds; send fewer rows, or try again later",
            code="deadline",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )

    def check(self) -> None:
        """Raise the error once the moment has passed."""
        if self.clock() >= self.at:
            raise self.error


class Admission:
    """The slots of one worker process and the bounded queue before them.

    Args:
        slots: requests that predict at the same time.
        queue: requests that may wait.
        on_wait: told the change of the queue's length, +1 or -1.
    """

    def __init__(
        self, slots: int, queue: int, on_wait: Callable[[int], None] = lambda _: None
    ) -> None:
        self._free = slots
        self._queue = queue
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    @property
    def full(self) -> QueueFullError:
        """What a request is told for which there is no place: 429 `queue_full`."""
        return QueueFullError(
            f"all slots are busy and {self._queue} requests wait; try again later",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )

    @property
    def places(self) -> int:
        """Requests that an event loop may take on at once: one to predict, and the free queue.

        The loop predicts beside the slots, so that its small requests never wait for the large
        ones that hold them; the queue is one for both.
        """
        return 1 + self._queue - len(self._waiting)

    @contextmanager
    def slot(self, deadline: Deadline) -> Iterator[None]:
        """Hold a slot; raises QueueFullError (429), or UnavailableError past the deadline."""
        turn = self._enter()
        if turn is not None:
            self._wait(turn, deadline)
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> threading.Lock | None:
        """Take a free slot (None), or a place in the queue: a lock that opens at our turn."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if len(self._waiting) >= self._queue:
                raise self.full
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        self._on_wait(+1)
        return turn

    def _wait(self, turn: threading.Lock, deadline: Deadline) -> None:
        try:
            if turn.acquire(timeout=deadline.remaining_s):
                return
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                    late = False
                else:
                    late = True  # the slot became ours between time-out and lock
            if late:
                self._leave()
            raise deadline.error
        finally:
            self._on_wait(-1)

    def _leave(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
