"""Requests that nobody meant to send: valid ones with faults, and noise; deterministic by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from conformance.cases.fuzz import SPLINTERS
from conformance.given import Given
from conformance.kinds import KINDS
from conformance.matrix import good_table

LONGEST = 65_536  # bytes of a mutated body
TYPES = tuple(kind.media_type for kind in KINDS)
ODD_TYPES = (
    "", ";", "text/csv; header=perhaps", "text/csv;charset=utf-16", "text/csv; label_size=1",
    "text/csv; label_size=9", "application/json; protocol=v2", "*/*", "text/", "TEXT/CSV",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a" * 900,
    "text/csv, application/json", 'text/csv; charset="', "application/vnd.apache.arrow.file",
)  # fmt: skip
ACCEPTS = (
    "text/csv", "application/json", "application/jsonlines", "application/x-recordio-protobuf",
    "*/*", "", "text/*;q=0", "application/json;q=1.5", "image/png", "a/b," * 80, ";q=",
    "application/json; outputs=contributions", "text/csv; outputs=leaves,labels",
    "application/json; outputs=predicted_label,probability,raw_scores", "text/csv; outputs=",
    "application/x-recordio-protobuf; outputs=probabilities,contributions", "text/csv;q=\xff",
)  # fmt: skip
PATHS = (
    "/v2/models/model/infer", "/v2/models/nobody/infer", "/invocations?x=1", "/invocations/",
    "/v2/models/model/versions/1/infer", "/v2", "/v2/models/model", "/metrics", "/openapi.json",
    "/execution-parameters", "/%00", "/..%2f..%2fetc/passwd", "/invocations#", "//invocations",
    "/v2/models/%ff%fe/infer", "/" + "a" * 3000, "/ping",
)  # fmt: skip
METHODS = ("GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW")
HEADERS = (
    ("X-Amzn-SageMaker-Custom-Attributes", "\xe9" * 30),
    ("X-Amzn-SageMaker-Custom-Attributes", "a" * 1025),
    ("X-Amzn-SageMaker-Target-Model", "../../x"),
    ("X-Amzn-SageMaker-Inference-Id", "{}"),
    ("X-Request-Id", "x" * 4000),
    ("X-Request-Id", "\x01\x02"),
    ("Content-Encoding", "gzip"),
    ("Expect", "200-ok"),
    ("Cookie", "a=b; " * 300),
    ("X-Large", "1" * 20_000),
    ("Transfer-Encoding", "gzip"),
    ("Range", "bytes=0-1"),
    ("If-Match", "*"),
    ("Host", "example.org:99999"),
    ("Content-Type", "text/csv"),
    ("Bad Name", "1"),
    ("", "empty"),
)


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        is_odd: its head is not plain, so that a server may close the connection, or answer with
            the 501 and 505 of RFC 9110.
    """

    body: bytes
    content_type: str
    method: str = "POST"
    path: str = "/invocations"
    headers: Sequence[tuple[str, str]] = field(default_factory=tuple)
    is_odd: bool = False

    def head(self) -> bytes:
        """The bytes of the head; the length is always the true one."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost"]
        lines += [f"Content-Type: {self.content_type}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class Mutator:
    """An endless series of requests."""

    def __init__(self, given: Given, seed: str) -> None:
        self._random = Random(seed)  # noqa: S311 - no secret
        table = good_table(given)
        self._valid = [(kind.media_type, kind.write(table)) for kind in KINDS]

    def request(self) -> Request:
        """The next one: nine of ten with a plain head."""
        random = self._random
        kind, valid = random.choice(self._valid)
        body = self._body(valid)
        if random.random() < 0.08:
            kind = random.choice(TYPES)
        if random.random() >= 0.1:
            accept = (("Accept", random.choice(ACCEPTS[:5])),) if random.random() < 0.2 else ()
            return Request(body, kind, headers=accept)
        return self._odd(body if random.random() < 0.5 else valid, kind)

    def _odd(self, body: bytes, kind: str) -> Request:
        random = self._random
        headers = [random.choice(HEADERS) for _ in range(random.randrange(0, 3))]
        if random.random() < 0.5:
            headers.append(("Accept", random.choice(ACCEPTS)))
        return Request(
            body,
            random.choice(ODD_TYPES) if random.random() < 0.4 else kind,
            random.choice(METHODS) if random.random() < 0.2 else "POST",
            random.choice(PATHS) if random.random() < 0.3 else "/invocations",
            headers,
            is_odd=True,
        )

    def _body(self, valid: bytes) -> bytes:
        random = self._random
        if random.random() < 0.1:
            return random.randbytes(random.randrange(0, 600))
        body = valid
        for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            body = self._mutated(body)
        return body[:LONGEST]

    def _mutated(self, body: bytes) -> bytes:
        random = self._random
        if not body:
            return body
        begin = random.randrange(len(body))
        end = min(len(body), begin + random.randrange(1, 1 + max(1, len(body) // 3)))
        kind = random.randrange(9)
        if kind == 0:  # one bit
            return (
                body[:begin] + bytes([body[begin] ^ 1 << random.randrange(8)]) + body[begin + 1 :]
            )
        if kind == 1:  # something put in
            return body[:begin] + random.choice(SPLINTERS) + body[begin:]
        if kind == 2:  # something in the place of something
            return body[:begin] + random.choice(SPLINTERS) + body[end:]
        if kind == 3:  # a piece lost
            return body[:begin] + body[end:]
        if kind == 4:  # a piece twice
            return body[:end] + body[begin:]
        if kind == 5:  # cut
            return body[:begin]
        if kind == 6:  # noise
            return body[:begin] + random.randbytes(random.randrange(1, 9)) + body[begin:]
        if kind == 7:  # a number of four bytes, as lengths and counts are
            number = random.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 20))
            return body[:begin] + number.to_bytes(4, "little") + body[begin + 4 :]
        other = random.choice(self._valid)[1]  # the rest of another format
        return body[:begin] + other[random.randrange(len(other)) :]
