from __future__ import annotations

import pytest
from gunicorn import http
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from canarywood.serving.http1 import LONGEST_HEAD, Call, Verdict, headers, look, response
from canarywood.serving.invocations import Answer

LIMIT = 100
# What nginx 1.22 sends for our configuration, byte for byte.
HEAD = (
    b"POST /invocations HTTP/1.1\r\n"
    b"Host: 127.0.0.1:8080\r\n"
    b"X-Request-Id: id-1\r\n"
    b"Content-Length: 4\r\n"
    b"User-Agent: curl/8\r\n"
    b"Accept: text/csv\r\n"
    b"content-TYPE:\ttext/csv \r\n"
    b"\r\n"
)


def head(*lines: bytes, first: bytes = b"POST /invocations HTTP/1.1") -> bytes:
    return b"\r\n".join([first, b"Host: x", *lines, b"", b""])


def test_what_our_nginx_sends_is_a_call() -> None:
    found = look(HEAD + b"1,2\nrest", LIMIT)
    assert isinstance(found, Call)
    assert (found.body, found.size) == (b"1,2\n", len(HEAD) + 4)
    assert found.environ.pop("wsgi.input").read() == b"1,2\n"
    assert found.environ == {
        "CONTENT_LENGTH": "4",
        "CONTENT_TYPE": "text/csv",
        "HTTP_ACCEPT": "text/csv",
        "HTTP_X_REQUEST_ID": "id-1",
    }


@given(st.integers(0, len(HEAD) + 3))
def test_the_start_of_a_call_waits_for_more(cut: int) -> None:
    assert look((HEAD + b"1,2\n")[:cut], LIMIT) is Verdict.MORE


@pytest.mark.parametrize(
    "received",
    [
        head(b"Content-Length: 1", first=b"GET /invocations HTTP/1.1"),
        head(b"Content-Length: 1", first=b"POST /invocations?a=1 HTTP/1.1"),
        head(b"Content-Length: 1", first=b"POST /invocations HTTP/1.0"),
        head(b"Content-Length: 1", first=b"POST  /invocations HTTP/1.1"),
        head(b"Content-Length: 1", first=b"post /invocations HTTP/1.1"),
        head(first=b"GET /metrics HTTP/1.1"),
        head(),
        head(b"Content-Length: 1", b"Content-Length: 1"),
        head(b"Content-Length: 1", b"content-length: 2"),
        head(b"Content-Length: +1"),
        head(b"Content-Length: -1"),
        head(b"Content-Length: 1_0"),
        head(b"Content-Length: 0x1"),
        head(b"Content-Length: 1, 1"),
        head(b"Content-Length: \xb2"),
        head(b"Content-Length:"),
        head(b"Content-Length: " + b"9" * 20),
        head(b"Content-Length : 1"),
        head(b" Content-Length: 1"),
        head(b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        head(b"Content-Length: 1", b"TRANSFER-encoding: identity"),
        head(b"Content-Length: 1", b"Connection: close"),
        head(b"Content-Length: 1", b"Upgrade: h2c"),
        head(b"Content-Length: 1", b"Expect: 100-continue"),
        head(b"Content-Length: 1", b"A: b\n c"),
        head(b"Content-Length: 1", b"A: b\rTransfer-Encoding: chunked"),
        head(b"Content-Length: 1", b"A: b\nTransfer-Encoding: chunked"),
        head(b"Content-Length: 1", b"A: b", b" folded"),
        head(b"Content-Length: 1", b"A: \x00"),
        head(b"Content-Length: 1", b"no colon"),
        head(b"Content-Length: 1", b": no name"),
        head(b"Content-Length: 1", b"na me: x"),
        head(b"Content-Length: 1", b"Accept: a", b"Accept: b"),
        head(b"Content-Length: 1", b"X-Request-Id: a", b"X-Request-Id: b"),
        b"NONSENSE\r\n\r\n",
        b"\r\n\r\n",
        b"x" * LONGEST_HEAD,
    ],
)
def test_whatever_is_unusual_is_left_to_gunicorn(received: bytes) -> None:
    assert look(received, LIMIT) is Verdict.OTHER


def test_a_large_body_is_other_before_it_is_there() -> None:
    assert look(head(b"Content-Length: 100"), LIMIT) is Verdict.MORE
    assert look(head(b"Content-Length: 101"), LIMIT) is Verdict.OTHER
    assert look(head(b"Content-Length: 0"), -1) is Verdict.OTHER


def test_an_empty_body_is_a_call() -> None:
    found = look(head(b"Content-Length: 0"), LIMIT)
    assert isinstance(found, Call)
    assert found.body == b""


def test_names_with_an_underscore_are_not_those_with_a_hyphen() -> None:
    assert headers(b"content_type: text/csv\r\n") == {}


PIECES = [
    *(b"Content-Length: 4", b"content-length:4", b"Content-Length : 4", b"Content-Length: 04"),
    *(b"Transfer-Encoding: chunked", b"Connection: close", b"Accept: a/b", b"X: \xff", b" y"),
    *(b"Content-Type: c\td", b"X-Request-Id:", b"A_B: c", b"\r", b"\n", b"\x00", b": ", b"a"),
    *(b"Content-Length: 4\r\n\r\nGET / HTTP/1.1", b"Host: x\nContent-Length: 0"),
]
LINES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)), max_size=6)


@given(LINES)
def test_what_is_a_call_gunicorn_reads_in_the_same_way(lines: list[bytes]) -> None:
    received = head(*lines, b"Content-Length: 4") + b"1,2\nnext"
    found = look(received, LIMIT)
    if not isinstance(found, Call):
        return
    parser = http.get_parser(Config(), iter([received]), None)
    request = next(parser)
    assert (request.method, request.uri) == ("POST", "/invocations")
    assert request.body.read() == found.body
    assert parser.unreader.take_buffered() == received[found.size :]
    named = dict(request.headers)
    keys = {"CONTENT_TYPE": "CONTENT-TYPE", "HTTP_ACCEPT": "ACCEPT"}
    assert {key: named.get(name) for key, name in keys.items()} == {
        key: found.environ.get(key) for key in keys
    }


@given(st.binary(max_size=200))
def test_no_bytes_are_an_exception(noise: bytes) -> None:
    look(noise, LIMIT)
    look(b"POST /invocations HTTP/1.1\r\n" + noise + b"\r\n\r\n", LIMIT)


def test_an_answer_is_written_with_its_headers() -> None:
    answer = Answer(429, [("Retry-After", "1"), ("Content-Length", "2")], b"{}")
    text = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 2\r\n"
    assert response(answer, close=False) == text + b"\r\n{}"
    assert response(answer, close=True) == text + b"Connection: close\r\n\r\n{}"
