"""Speaks HTTP with a server on this machine; never through a proxy, whatever the environment."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from canarywood.errors import DataError
from canarywood.media import CSV

HOST = "127.0.0.1"
TIMEOUT_S = 30.0

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Client:
    """A server by its port."""

    port: int

    def is_ready(self) -> bool:
        """Whether /ping answers 200."""
        try:
            return self._send("GET", "/ping", b"", {})[0] == 200
        except (OSError, HTTPException):
            return False

    def predict(self, body: str, content_type: str, accept: str) -> str:
        """The answer of /invocations; raises DataError with the server's own words."""
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            status, answer = self._send("POST", "/invocations", body.encode(), headers)
        except (OSError, HTTPException) as error:
            raise DataError(f"the server on port {self.port} gave no answer: {error}") from error
        if status != 200:
            raise DataError(f"the server answered {status}: {answer.strip()[:600]}")
        return answer

    def scores(self, body: str) -> list[list[float]]:
        """The numbers of each row of a CSV body."""
        answer = self.predict(body, CSV, CSV)
        return [[float(cell) for cell in row] for row in csv.reader(io.StringIO(answer)) if row]

    def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        connection = HTTPConnection(HOST, self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()


def as_csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Rows in the schema's order, without header, as SageMaker's clients send them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if row.get(name) is None else row[name] for name in names])
    return text.getvalue()


def as_json(row: Row, names: Sequence[str]) -> str:
    """One row as a record."""
    return json.dumps({name: row.get(name) for name in names}, ensure_ascii=False)


def curl(url: str, body: str, content_type: str, accept: str) -> str:
    """The command that sends a body again; quoted for any shell of the Bourne family."""
    headers = f"-H 'Content-Type: {content_type}' -H 'Accept: {accept}'"
    data = shlex.quote(body.rstrip("\n"))
    return f"curl -s {url}/invocations {headers} --data-binary {data}"
