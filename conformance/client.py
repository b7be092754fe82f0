"""A small HTTP client that shows exactly what was sent and what came back."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.subject import Address, SubjectError

TIMEOUT_S = 70  # AWS advises a client to wait 70 s for the 60 s that /invocations may take


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        request: the request in one line, for a report.
        headers: names in lower case.
        seconds: from the first byte sent to the last byte received.
        closed: whether the server closes the connection after it.
    """

    request: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    closed: bool = False

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def problem(self) -> dict[str, Any]:
        """The body's JSON object; an empty one if it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def __str__(self) -> str:
        """`POST /invocations text/csv '1,2' -> 415 text/html 'Unsupported'`."""
        return f"{self.request} -> {self.status} {self.media_type or 'no type'} {short(self.body)}"


def short(body: bytes, limit: int = 90) -> str:
    """The start of a body, as one line of text."""
    text = repr(body[:limit].decode(errors="backslashreplace"))
    return text if len(body) <= limit else f"{text}… ({len(body)} bytes)"


class Connection:
    """One connection to a server, kept open from request to request."""

    def __init__(self, address: Address, timeout_s: float = TIMEOUT_S) -> None:
        self._address = address
        self._connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read the whole answer; SubjectError where none comes."""
        line = describe(method, path, body, headers or {})
        begin = time.monotonic()
        try:
            # A server may refuse a large body before it has read all of it: its answer counts.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.request(
                    method, self._address.prefix + path, body, dict(headers or {})
                )
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise SubjectError(f"{line} -> no answer: {type(error).__name__} {error}") from error
        return Answer(
            request=line,
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=content,
            seconds=time.monotonic() - begin,
            closed=response.will_close,
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def ask(
    address: Address,
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """One request on a connection of its own."""
    connection = Connection(address, timeout_s)
    try:
        return connection.request(method, path, body, headers)
    finally:
        connection.close()


def describe(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> str:
    """A request in one line."""
    shown = [f"{name}: {value}" for name, value in headers.items()]
    parts = [f"{method} {path}", *shown, *([] if body is None else [short(body)])]
    return " ".join(parts)
