from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from canarywood.errors import QueueFullError, UnavailableError
from canarywood.serving.admission import Admission, Deadline
from tests.container.serving.fakes import Clock


def in_thread(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


class Queue:
    """An admission whose queue can be waited for."""

    def __init__(self, slots: int, queue: int) -> None:
        self.length = 0
        self._changed = threading.Condition()
        self.admission = Admission(slots, queue, self._note)

    def _note(self, change: int) -> None:
        with self._changed:
            self.length += change
            self._changed.notify_all()

    def wait_for_length(self, length: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.length == length, timeout=30)


def test_free_slots_are_given_at_once() -> None:
    admission = Admission(2, 0)
    with admission.slot(Deadline.after(60)), admission.slot(Deadline.after(60)):
        pass
    with admission.slot(Deadline.after(60)):
        pass


def test_one_more_than_slots_and_queue_is_refused_with_retry_after() -> None:
    admission = Admission(1, 0)
    with admission.slot(Deadline.after(60)), pytest.raises(QueueFullError) as caught:  # noqa: SIM117
        with admission.slot(Deadline.after(60)):
            pass
    assert caught.value.status == 429
    assert caught.value.headers == {"Retry-After": "1"}


def test_a_refusal_leaves_the_slot_usable() -> None:
    admission = Admission(1, 0)
    with admission.slot(Deadline.after(60)), pytest.raises(QueueFullError):  # noqa: SIM117
        with admission.slot(Deadline.after(60)):
            pass
    with admission.slot(Deadline.after(60)):
        pass


def test_a_slot_is_freed_by_a_request_that_fails() -> None:
    admission = Admission(1, 0)
    with pytest.raises(ValueError, match="inside"), admission.slot(Deadline.after(60)):
        raise ValueError("inside")
    with admission.slot(Deadline.after(60)):
        pass


def test_those_who_wait_are_served_in_the_order_of_their_coming() -> None:
    queue = Queue(1, 3)
    served: list[int] = []

    def take(number: int) -> None:
        with queue.admission.slot(Deadline.after(60)):
            served.append(number)

    threads = []
    with queue.admission.slot(Deadline.after(60)):
        for number in range(3):
            threads.append(in_thread(lambda number=number: take(number)))  # type: ignore[misc]
            queue.wait_for_length(number + 1)
    for thread in threads:
        thread.join(30)
    assert served == [0, 1, 2]
    assert queue.length == 0


def test_waiting_ends_with_the_deadline() -> None:
    queue = Queue(1, 1)
    clock = Clock()
    deadline = Deadline.after(2, clock)
    clock.now += 2
    with queue.admission.slot(Deadline.after(60)):
        with pytest.raises(UnavailableError) as caught, queue.admission.slot(deadline):
            pass
        assert queue.length == 0
    assert (caught.value.status, caught.value.code) == (503, "deadline")
    with queue.admission.slot(Deadline.after(60)):
        pass


def test_a_place_left_by_the_deadline_can_be_taken_again() -> None:
    queue = Queue(1, 1)
    clock = Clock()
    over = Deadline.after(0, clock)
    with queue.admission.slot(Deadline.after(60)):
        for _ in range(3):
            with pytest.raises(UnavailableError), queue.admission.slot(over):
                pass


def test_a_deadline_is_checked_by_its_clock() -> None:
    clock = Clock()
    deadline = Deadline.after(2, clock)
    clock.now += 1.5
    deadline.check()
    assert deadline.remaining_s == 0.5
    clock.now += 0.5
    assert deadline.remaining_s == 0
    with pytest.raises(UnavailableError, match="no answer within 2 seconds"):
        deadline.check()


def test_many_threads_never_hold_more_than_the_slots() -> None:
    admission = Admission(2, 100)
    lock = threading.Lock()
    held = 0
    most = 0

    def work() -> None:
        nonlocal held, most
        for _ in range(200):
            with admission.slot(Deadline.after(60)):
                with lock:
                    held += 1
                    most = max(most, held)
                with lock:
                    held -= 1

    threads = [in_thread(work) for _ in range(8)]
    for thread in threads:
        thread.join(60)
    assert held == 0
    assert 1 <= most <= 2
