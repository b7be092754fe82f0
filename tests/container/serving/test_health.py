from __future__ import annotations

import contextlib
import json
import selectors
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from canarywood.serving.health import Health, HealthServer, answer, notify

REQUEST = b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Request-Id: id-7\r\n\r\n"


def test_no_request_is_taken_before_every_worker_is_ready() -> None:
    health = Health(expected=2)
    assert health.fault == ("starting", "the model is being loaded; try again in a moment")
    health.note("ready 11")
    assert health.fault is not None
    health.note("ready 12")
    assert health.fault is None


def test_a_lost_worker_is_no_fault_while_another_is_ready() -> None:
    health = Health(expected=2)
    for notice in ("ready 11", "ready 12", "gone 11"):
        health.note(notice)
    assert health.fault is None
    assert health.ready == {12}


def test_the_loss_of_all_workers_is_unhealthy_until_one_is_back() -> None:
    health = Health(expected=1)
    for notice in ("ready 11", "gone 11"):
        health.note(notice)
    assert health.fault == ("unhealthy", "no worker is ready; one is being started")
    health.note("ready 13")
    assert health.fault is None


def test_draining_goes_before_everything() -> None:
    health = Health(expected=1)
    health.note("ready 11")
    health.draining = True
    assert health.fault is not None
    assert health.fault[0] == "draining"


def test_the_first_failure_is_kept() -> None:
    health = Health(expected=1)
    health.note("failed the model is too new")
    health.note("failed later")
    assert health.failure == "the model is too new"


def test_a_notice_that_makes_no_sense_is_ignored() -> None:
    health = Health(expected=1)
    for notice in ("", "ready", "ready x", "gone -1", "hello 5"):
        health.note(notice)
    assert health == Health(expected=1)


def test_ready_is_an_empty_200() -> None:
    health = Health(expected=0)
    health.note("ready 1")
    assert answer(health, REQUEST) == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_not_ready_is_a_503_that_says_why() -> None:
    head, _, body = answer(Health(expected=1), REQUEST).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Content-Length: %d" % len(body) in head
    found = json.loads(body)
    assert (found["status"], found["code"], found["request_id"]) == (503, "starting", "id-7")


class Loop:
    """A health server and the loop that the supervisor would run for it."""

    def __init__(self, folder: Path) -> None:
        self.health = Health(expected=1)
        self.pings, self.notices = folder / "p", folder / "n"
        self.selector = selectors.DefaultSelector()
        self.server = HealthServer(self.health, self.selector)
        self.server.listen(self.pings, self.notices)

    def turn(self) -> None:
        for key, _ in self.selector.select(30):
            key.data()


@pytest.fixture
def loop() -> Iterator[Loop]:
    with tempfile.TemporaryDirectory(prefix="cw") as folder:
        made = Loop(Path(folder))
        with contextlib.closing(made.server):
            yield made
        made.selector.close()


def test_notices_arrive_by_datagram(loop: Loop) -> None:
    notify(loop.notices, "ready 5")
    loop.turn()
    assert loop.health.ready == {5}


def test_a_notice_to_nobody_is_lost_without_a_sound(tmp_path: Path) -> None:
    notify(tmp_path / "none", "ready 5")


def test_one_connection_is_asked_many_times_also_in_pieces(loop: Loop) -> None:
    loop.health.note("ready 1")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(loop.pings))
        loop.turn()
        for pieces in ([REQUEST], [REQUEST[:9], REQUEST[9:]]):
            for piece in pieces:
                client.sendall(piece)
                loop.turn()
            assert client.recv(999).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_leaves_is_forgotten(loop: Loop) -> None:
    before = len(loop.selector.get_map())
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(loop.pings))
        loop.turn()
        assert len(loop.selector.get_map()) == before + 1
    loop.turn()
    assert len(loop.selector.get_map()) == before
