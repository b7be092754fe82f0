"""The one request that the loop worker reads by itself, and the text of an answer. No I/O.

Our nginx sends an invocation as `POST /invocations HTTP/1.1`, its headers one a line, and one
Content-Length, since it has read the whole body before (proxy_request_buffering). Only that is
understood here. Everything else is OTHER: gunicorn's parser decides what it is. Nothing is
guessed, so two parsers never see two requests in the same bytes (RFC 9112, section 11.2).
"""

from __future__ import annotations

import enum
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from canarywood.serving.invocations import Answer

REQUEST_LINE = b"POST /invocations HTTP/1.1\r\n"
LONGEST_HEAD = 64 * 1024  # what nginx lets pass (large_client_header_buffers)
REMEMBERED_NAMES = 1000

# Headers that matter, by the key of a WSGI environment under which the answer looks for them.
_KEYS = {
    b"content-length": "CONTENT_LENGTH",
    b"content-type": "CONTENT_TYPE",
    b"accept": "HTTP_ACCEPT",
    b"x-request-id": "HTTP_X_REQUEST_ID",
    b"x-amzn-requestid": "HTTP_X_AMZN_REQUESTID",
    b"x-amzn-sagemaker-custom-attributes": "HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES",
}
# Headers that change where a request ends, or what happens to the connection.
_FRAMING = (b"transfer-encoding", b"connection", b"upgrade", b"expect")
_IGNORED, _UNUSUAL = "", "?"

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_REQUEST_ID = re.compile(rb"\r\nX-Request-Id: ([A-Za-z0-9._:=+/@-]{1,128})(?=\r\n|\Z)")
_TEXT = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])  # of a header: all but controls


class Verdict(enum.Enum):
    """What the bytes of a connection are, if they are no Call."""

    MORE = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True)
class Call:
    """An invocation that is there as a whole.

    Attributes:
        environ: the part of a WSGI environment that an answer depends on.
        body: what environ's input holds.
        size: bytes of the request, head and body.
    """

    environ: dict[str, Any]
    body: bytes
    size: int


def look(received: bytes, largest_body: int) -> Call | Verdict:
    """What a connection has received: a call, the start of one (MORE), or something OTHER.

    A body of more than `largest_body` bytes is OTHER as soon as its head is there.
    """
    end = received.find(b"\r\n\r\n", 0, LONGEST_HEAD)
    if end < 0:
        return Verdict.MORE if len(received) < LONGEST_HEAD else Verdict.OTHER
    if not received.startswith(REQUEST_LINE):
        return Verdict.OTHER
    environ = headers(received[len(REQUEST_LINE) : end + 2])
    if environ is None:
        return Verdict.OTHER
    length = environ.get("CONTENT_LENGTH", "")
    if not (length.isascii() and length.isdigit() and len(length) < 16):
        return Verdict.OTHER
    size = end + 4 + int(length)
    if int(length) > largest_body:
        return Verdict.OTHER
    if len(received) < size:
        return Verdict.MORE
    body = received[end + 4 : size]
    environ["wsgi.input"] = io.BytesIO(body)
    return Call(environ, body, size)


def headers(lines: bytes) -> dict[str, Any] | None:
    """Header lines as an environment; None where one is unusual, or ours stands there twice."""
    found: dict[str, Any] = {}
    parts = lines.split(b"\r\n")
    # Without the text of the lines only their ends are left: no bare CR or LF, no control.
    if lines.translate(None, _TEXT) != b"\r\n" * (len(parts) - 1):
        return None
    del parts[-1]
    for part in parts:
        name, colon, value = part.partition(b":")
        key = _names.get(name) if colon else _UNUSUAL
        if key is None:
            key = _learn(name)
        if not key:
            continue
        if key == _UNUSUAL or key in found:
            return None
        found[key] = value.strip(b" \t").decode("latin-1")
    return found


_names: dict[bytes, str] = {}  # by spelling; names come again, so each is looked at once


def _learn(name: bytes) -> str:
    """The key of a header's name in any case; remembered."""
    lower = name.lower()
    if lower in _FRAMING or not _TOKEN.fullmatch(name):
        return _UNUSUAL
    key = _KEYS.get(lower, _IGNORED)
    if len(_names) < REMEMBERED_NAMES:
        _names[name] = key
    return key


def request_id_in(received: bytes) -> str | None:
    """The id that our nginx has written into a head, whether or not the head can be read."""
    found = _REQUEST_ID.search(received.partition(b"\r\n\r\n")[0])
    return found[1].decode("ascii") if found else None


def response(answer: Answer, *, close: bool) -> bytes:
    """The bytes of an answer; `close` announces that the connection ends with it."""
    return b"%b%b\r\n%b" % (_head(answer.status_line, answer.headers), _close[close], answer.body)


_close = (b"", b"Connection: close\r\n")


def _head(status_line: str, lines: Iterable[tuple[str, str]]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in lines])
    return f"HTTP/1.1 {status_line}\r\n{text}".encode("latin-1")
