"""Requests that are no valid HTTP, or spelt unusually: JSON with an id, never a redirect or 5xx."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.container.serving.server import Server, started, wait_for

pytestmark = pytest.mark.slow

ID = b"X-Request-Id: id-9\r\n"
ROW = b"1,2,3,4,5,6,7,8,9,10\n"
FRONTS = {
    "nginx": {},
    "threads": {"CANARYWOOD_WORKER": "threads"},
    "gunicorn": {"SAGEMAKER_USE_NGINX": "false"},
}


@pytest.fixture(scope="module", params=FRONTS.values(), ids=FRONTS)
def server(
    request: pytest.FixtureRequest, base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with started(base, folder, CANARYWOOD_REQUEST_LOG_SHARE="0", **request.param) as running:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.errors


@dataclass(frozen=True)
class Raw:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body, which every error has in one shape, under one id."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        assert found["request_id"] == self.headers["x-request-id"]
        return found


def ask(server: Server, request: bytes) -> Raw:
    """What a server answers to bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(request)
        file = client.makefile("rb")
        status = int(file.readline().split()[1])
        headers = {}
        while line := file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Raw(status, headers, file.read(int(headers["content-length"])))


def post(target: bytes, *headers: bytes) -> bytes:
    """A row, sent to a target."""
    lines = b"".join(header + b"\r\n" for header in headers)
    head = b"POST %b HTTP/1.1\r\nHost: evil.example\r\n%b" % (target, ID)
    return b"%b%bContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n%b" % (
        head,
        lines,
        len(ROW),
        ROW,
    )


def get(target: bytes, version: bytes = b"HTTP/1.1", method: bytes = b"GET") -> bytes:
    return b"%b %b %b\r\nHost: evil.example\r\n%b\r\n" % (method, target, version, ID)


MALFORMED = {
    **{
        f"control-{code:02x}": post(b"/invocations", b"X-A: a%cb" % code)
        for code in (*range(1, 9), 11, 12, *range(14, 32), 0x7F)
    },
    "type-twice": post(b"/invocations", b"Content-Type: text/csv"),
    "method-short": get(b"/metrics", method=b"A"),
    "method-long": get(b"/metrics", method=b"A" * 21),
    "query-byte": get(b"/metrics?\xff"),
    "query-letter": post("/invocations?x=é".encode()),
    "path-letter": get("/v2/models/é".encode()),
    "transfer-encoding": post(b"/invocations", b"Transfer-Encoding: xx"),
    "version": get(b"/ping", b"HTTP/2.0"),
    "version-of-a-worker": get(b"/metrics", b"HTTP/3.7"),
    "no-version": b"GET /metrics HTTP/x\r\n\r\n",
    "length": b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "connect": get(b"example.org:443", method=b"CONNECT"),
    "trace": get(b"/invocations", method=b"TRACE"),
    "chunk": b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "path-too-long": get(b"/" + b"a" * 20_000),
    "header-too-long": get(b"/metrics").replace(
        b"\r\n\r\n", b"\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"
    ),
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_valid_http_is_the_clients_fault_in_json(
    server: Server, request_: bytes
) -> None:
    answer = ask(server, request_)
    assert answer.problem["code"] in (
        "bad_request",
        "incomplete_body",
        "method_not_allowed",
        "not_found",
        "uri_too_long",
        "headers_too_large",
    )
    assert 400 <= answer.status < 500


TARGETS = {
    b"//invocations": 404,
    b"/./invocations": 404,
    b"/a/../invocations": 404,
    b"/invocations/": 404,
    b"/%69nvocations": 200,
    b"/invocations?a=%2f": 200,
    b"//v2/models/model/infer": 404,
    b"/v2//models/model/infer": 404,
    b"/v2/models//model/infer": 404,
    b"/v2/models/../models/model/infer": 404,
    b"/v2/models/model/infer/": 404,
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_path_has_one_spelling(server: Server, target: bytes) -> None:
    answer = ask(server, post(target))
    assert answer.status == TARGETS[target], answer.body
    if answer.status == 404:
        assert answer.problem["code"] == "not_found"
    assert "location" not in answer.headers


@pytest.mark.parametrize("target", [b"/v2//models/flights", b"/v2//", b"/metrics/", b"//ping"])
def test_no_path_is_redirected(server: Server, target: bytes) -> None:
    answer = ask(server, get(target))
    assert (answer.status, answer.problem["code"]) == (404, "not_found")
    assert "location" not in answer.headers


def test_a_bad_chunk_is_answered_once(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(MALFORMED["chunk"])
        received = client.makefile("rb").read()
    assert received.count(b"HTTP/1.1 ") == 1


def test_trace_and_connect_are_told_what_a_path_takes(server: Server) -> None:
    answers = [ask(server, MALFORMED[name]) for name in ("trace", "connect")]
    assert answers[0].headers["allow"] == "POST"
    assert all("allow" in answer.headers for answer in answers if answer.status == 405)


def test_a_request_that_cannot_be_read_is_logged_once_under_its_id(server: Server) -> None:
    answer = ask(server, post(b"/invocations", b"X-A: \x01").replace(b"id-9", b"id-once"))
    assert answer.problem["code"] == "bad_request"
    request_id = answer.headers["x-request-id"]

    def events() -> list[dict[str, Any]]:
        return [event for event in server.events if event.get("request_id") == request_id]

    wait_for(lambda: len(events()) > 0)
    assert [(event["event"], event["status"]) for event in events()] == [("request", 400)]


@pytest.mark.parametrize("server", [FRONTS["nginx"]], indirect=True, ids=["nginx"])
def test_the_callers_id_is_kept_though_its_request_cannot_be_read(server: Server) -> None:
    answer = ask(server, post(b"/invocations", b"X-A: \x01"))
    assert answer.problem["request_id"] == "id-9"
