"""A gunicorn worker that answers small invocations in an event loop, all else in threads.

    epoll ─┬─ whole, small, from our nginx ──> answered together, in the loop
           └─ anything else ──> gunicorn's parser and the WSGI application, in a thread

It is gunicorn's gthread worker with another front: life, threads, drain and everything that is
not the hot path stay gunicorn's. The seams (methods that are overridden, TConn, the parser's
`unread`) belong to gunicorn 27.0.1, which is pinned; tests/container/serving/test_worker.py
holds them. Without nginx in front there are threads alone: see plan.worker_class.

In a thread a request costs three times the processor time of its prediction, mostly for handing
it over; and a request that is answered in the loop never waits for one that takes seconds.
"""

from __future__ import annotations

import gc
import logging
import select
import socket
import sys
import time
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn

from canarywood.serving.connections import Connection, Poller, State
from canarywood.serving.http1 import Call, Verdict, look, request_id_in, response
from canarywood.serving.invocations import Answer
from canarywood.serving.threads import ThreadsWorker

# How long a thread may keep the interpreter while the loop waits for it (Python: 5 ms).
SWITCH_S = 0.0005
ACCEPTED_AT_ONCE = 16
DRAIN_POLL_S = 0.1
STOP_LINGER_S = 0.2

log = logging.getLogger(__name__)


class LoopWorker(ThreadsWorker):
    """See the module."""

    alive: bool

    def run(self) -> None:
        """Serve until told to stop; gunicorn's own loop calls the methods below."""
        self.poller.close()
        self.poller: Poller = Poller()
        self._connections: dict[int, Connection] = {}
        self._further: list[Connection] = []  # have received more than the answered request
        self._ids: dict[socket.socket, str] = {}  # of requests in threads, as nginx has set them
        self._idle_s = float(self.cfg.keepalive)
        self._server = self.sockets[0].getsockname()
        sys.setswitchinterval(SWITCH_S)
        gc.collect()
        gc.freeze()  # the model and the modules are not looked at again and again
        super().run()

    # -- what gunicorn's loop calls --------------------------------------------------------------

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Answer until the time is over, or gunicorn's loop has something to decide."""
        if not self.alive:
            timeout = min(timeout, DRAIN_POLL_S)
        end = time.monotonic() + timeout
        left = timeout
        while left >= 0:
            self._round(0 if self._further else left)
            if not self.alive or self._accepting != (self.nr_conns < self.worker_connections):
                return
            left = end - time.monotonic()

    def accept(self, listener: socket.socket) -> None:
        """Take a few connections; more are left to the next round, or to another worker."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                opened, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):  # no more, or another was faster
                return
            self.nr_conns += 1
            self._watch(Connection(opened, address))

    def handle(self, conn: TConn) -> Any:
        """In a thread: answer one request; what ends with it is closed here, as that may wait."""
        goes_on = super().handle(conn)
        self._ids.pop(conn.sock, None)
        if not goes_on:
            conn.close(graceful=True)
        return goes_on

    def request_id(self, client: socket.socket) -> str:
        """The id of a request that could not be read, where nginx's could."""
        return self._ids.get(client) or super().request_id(client)

    def finish_request(self, conn: TConn, future: Any) -> None:
        """Back in the loop, after a thread has answered: read on, if the connection goes on."""
        if future.cancelled() or future.exception() or not future.result():
            self.nr_conns -= 1
            conn.sock.close()
            return
        connection = Connection(conn.sock, conn.client)
        connection.received = conn.parser.unreader.take_buffered()
        self._watch(connection)
        if connection.received:
            self._further.append(connection)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close what has been idle, or has kept us waiting, for too long."""
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if force or connection.is_overdue(now, self._idle_s):
                self._close(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """Once the worker stops: keep idle connections a moment longer, then close them.

        nginx sends again what it has sent on a connection that was closed unanswered, so the
        moment need not be long, and a worker that replaces this one starts after it.
        """
        now = time.monotonic()
        self._idle_s = min(deadline - now, STOP_LINGER_S)
        for connection in self._connections.values():
            if connection.is_idle:
                connection.since = now

    # -- the loop --------------------------------------------------------------------------------

    def _round(self, timeout: float) -> None:
        """Read whatever there is, then answer it."""
        asked: list[tuple[Connection, Call]] = []
        further, self._further = self._further, []
        for connection in further:
            if connection.state is State.READING:
                self._look(connection, asked)
        for number, _ in self.poller.poll(timeout):
            known = self._connections.get(number)
            if known is None:
                self.poller.call(number)
            else:
                self._advance(known, asked)
        if asked:
            self._answer(asked)

    def _advance(self, connection: Connection, asked: list[tuple[Connection, Call]]) -> None:
        """Do what a connection is ready for."""
        if connection.state is State.SENDING:
            self._send(connection, connection.unsent)
        elif connection.state is State.READING:
            if connection.receive():
                self._look(connection, asked)
            else:
                self._close(connection)

    def _look(self, connection: Connection, asked: list[tuple[Connection, Call]]) -> None:
        """See what a connection has received."""
        if not connection.received:
            return
        found = look(connection.received, self.wsgi.largest_small_body)
        if isinstance(found, Call) and self.wsgi.is_small(found.environ, found.body):
            connection.state = State.ASKED
            connection.received = connection.received[found.size :]
            asked.append((connection, found))
        elif found is not Verdict.MORE:
            self._hand_over(connection)

    def _answer(self, asked: list[tuple[Connection, Call]]) -> None:
        """Answer what is small; each part is sent before the next is predicted."""
        self.nr += len(asked)
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        answers = self.wsgi.answer_together([call.environ for _, call in asked])
        try:
            for (connection, _), answer in zip(asked, answers, strict=True):
                self._reply(connection, answer)
        except Exception:
            log.exception("requests were dropped")
            for connection, _ in asked:
                if connection.state is State.ASKED:
                    self._close(connection)

    def _reply(self, connection: Connection, answer: Answer) -> None:
        connection.last = not self.alive
        self._send(connection, response(answer, close=connection.last))

    def _send(self, connection: Connection, data: bytes) -> None:
        """Send; what the client does not take now is sent when it can."""
        if not connection.send(data):
            self._close(connection)
        elif connection.unsent:
            if connection.state is not State.SENDING:
                connection.state = State.SENDING
                connection.since = time.monotonic()
                self.poller.change(connection.socket, select.EPOLLOUT)
        elif connection.last:
            self._close(connection)
        else:
            self._read_on(connection)

    def _read_on(self, connection: Connection) -> None:
        if connection.state is State.SENDING:
            self.poller.change(connection.socket, select.EPOLLIN)
        connection.state = State.READING
        connection.since = time.monotonic()
        if connection.received:
            self._further.append(connection)

    def _watch(self, connection: Connection) -> None:
        self._connections[connection.socket.fileno()] = connection
        self.poller.watch(connection.socket, select.EPOLLIN)

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection.socket.fileno()]
        self.poller.forget(connection.socket)

    def _close(self, connection: Connection) -> None:
        self._forget(connection)
        self.nr_conns -= 1
        connection.close()
        connection.state = State.CLOSED

    def _hand_over(self, connection: Connection) -> None:
        """Give a connection to a thread, with all that was received, until it is answered."""
        self._forget(connection)
        conn = TConn(self.cfg, connection.socket, connection.address, self._server)
        conn.parser = http.get_parser(self.cfg, connection.socket, connection.address)
        conn.parser.unreader.unread(connection.received)
        conn.initialized = True
        if request_id := request_id_in(connection.received):
            self._ids[connection.socket] = request_id
        self.enqueue_req(conn)
