from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from canarywood.serving.connections import PATIENCE_S, Connection, Poller, State

Pair = tuple[Connection, socket.socket]

IDLE_S = 5.0


@pytest.fixture
def client_of() -> Iterator[Pair]:
    """A connection and its client."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours, ""), theirs


def test_what_comes_in_pieces_is_put_together(client_of: Pair) -> None:
    connection, client = client_of
    assert connection.receive()
    assert connection.is_idle
    client.sendall(b"ab")
    assert connection.receive()
    client.sendall(b"cd")
    assert connection.receive()
    assert connection.received == b"abcd"
    assert not connection.is_idle


def test_the_end_of_the_client_is_seen(client_of: Pair) -> None:
    connection, client = client_of
    client.close()
    assert not connection.receive()
    assert not connection.send(b"answer")


def test_what_the_client_does_not_take_is_kept(client_of: Pair) -> None:
    connection, client = client_of
    data = bytes(range(256)) * 20_000
    assert connection.send(data)
    assert 0 < len(connection.unsent) < len(data)
    taken = b""
    while len(taken) < len(data):
        taken += client.recv(1 << 20)
        assert connection.send(connection.unsent)
    assert taken == data
    assert connection.unsent == b""


def test_what_was_sent_arrives_after_the_end(client_of: Pair) -> None:
    connection, client = client_of
    client.sendall(b"never read")
    connection.send(b"answer")
    connection.close()
    assert client.recv(100) == b"answer"


def test_an_idle_connection_is_kept_for_as_long_as_told(client_of: Pair) -> None:
    connection, _ = client_of
    assert not connection.is_overdue(connection.since + IDLE_S, IDLE_S)
    assert connection.is_overdue(connection.since + IDLE_S + 1, IDLE_S)


def test_a_request_or_an_answer_on_its_way_has_its_own_time(client_of: Pair) -> None:
    connection, client = client_of
    client.sendall(b"POST")
    connection.receive()
    began = connection.since
    client.sendall(b" /invocations")
    connection.receive()
    assert connection.since == began, "a client that sends drop by drop gains no time"
    assert not connection.is_overdue(began + PATIENCE_S, IDLE_S)
    assert connection.is_overdue(began + PATIENCE_S + 1, IDLE_S)
    connection.received, connection.state = b"", State.SENDING
    assert not connection.is_overdue(began + PATIENCE_S, IDLE_S)


def test_a_listener_is_called_until_it_is_unregistered() -> None:
    called: list[socket.socket] = []
    poller = Poller()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        poller.register(listener, 1, called.append)
        with socket.create_connection(listener.getsockname()):
            ((number, _),) = poller.poll(60)
            poller.call(number)
            assert called == [listener]
            poller.unregister(listener)
            assert poller.poll(0) == []
            poller.call(number)
            assert called == [listener]
    poller.close()
