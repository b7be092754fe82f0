"""What happens when the platform says stop."""

from __future__ import annotations

import os
import signal
from threading import Event

import pytest

from canarywood.processing.stopping import SIGNALS, stoppable


@pytest.mark.parametrize("number", SIGNALS)
def test_the_signal_is_told_by_name_from_another_thread(number: signal.Signals) -> None:
    told: list[str] = []
    heard = Event()

    def stop(name: str) -> None:
        told.append(name)
        heard.set()

    former = signal.getsignal(number)
    with stoppable(stop):
        os.kill(os.getpid(), number)
        assert heard.wait(10)
    assert told == [number.name]
    assert signal.getsignal(number) is former


def test_other_signals_are_none_of_its_business() -> None:
    told: list[str] = []
    former = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with stoppable(told.append):
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert told == []


def test_it_ends_without_a_signal() -> None:
    with stoppable(lambda _: pytest.fail("nobody said stop")):
        pass
    assert signal.set_wakeup_fd(-1) == -1
