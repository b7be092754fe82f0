"""`docker run IMAGE serve`: answers equal to XGBoost's with tolerance 0, rights, size, the end."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from tests.docker import engine
from tests.docker.conftest import csv
from tests.docker.engine import Server

CSV = {"Content-Type": "text/csv", "Accept": "text/csv"}
Rows = NDArray[np.float32]


@pytest.fixture(scope="module")
def server(hosting: Path) -> Iterator[Server]:
    """One server as the platform starts it, as root, for the tests that only ask."""
    with engine.serving(hosting) as running:
        yield running


@pytest.fixture(scope="module")
def expected(booster: xgboost.Booster, rows: Rows) -> Rows:
    """What XGBoost itself says."""
    predicted: Rows = booster.inplace_predict(rows)
    return predicted


@pytest.fixture(scope="module")
def body(rows: Rows) -> bytes:
    """The rows as CSV."""
    return "\n".join(csv(row) for row in rows).encode()


def test_csv_is_answered_as_xgboost_predicts(server: Server, body: bytes, expected: Rows) -> None:
    answer = server.request("/invocations", body, CSV)
    assert answer.status == 200, answer.body
    assert np.array_equal(_numbers(answer.body), expected)


def test_json_is_answered_as_xgboost_predicts(server: Server, rows: Rows, expected: Rows) -> None:
    instances = [[None if np.isnan(cell) else float(cell) for cell in row] for row in rows]
    answer = server.request(
        "/invocations",
        json.dumps({"instances": instances}).encode(),
        {"Content-Type": "application/json", "Accept": "application/json"},
    )
    assert answer.status == 200, answer.body
    scores = [each["score"] for each in json.loads(answer.body)["predictions"]]
    assert np.array_equal(np.array(scores, dtype=np.float32), expected)


def test_a_body_that_does_not_fit_is_the_callers_fault(server: Server) -> None:
    answer = server.request("/invocations", b"1,2\n", CSV)
    assert answer.status == 422
    assert json.loads(answer.body)["code"] == "feature_count"


def test_only_masters_are_root(server: Server) -> None:
    """Process 1, gunicorn's and nginx's masters; whatever touches a request is canarywood's."""
    assert server.processes()
    root = [line for _, uid, line in server.processes() if uid == 0]
    others = {uid for _, uid, _ in server.processes() if uid != 0}
    assert len(root) == 3
    assert others == {10001}


def test_serving_needs_no_root_no_capability_and_no_writable_root(
    hosting: Path, body: bytes, expected: Rows
) -> None:
    with engine.serving(hosting, *engine.LOCKED_DOWN) as running:
        assert np.array_equal(_numbers(running.request("/invocations", body, CSV).body), expected)
        assert {uid for _, uid, _ in running.processes()} == {10001}


def test_any_other_user_will_do(hosting: Path, body: bytes, expected: Rows) -> None:
    options = ("--user", "54321", "--read-only", "--tmpfs", "/tmp")  # noqa: S108 - in the container
    with engine.serving(hosting, *options) as running:
        assert np.array_equal(_numbers(running.request("/invocations", body, CSV).body), expected)


def test_the_platform_may_choose_the_port(hosting: Path, body: bytes, expected: Rows) -> None:
    options = ("--env", "SAGEMAKER_BIND_TO_PORT=9123")
    with engine.serving(hosting, *options, port=9123) as running:
        assert np.array_equal(_numbers(running.request("/invocations", body, CSV).body), expected)
        listening = running.inside("bash", "-c", "cat /proc/net/tcp /proc/net/tcp6")
        ports = {int(line.split()[1][-4:], 16) for line in listening.splitlines() if " 0A " in line}
        assert ports == {9123}


def test_one_cpu_and_one_gib_make_one_worker(hosting: Path) -> None:
    with engine.serving(hosting, "--cpus", "1", "--memory", "1g") as running:
        assert _workers(running) == 1


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one CPU alone")
def test_each_cpu_has_a_worker(hosting: Path) -> None:
    with engine.serving(hosting, "--cpus", "2", "--memory", "4g") as running:
        assert _workers(running) == 2


def test_an_idle_server_stops_with_exit_code_0(hosting: Path) -> None:
    with engine.serving(hosting) as running:
        engine.must(engine.docker("stop", "--time", "30", running.name))
        assert engine.inspect(running.name)["State"]["ExitCode"] == 0, running.log()


def test_a_stop_under_load_loses_no_request(hosting: Path, body: bytes, expected: Rows) -> None:
    """Clients send until /ping says 503, as the platform does; every answer is whole and right."""
    draining = threading.Event()
    answered: list[bytes] = []

    def send(running: Server) -> None:
        while not draining.is_set():
            answer = running.request("/invocations", body, CSV)
            assert answer.status == 200, answer.body
            answered.append(answer.body)

    with engine.serving(hosting) as running, ThreadPoolExecutor(5) as pool:
        senders = [pool.submit(send, running) for _ in range(4)]
        while len(answered) < 40 and not any(sender.done() for sender in senders):
            time.sleep(0.01)
        stop = pool.submit(engine.docker, "stop", "--time", "30", running.name)
        try:
            while running.request("/ping").status == 200:
                time.sleep(0.01)
        finally:
            draining.set()
        for sender in senders:
            sender.result()
        engine.must(stop.result())
        assert engine.inspect(running.name)["State"]["ExitCode"] == 0, running.log()
    assert all(np.array_equal(_numbers(each), expected) for each in answered)


def test_a_request_half_sent_at_the_stop_is_answered(
    hosting: Path, body: bytes, expected: Rows
) -> None:
    with engine.serving(hosting) as running, ThreadPoolExecutor(1) as pool:
        host, _, port = running.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            head = (
                "POST /invocations HTTP/1.1\r\nHost: test\r\nContent-Type: text/csv\r\n"
                f"Accept: text/csv\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            client.sendall(head.encode() + body[:100])
            stop = pool.submit(engine.docker, "stop", "--time", "30", running.name)
            while running.request("/ping").status == 200:
                time.sleep(0.01)
            client.sendall(body[100:])
            received = b"".join(iter(lambda: client.recv(65536), b""))
        engine.must(stop.result())
        assert received.startswith(b"HTTP/1.1 200 ")
        assert np.array_equal(_numbers(received.partition(b"\r\n\r\n")[2]), expected)
        assert engine.inspect(running.name)["State"]["ExitCode"] == 0, running.log()


@pytest.mark.parametrize("options", [(), engine.LOCKED_DOWN], ids=["root", "locked down"])
def test_a_missing_model_ends_the_container_with_one_line(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "ml" / "model").mkdir(parents=True)
    outcome = engine.run("serve", opt_ml=tmp_path / "ml", options=options)
    (line,) = outcome.stderr.splitlines()
    assert outcome.code == 1
    assert line.startswith("canarywood serve: ")
    assert "xgboost-model" in line


def _workers(running: Server) -> int:
    """Processes of gunicorn, less its master."""
    return sum("gunicorn" in line for _, _, line in running.processes()) - 1


def _numbers(answer: bytes) -> Rows:
    return np.array(answer.split(), dtype=np.float32)
