"""The open connections of an event loop, and what waits for them. Standard library only.

Only in the first of its states does the loop read from a connection:

    reading ──(a request is there)──> asked ──(answered)──> reading
                                          └──(not all could be sent)──> sending ──> reading
"""

from __future__ import annotations

import contextlib
import enum
import select
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

RECEIVED_AT_ONCE = 256 * 1024
# Of a request, from its first byte to its last, or of an answer: our nginx does not stall.
PATIENCE_S = 60.0


class State(enum.Enum):
    """What a connection waits for."""

    READING = enum.auto()
    ASKED = enum.auto()
    SENDING = enum.auto()
    CLOSED = enum.auto()


class Connection:
    """A non-blocking connection of a client.

    Attributes:
        received: bytes that are not answered yet.
        unsent: bytes of an answer that the client does not take yet.
        last: it ends with the answer that is being sent.
        since: when it became idle, or its present request or answer began.
    """

    __slots__ = ("address", "last", "received", "since", "socket", "state", "unsent")

    def __init__(self, opened: socket.socket, address: Any) -> None:
        opened.setblocking(False)
        self.socket = opened
        self.address = address
        self.state = State.READING
        self.received = b""
        self.unsent = b""
        self.last = False
        self.since = time.monotonic()

    def receive(self) -> bool:
        """Read what there is; False once the client has ended, or is gone."""
        try:
            data = self.socket.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not self.received:
            self.since = time.monotonic()
            self.received = data
        else:
            self.received += data
        return bool(data)

    def send(self, data: bytes) -> bool:
        """Send what the client takes at once, keep the rest; False where it is gone."""
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return False
        self.unsent = data[sent:] if sent < len(data) else b""
        return True

    def close(self) -> None:
        """End it; what was sent still arrives."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        self.socket.close()

    @property
    def is_idle(self) -> bool:
        """Nothing is on its way."""
        return self.state is State.READING and not self.received

    def is_overdue(self, now: float, idle_s: float) -> bool:
        """Whether nobody needs to wait for it any longer."""
        return now - self.since > (idle_s if self.is_idle else PATIENCE_S)


class Poller:
    """An epoll object with the interface that gunicorn's worker asks of a selector."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, tuple[Callable[[Any], object], Any]] = {}
        self.poll = self._epoll.poll
        self.watch = self._epoll.register
        self.change = self._epoll.modify
        self.forget = self._epoll.unregister

    def register(self, opened: Any, _events: int, callback: Callable[[Any], object]) -> None:
        """Have `callback(opened)` called when it can be read.

        A listening socket is shared with other workers: one of them is woken, not all.
        """
        number = _number(opened)
        shared = select.EPOLLEXCLUSIVE if isinstance(opened, socket.socket) else 0
        self._epoll.register(number, selectors.EVENT_READ | shared)
        self._callbacks[number] = callback, opened

    def unregister(self, opened: Any) -> None:
        """No longer call for it."""
        del self._callbacks[_number(opened)]
        self._epoll.unregister(opened)

    def call(self, number: int) -> None:
        """Call what was registered for a descriptor, if it still is."""
        if number in self._callbacks:
            callback, opened = self._callbacks[number]
            callback(opened)

    def close(self) -> None:
        """Release the descriptor."""
        self._epoll.close()


def _number(opened: Any) -> int:
    return opened if isinstance(opened, int) else int(opened.fileno())
