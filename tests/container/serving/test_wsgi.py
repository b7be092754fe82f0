from __future__ import annotations

import io
import json
import logging
from http import HTTPStatus
from typing import Any

import pytest

from canarywood.errors import SettingsError
from canarywood.serving.admission import Admission, Deadline
from canarywood.serving.invocations import (
    ROWS_PER_BLOCK,
    Invocations,
    Limits,
    Types,
    accepts_with_default,
)
from canarywood.serving.metrics import Metrics
from canarywood.serving.openapi import document
from canarywood.serving.pages import Pages, create_pages, execution_parameters
from canarywood.serving.wsgi import Application
from tests.container.serving.fakes import Clock, FakeModel, Floats, Response

TYPES = ("text/csv", "application/json")
MIB = 1024 * 1024


class Server:
    """An application around a fake model, asked as gunicorn asks."""

    def __init__(
        self, model: FakeModel, *, clock: Clock | None = None, log_share: float = 0.0
    ) -> None:
        self.clock = clock or Clock()
        self.metrics = Metrics()
        self.admission = Admission(1, 0)
        pages = Pages(
            document(model.schema, 1, TYPES),
            self.metrics,
            execution_parameters(2, MIB),
            model.schema,
            1,
        )
        invocations = Invocations(
            model,
            Limits(body_bytes=100_000, timeout_s=2),
            self.admission,
            Types(TYPES, TYPES),
            deadline=lambda seconds: Deadline.after(seconds, self.clock),
        )
        wsgi = create_pages(pages).wsgi_app
        self.application = Application(model, invocations, wsgi, self.metrics, log_share)

    def ask(
        self,
        body: bytes = b"1,2\n",
        *,
        method: str = "POST",
        path: str = "/invocations",
        **environ: Any,
    ) -> Response:
        response = Response()
        given: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_TYPE": "text/csv",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            **environ,
        }
        found = self.application(given, response.start)
        response.body = b"".join(found)
        return response

    def scrape(self) -> dict[str, float]:
        text = self.ask(method="GET", path="/metrics").body.decode()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}


@pytest.fixture
def server() -> Server:
    return Server(FakeModel())


def test_rows_are_answered_in_order(server: Server) -> None:
    response = server.ask(b"1,2\n3,4\n0.5,0.25\n")
    assert response.status == "200 OK"
    assert response.body == b"3\n7\n0.75\n"
    assert response.headers["Content-Type"] == "text/csv"
    assert response.headers["Content-Length"] == "9"


def test_the_type_of_the_answer_follows_accept(server: Server) -> None:
    response = server.ask(HTTP_ACCEPT="application/json, text/csv;q=0.5")
    assert json.loads(response.body) == {"predictions": [{"score": 3.0}]}
    assert response.headers["Content-Type"] == "application/json"


def test_parameters_of_the_content_type_are_no_obstacle(server: Server) -> None:
    assert server.ask(CONTENT_TYPE="Text/CSV; charset=utf-8").status == "200 OK"


def test_custom_attributes_are_echoed(server: Server) -> None:
    header = "X-Amzn-SageMaker-Custom-Attributes"
    response = server.ask(HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES="trace=1; a b")
    assert response.headers[header] == "trace=1; a b"
    for unusable in ("x" * 1025, "a\x01b", "ü"):
        response = server.ask(HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES=unusable)
        assert (response.status, header in response.headers) == ("200 OK", False)


def test_the_request_id_stands_in_answer_and_error(server: Server) -> None:
    assert server.ask(HTTP_X_REQUEST_ID="abc-1").headers["X-Request-Id"] == "abc-1"
    response = server.ask(b"1\n", HTTP_X_REQUEST_ID="abc-2")
    assert response.headers["X-Request-Id"] == "abc-2"
    assert response.problem["request_id"] == "abc-2"


def test_rows_that_do_not_fit_are_a_422_with_their_row(server: Server) -> None:
    response = server.ask(b"1,2\n1,2,3\n")
    assert response.status == f"422 {HTTPStatus(422).phrase}"
    assert (response.problem["code"], response.problem["row"]) == ("feature_count", 2)


@pytest.mark.parametrize(
    ("environ", "status", "code"),
    [
        ({"CONTENT_TYPE": ""}, 415, "unsupported_media_type"),
        ({"CONTENT_TYPE": "application/xml"}, 415, "unsupported_media_type"),
        ({"HTTP_ACCEPT": "image/png"}, 406, "not_acceptable"),
        ({"CONTENT_LENGTH": "100001"}, 413, "payload_too_large"),
        ({"CONTENT_LENGTH": "0"}, 400, "empty_body"),
        ({"CONTENT_LENGTH": "99"}, 400, "incomplete_body"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_anything_is_predicted(
    environ: dict[str, str], status: int, code: str
) -> None:
    model = FakeModel()
    response = Server(model).ask(**environ)
    assert (response.problem["status"], response.problem["code"]) == (status, code)
    assert model.blocks == []


def test_a_chunked_body_meets_the_same_limit(server: Server) -> None:
    body = b"1,2\n" * 25_000
    assert len(body) == 100_000
    assert server.ask(body, CONTENT_LENGTH="").status == "200 OK"
    response = server.ask(body + b"1", CONTENT_LENGTH="")
    assert response.problem["code"] == "payload_too_large"
    assert server.ask(b"", CONTENT_LENGTH="").problem["code"] == "empty_body"


def test_an_unknown_exception_is_a_500_that_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: Floats) -> None:
        raise RuntimeError("secret /path")

    response = Server(FakeModel(fail)).ask(HTTP_X_REQUEST_ID="id-9")
    assert response.status == "500 Internal Server Error"
    assert b"secret" not in response.body
    assert (response.problem["code"], response.problem["request_id"]) == ("internal", "id-9")
    logged = next(r for r in caplog.records if r.exc_info)
    assert vars(logged)["fields"] == {"request_id": "id-9"}
    assert "secret" in str(logged.exc_info)


def test_a_request_beyond_slots_and_queue_is_a_429_with_retry_after(server: Server) -> None:
    with server.admission.slot(Deadline.after(60)):
        response = server.ask()
    assert response.status == "429 Too Many Requests"
    assert response.headers["Retry-After"] == "1"
    assert response.problem["code"] == "queue_full"
    assert server.ask().status == "200 OK"


def test_a_large_request_is_predicted_in_blocks_with_the_same_answer() -> None:
    model = FakeModel()
    body = b"1,2\n" * (2 * ROWS_PER_BLOCK + 5)
    assert Server(model).ask(body).body == b"3\n" * (2 * ROWS_PER_BLOCK + 5)
    assert model.blocks == [ROWS_PER_BLOCK, ROWS_PER_BLOCK, 5]


def test_a_request_past_its_deadline_is_given_up_between_two_blocks() -> None:
    clock = Clock()

    def take_a_while(_: Floats) -> None:
        clock.now += 1.5

    model = FakeModel(take_a_while)
    server = Server(model, clock=clock)
    response = server.ask(b"1,2\n" * (5 * ROWS_PER_BLOCK))
    assert (response.problem["status"], response.problem["code"]) == (503, "deadline")
    assert model.blocks == [ROWS_PER_BLOCK, ROWS_PER_BLOCK]
    assert server.ask().status == "200 OK"


@pytest.mark.parametrize(("seconds", "status"), [(1.999, 200), (2, 503), (2.001, 503)])
def test_the_deadline_is_met_by_less_than_its_seconds(seconds: float, status: int) -> None:
    clock = Clock()

    def take_a_while(_: Floats) -> None:
        clock.now += seconds

    response = Server(FakeModel(take_a_while), clock=clock).ask()
    assert response.status[:3] == str(status)


def test_the_first_prediction_goes_the_way_of_all_requests() -> None:
    model = FakeModel()
    server = Server(model)
    server.application.warm_up()
    assert (model.warm_ups, model.blocks) == (1, [1])
    assert not [name for name in server.scrape() if name.startswith("canarywood_requests_total")]


def test_a_model_that_cannot_predict_fails_its_warm_up() -> None:
    def fail(_: Floats) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="the first prediction fails"):
        Server(FakeModel(fail)).application.warm_up()


def test_metrics_count_requests_rows_and_unknown_categories() -> None:
    model = FakeModel()
    server = Server(model)
    server.ask(b"1,2\n3,4\n")
    server.ask(b"1\n")
    model.unknown_categories = {"carrier": 3}
    server.ask()
    model.unknown_categories = {"carrier": 5, "origin": 1}
    server.ask()
    found = server.scrape()
    requests = 'canarywood_requests_total{route="/invocations",status='
    assert found[requests + '"200"}'] == 3
    assert found[requests + '"422"}'] == 1
    assert found["canarywood_rows_total"] == 4
    assert found["canarywood_invocation_seconds_count"] == 4
    assert found['canarywood_unknown_categories_total{column="carrier"}'] == 5
    assert found['canarywood_unknown_categories_total{column="origin"}'] == 1
    assert found["canarywood_in_flight"] == 0


def test_unknown_paths_count_under_one_name(server: Server) -> None:
    server.ask(method="GET", path="/a")
    server.ask(method="GET", path="/b")
    assert server.scrape()['canarywood_requests_total{route="other",status="404"}'] == 2


@pytest.mark.parametrize(
    ("path", "method", "status", "allow"),
    [
        ("/invocations", "GET", 405, "POST"),
        ("/ping", "POST", 405, "GET, HEAD"),
        ("/metrics", "DELETE", 405, "GET, HEAD"),
        ("/ping", "OPTIONS", 405, "GET, HEAD"),
        ("/pingfoo", "GET", 404, None),
        ("/invocations/", "POST", 404, None),
        ("/", "GET", 404, None),
    ],
)
def test_wrong_paths_and_methods_are_json(
    server: Server, path: str, method: str, status: int, allow: str | None
) -> None:
    response = server.ask(b"", method=method, path=path, HTTP_X_REQUEST_ID="id-3")
    assert response.problem["status"] == status
    assert response.problem["request_id"] == response.headers["X-Request-Id"] == "id-3"
    assert response.headers.get("Allow") == allow


def test_ping_without_nginx_is_an_empty_200(server: Server) -> None:
    response = server.ask(b"", method="GET", path="/ping")
    assert (response.status, response.body) == ("200 OK", b"")


def test_execution_parameters_are_json(server: Server) -> None:
    response = server.ask(b"", method="GET", path="/execution-parameters")
    assert json.loads(response.body) == {
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 1,
    }


@pytest.mark.parametrize(
    ("slots", "megabytes", "transforms", "payload"),
    [(2, 6, 2, 6), (64, 6, 16, 6), (8, 100, 1, 100), (8, 1024, 1, 100), (8, 0, 8, 1)],
)
def test_transforms_times_payload_stays_within_100_megabytes(
    slots: int, megabytes: int, transforms: int, payload: int
) -> None:
    found = execution_parameters(slots, megabytes * MIB)
    assert (found["MaxConcurrentTransforms"], found["MaxPayloadInMB"]) == (transforms, payload)


def test_a_fault_in_flask_itself_is_json(server: Server) -> None:
    response = server.ask(method="GET", path="/metrics", REQUEST_METHOD=None)
    assert response.status == "500 Internal Server Error"
    assert response.problem["code"] == "internal"


def requests_logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(r)["fields"] for r in caplog.records if r.getMessage() == "request"]


def test_a_share_of_the_requests_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = Server(FakeModel(), log_share=0.25)
    for number in range(8):
        server.ask(HTTP_X_REQUEST_ID=f"id-{number}")
        server.ask(b"", method="GET", path="/ping")
    logged = requests_logged(caplog)
    assert [entry["request_id"] for entry in logged] == ["id-0", "id-4"]
    assert (logged[0]["status"], logged[0]["rows"], logged[0]["bytes_in"]) == (200, 1, 4)


def test_a_refused_request_is_always_logged_with_its_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = Server(FakeModel())
    server.ask()
    server.ask(b"", HTTP_X_REQUEST_ID="the-wrong-one")
    found = [(entry["request_id"], entry["status"]) for entry in requests_logged(caplog)]
    assert found == [("the-wrong-one", 400)]


def test_a_failed_request_is_always_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = Server(FakeModel())
    server.ask()
    server.ask(b"1\n")
    clock = server.clock

    def too_late(_: Floats) -> None:
        clock.now += 5

    Server(FakeModel(too_late), clock=clock).ask()
    assert [entry["status"] for entry in requests_logged(caplog)] == [422, 503]


def test_the_default_accept_comes_first() -> None:
    assert accepts_with_default(TYPES, "") == TYPES
    assert accepts_with_default(TYPES, "application/json") == ("application/json", "text/csv")
    with pytest.raises(SettingsError, match="SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"):
        accepts_with_default(TYPES, "image/png")
