"""A real server at work: its answers, its limits under load, its log."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from canarywood.serving.processes import unprivileged_identity
from tests.container.serving.lives import Start, csv_of, in_flight, rows, slow_rows
from tests.container.serving.server import (
    exchange,
    wait_for,
)

pytestmark = pytest.mark.slow


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
