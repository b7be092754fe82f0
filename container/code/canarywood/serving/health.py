"""Health: whether requests can be taken, and the socket on which nginx asks. Standard library only.

The socket is served by the supervisor, which never predicts: an answer to /ping waits behind
nothing. Workers say by datagrams that they are warm (`ready`) or could not start (`failed`);
gunicorn's master says that one has ended (`gone`).
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from canarywood.media import PROBLEM
from canarywood.serving.problems import REQUEST_ID, problem

LONGEST_NOTICE = 4096
LONGEST_REQUEST = 65536  # the sum of nginx's header buffers is below
REQUEST_ID_HEADER = re.compile(rb"\r\nX-Request-Id:[ \t]*([^\r\n]+)", re.IGNORECASE)


@dataclass
class Health:
    """What is known of the workers.

    Attributes:
        expected: workers that must be warm before the first request is taken.
        ready: pids of the workers that are warm and alive.
        started: all expected workers have been warm at the same time.
        draining: SIGTERM was seen.
        failure: why a worker could not start; None where none said so.
    """

    expected: int
    ready: set[int] = field(default_factory=set)
    started: bool = False
    draining: bool = False
    failure: str | None = None

    def note(self, notice: str) -> None:
        """Take in a datagram: `ready PID`, `gone PID`, `failed REASON`; others are ignored."""
        word, _, rest = notice.partition(" ")
        if word == "failed":
            self.failure = self.failure or rest
        elif word == "ready" and rest.isdigit():
            self.ready.add(int(rest))
        elif word == "gone" and rest.isdigit():
            self.ready.discard(int(rest))
        self.started = self.started or len(self.ready) >= self.expected

    @property
    def fault(self) -> tuple[str, str] | None:
        """Code and detail of why no request can be taken; None where it can."""
        if self.draining:
            return "draining", "this container is shutting down; send requests to another one"
        if not self.started:
            return "starting", "the model is being loaded; try again in a moment"
        if not self.ready:
            return "unhealthy", "no worker is ready; one is being started"
        return None


def notify(path: Path, notice: str) -> None:
    """Send one notice to the supervisor; lost without a sound where it is gone."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(notice.encode()[:LONGEST_NOTICE], str(path))


def open_socket(path: Path, kind: socket.SocketKind) -> socket.socket:
    """Open a unix socket that workers of any user may reach; the folder keeps others out."""
    opened = socket.socket(socket.AF_UNIX, kind)
    opened.bind(str(path))
    path.chmod(0o666)
    opened.setblocking(False)
    if kind == socket.SOCK_STREAM:
        opened.listen(128)
    return opened


class HealthServer:
    """Answers nginx's GET /ping, and takes notices, whenever the selector says there is one.

    Only our own nginx can reach the socket, so a request is what it makes of one: a GET without
    a body, in one piece or a few.
    """

    def __init__(self, health: Health, selector: selectors.BaseSelector) -> None:
        self._health = health
        self._selector = selector
        self._opened: list[socket.socket] = []

    def listen(self, pings: Path, notices: Path) -> None:
        """Open both sockets."""
        listener = open_socket(pings, socket.SOCK_STREAM)
        receiver = open_socket(notices, socket.SOCK_DGRAM)
        self._opened += [listener, receiver]
        self._watch(listener, lambda: self._accept(listener))
        self._watch(receiver, lambda: self._receive(receiver))

    def close(self) -> None:
        """Close every socket."""
        for opened in self._opened:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(opened)
            opened.close()
        self._opened.clear()

    def _watch(self, opened: socket.socket, act: Callable[[], None]) -> None:
        self._selector.register(opened, selectors.EVENT_READ, act)

    def _receive(self, receiver: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._health.note(receiver.recv(LONGEST_NOTICE).decode(errors="replace"))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client may be gone again
            connection, _ = listener.accept()
            connection.setblocking(False)
            self._opened.append(connection)
            buffer = bytearray()
            self._watch(connection, lambda: self._serve(connection, buffer))

    def _serve(self, connection: socket.socket, buffer: bytearray) -> None:
        """Read what there is; answer each request that is complete."""
        try:
            received = connection.recv(LONGEST_REQUEST)
            buffer += received
            while (end := buffer.find(b"\r\n\r\n")) >= 0:
                connection.sendall(answer(self._health, bytes(buffer[:end])))
                del buffer[: end + 4]
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received or len(buffer) > LONGEST_REQUEST:
            self._selector.unregister(connection)
            self._opened.remove(connection)
            connection.close()


def answer(health: Health, request: bytes) -> bytes:
    """The whole HTTP answer to a ping: an empty 200, or a 503 that says why."""
    fault = health.fault
    if fault is None:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    code, detail = fault
    found = REQUEST_ID_HEADER.search(request)
    request_id = found[1].decode("latin-1").strip() if found else ""
    if not REQUEST_ID.fullmatch(request_id):
        request_id = "none"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    body = problem(status, code, detail, request_id=request_id)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {PROBLEM}\r\n"
        f"Retry-After: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
