"""The loop worker: what happens on its socket, asked with and without nginx in between."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from canarywood.serving.http1 import LONGEST_HEAD
from tests.container.serving.server import Server, exchange, started, wait_for

pytestmark = pytest.mark.slow

FEATURES = 6
TYPED = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def booster() -> xgb.Booster:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((500, FEATURES)).astype(np.float32)
    label = features[:, 0] > features[:, 1]
    return xgb.train({"objective": "binary:logistic", "nthread": 1}, xgb.DMatrix(features, label))


@pytest.fixture(scope="module")
def base(booster: xgb.Booster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    (folder / "model").mkdir()
    (folder / "model" / "xgboost-model").write_bytes(booster.save_raw("ubj"))
    return folder


@pytest.fixture(scope="module")
def running(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server, one worker; every test leaves it as it was."""
    folder = tmp_path_factory.mktemp("server")
    with started(
        base,
        folder,
        CANARYWOOD_WORKER="loop",
        MODEL_SERVER_WORKERS="1",
        SAGEMAKER_MODEL_JOB_QUEUE_SIZE="1000",
    ) as server:
        server.wait_until_ready()
        yield server
        assert server.stop() == 0
        assert server.errors == ""


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The same, unharmed: no worker has ended, and it still answers."""
    before = running.pids("gunicorn")
    yield running
    assert running.pids("gunicorn") == before
    assert running.predict(b"1,2,3,4,5,6\n").status == 200


def a_row(number: int) -> list[float]:
    return [round(number / 7 + column / 3 - 2, 4) for column in range(FEATURES)]


def a_body(number: int, rows: int = 1) -> bytes:
    lines = [",".join(map(repr, a_row(number + row))) for row in range(rows)]
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture(scope="module")
def scores(booster: xgb.Booster) -> list[float]:
    rows = np.array([a_row(number) for number in range(3000)], dtype=np.float32)
    found: list[float] = booster.predict(xgb.DMatrix(rows)).tolist()
    return found


def a_request(body: bytes, *lines: bytes) -> bytes:
    """As nginx sends it."""
    return (
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nX-Request-Id: id\r\n"
        b"Content-Length: %d\r\nContent-Type: text/csv\r\n"
        % len(body)
        + b"".join(line + b"\r\n" for line in lines)
        + b"\r\n"
        + body
    )


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    """A connection to the worker itself, as nginx has it."""
    (path,) = server.temporary.glob("*/workers.sock")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        yield client


class Reader:
    """Reads answers off a connection, one after the other."""

    def __init__(self, client: socket.socket) -> None:
        self._file = client.makefile("rb")

    def answer(self) -> tuple[int, bytes]:
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, self._file.read(length)

    def rest(self) -> bytes:
        return self._file.read()


def score_of(answer: tuple[int, bytes]) -> np.float32:
    assert answer[0] == 200, answer
    return np.float32(answer[1])


# -- one connection ------------------------------------------------------------------------------


def test_a_request_may_come_byte_by_byte(server: Server, scores: list[float]) -> None:
    with connected(server) as client:
        reader = Reader(client)
        for number in range(3):
            for byte in a_request(a_body(number)):
                client.sendall(bytes([byte]))
            assert score_of(reader.answer()) == np.float32(scores[number])


def test_requests_in_one_segment_are_answered_in_order(server: Server, scores: list[float]) -> None:
    with connected(server) as client:
        client.sendall(b"".join(a_request(a_body(number)) for number in range(50)))
        reader = Reader(client)
        assert [score_of(reader.answer()) for _ in range(50)] == list(map(np.float32, scores[:50]))


def test_other_requests_in_between_keep_their_place(server: Server, scores: list[float]) -> None:
    page = b"GET /execution-parameters HTTP/1.1\r\nHost: x\r\n\r\n"
    large = a_body(0, rows=2000)
    chunked = a_request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(a_body(3)), a_body(3))
    segment = a_request(a_body(1)) + page + a_request(large) + a_request(a_body(2)) + chunked
    with connected(server) as client, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.sendall, segment + a_request(a_body(4)))
        reader = Reader(client)
        assert score_of(reader.answer()) == np.float32(scores[1])
        assert b"MaxPayloadInMB" in reader.answer()[1]
        found = np.array(reader.answer()[1].split(), dtype=np.float32)
        assert found.tolist() == scores[:2000]
        assert score_of(reader.answer()) == np.float32(scores[2])
        assert score_of(reader.answer()) == np.float32(scores[3])
        assert score_of(reader.answer()) == np.float32(scores[4])
        sent.result()


def test_a_client_that_does_not_read_gets_all_answers_later(
    server: Server, scores: list[float]
) -> None:
    """Far more answers than the socket's buffers hold."""
    request = a_request(a_body(7, rows=300))
    with connected(server) as client, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.sendall, request * 300)
        wait_for(lambda: _is_full(client) or sent.done())
        with connected(server) as other:
            other.sendall(a_request(a_body(1)))
            assert score_of(Reader(other).answer()) == np.float32(scores[1])
        reader = Reader(client)
        expected = [np.float32(score) for score in scores[7:307]]
        for _ in range(300):
            status, body = reader.answer()
            assert status == 200
            assert [np.float32(text) for text in body.split()] == expected
        sent.result()


def _is_full(client: socket.socket) -> bool:
    """Whether the answers that wait for us fill the buffer."""
    try:
        waiting = client.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return len(waiting) > 100_000


def test_a_half_closed_connection_is_answered(server: Server, scores: list[float]) -> None:
    with connected(server) as client:
        client.sendall(a_request(a_body(1)) + a_request(a_body(2)))
        client.shutdown(socket.SHUT_WR)
        reader = Reader(client)
        assert score_of(reader.answer()) == np.float32(scores[1])
        assert score_of(reader.answer()) == np.float32(scores[2])
        assert reader.rest() == b""


def test_a_connection_is_closed_where_the_client_says_so(server: Server) -> None:
    with connected(server) as client:
        client.sendall(a_request(a_body(1), b"Connection: close"))
        reader = Reader(client)
        assert reader.answer()[0] == 200
        assert reader.rest() == b""


def test_a_body_longer_than_declared_is_no_part_of_the_answer(
    server: Server, scores: list[float]
) -> None:
    with connected(server) as client:
        client.sendall(a_request(a_body(1)) + b"9,9,9,9,9,9\r\n\r\n")
        reader = Reader(client)
        assert score_of(reader.answer()) == np.float32(scores[1])
        assert reader.answer()[0] == 400
        assert reader.rest() == b""


def test_a_body_shorter_than_declared_is_never_answered(server: Server) -> None:
    with connected(server) as client:
        client.sendall(a_request(a_body(1))[:-1])
        client.shutdown(socket.SHUT_WR)
        assert Reader(client).rest() == b""


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding : chunked"],
        [b"Bad Name: 1"],
        [b"A: b\x00c"],
    ],
)
def test_a_request_with_two_meanings_is_refused(server: Server, lines: list[bytes]) -> None:
    with connected(server) as client:
        client.sendall(a_request(a_body(1), *lines) + a_request(a_body(2)))
        assert (reader := Reader(client)).answer()[0] == 400
        assert reader.rest() == b""


def test_huge_headers_are_refused(server: Server) -> None:
    with connected(server) as client, ThreadPoolExecutor(1) as pool:
        head = a_request(b"", b"A: " + b"a" * 2 * LONGEST_HEAD)
        sent = pool.submit(_send_what_is_taken, client, head)
        assert 400 <= Reader(client).answer()[0] < 500
        sent.result()


def test_headers_as_long_as_nginx_lets_pass_are_taken(server: Server) -> None:
    long = {"A": "a" * 15_000, "B": "b" * 15_000}
    assert server.ask(body=a_body(1), headers={**TYPED, **long}).status == 200
    assert server.ask("/metrics?" + "a" * 15_000, headers=long).status == 200


# -- many connections ----------------------------------------------------------------------------


def test_everybody_gets_his_own_answer_in_any_company(server: Server, scores: list[float]) -> None:
    """Good and bad neighbours, all at once: no answer is somebody else's."""

    def client(first: int) -> list[str]:
        wrong = []
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number in range(first, first + 60):
            rows = number % 5
            body = a_body(number, rows) if rows else b"1,2\n"
            answer = exchange(connection, "/invocations", body, TYPED)
            expected = [np.float32(score) for score in scores[number : number + rows]]
            found = [np.float32(x) for x in answer.body.split()] if answer.status == 200 else []
            if answer.status != (200 if rows else 422) or found != expected:
                wrong.append(f"{number}: {answer}")
        connection.close()
        return wrong

    with ThreadPoolExecutor(24) as pool:
        assert [wrong for found in pool.map(client, range(0, 2400, 100)) for wrong in found] == []


def test_a_small_request_does_not_wait_for_large_ones(server: Server, scores: list[float]) -> None:
    body = a_body(0, rows=2500) * 40
    with ThreadPoolExecutor(6) as pool:
        large = [pool.submit(server.predict, body) for _ in range(6)]
        wait_for(lambda: _metric(server, "canarywood_queue_length") >= 1)
        assert np.float32(server.predict(a_body(1)).body) == np.float32(scores[1])
        assert not all(future.done() for future in large)
        assert [future.result().status for future in large] == [200] * 6


def test_idle_connections_do_not_matter(server: Server, scores: list[float]) -> None:
    with connected(server) as first:
        others = [socket.socket(socket.AF_UNIX) for _ in range(200)]
        for other in others:
            other.connect(first.getpeername())
            other.sendall(b"POST")
        first.sendall(a_request(a_body(5)))
        assert score_of(Reader(first).answer()) == np.float32(scores[5])
        for other in others:
            other.close()


def test_clients_that_leave_before_their_answer_leave_nothing_behind(server: Server) -> None:
    before = _sockets(server)
    for number in range(100):
        with connected(server) as client:
            client.sendall(a_request(a_body(number, rows=1 + 20 * (number % 3))))
            if number % 2:
                client.sendall(a_request(a_body(number))[: number + 10])
    wait_for(lambda: _sockets(server) <= before)


def test_nginx_uses_its_connections_again(server: Server) -> None:
    for _ in range(3):
        assert server.predict(a_body(1)).status == 200
    before = _sockets(server)
    for number in range(100):
        assert server.predict(a_body(number)).status == 200
    assert _sockets(server) == before


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_end_no_worker_and_are_no_5xx(server: Server, seed: int) -> None:
    generator = np.random.default_rng(seed)
    good = a_request(a_body(1))
    for _ in range(150):
        noise = bytearray(good * int(generator.integers(1, 4)))
        for _ in range(int(generator.integers(1, 12))):
            place = int(generator.integers(len(noise)))
            noise[place : place + int(generator.integers(4))] = generator.bytes(
                int(generator.integers(4))
            )
        if generator.random() < 0.2:
            noise = bytearray(generator.bytes(int(generator.integers(1, 500))))
        with connected(server) as client:
            _send_what_is_taken(client, bytes(noise))
            answers = Reader(client).rest()
        statuses = re.findall(rb"HTTP/1\.1 (\d)\d\d ", answers)
        assert set(statuses) <= {b"2", b"4"}, (bytes(noise), answers)


def _send_what_is_taken(client: socket.socket, data: bytes) -> None:
    """The worker may close before it has read everything."""
    try:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _sockets(server: Server) -> int:
    """Sockets that the worker has open."""
    worker = server.pids("gunicorn")[1]
    links = [link.readlink() for link in Path(f"/proc/{worker}/fd").iterdir() if link.is_symlink()]
    return sum(str(link).startswith("socket:") for link in links)


def _metric(server: Server, name: str) -> float:
    text = server.ask("/metrics").body.decode()
    return float(next(x for x in text.splitlines() if x.startswith(name + " ")).split()[1])


# -- life ----------------------------------------------------------------------------------------


def test_replaced_workers_lose_no_request(base: Path, tmp_path: Path) -> None:
    with started(base, tmp_path, CANARYWOOD_WORKER="loop", CANARYWOOD_MAX_REQUESTS="30") as server:
        server.wait_until_ready()
        workers = set(server.pids("gunicorn"))

        def client(_: int) -> set[int]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            found = {
                exchange(connection, "/invocations", a_body(number), TYPED).status
                for number in range(60)
            }
            connection.close()
            return found

        with ThreadPoolExecutor(8) as pool:
            assert set().union(*pool.map(client, range(8))) == {200}
        assert set(server.pids("gunicorn")) != workers


def test_with_threads_alone_the_answers_are_the_same(
    base: Path, tmp_path: Path, scores: list[float]
) -> None:
    with started(base, tmp_path, CANARYWOOD_WORKER="threads") as server:
        server.wait_until_ready()
        assert np.float32(server.predict(a_body(1)).body) == np.float32(scores[1])
        assert server.predict(b"1,2\n").status == 422
        assert server.stop() == 0
        assert server.errors == ""
