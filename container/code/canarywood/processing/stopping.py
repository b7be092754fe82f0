"""What to do when the platform says stop. Standard library only."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stoppable(stop: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` with the signal's name as soon as SIGTERM or SIGINT comes.

    From a thread of its own: Python runs a signal's handler between two steps of the main thread,
    which may be a long while from now if that reads a large file or waits for another host.
    """
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    former = {number: signal.signal(number, _pass) for number in SIGNALS}
    former_fd = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    thread = Thread(target=_wait, args=(woken, stop), name="stopping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former_fd)
        for number, handler in former.items():
            signal.signal(number, handler)
        waker.close()  # the thread reads the end
        thread.join()
        woken.close()


def _wait(woken: socket.socket, stop: Callable[[str], None]) -> None:
    while received := woken.recv(1):  # the signal's number
        if received[0] in SIGNALS:
            stop(signal.Signals(received[0]).name)


def _pass(_number: int, _frame: FrameType | None) -> None:
    """The thread acts; but with no handler here the signal would end the process."""
