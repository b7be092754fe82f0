"""Bytes of a request -> feature matrix; predictions -> bytes of an answer.

Needs numpy and orjson. Numbers go the short way where the body is plain; everything else goes
cell by cell through `canarywood.schema.rows`. Both give the same float32, bit for bit.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from canarywood import media
from canarywood.errors import BodyError, RequestError
from canarywood.schema import cells
from canarywood.schema.definition import Schema
from canarywood.schema.rows import (
    Matrix,
    RowReader,
    feature_count,
    settle,
    unknown_feature,
)

Scores = NDArray[np.float32]

_PLAIN = b"0123456789+-.eE,\n"  # all that a CSV body of numbers holds


class Decoder:
    """Decodes request bodies of one schema. Thread-safe."""

    def __init__(self, schema: Schema) -> None:
        self.reader = RowReader(schema)
        self._width = len(schema.inputs)
        # Only where every input is a feature as it stands may a body skip the row reader.
        self._is_plain = (
            schema.features == schema.input_names
            and not schema.derived
            and all(
                column.kind == "number" and column.minimum is None and column.maximum is None
                for column in schema.inputs
            )
        )
        self._formats: dict[str, Callable[[bytes], Matrix]] = {
            media.CSV: self._csv,
            media.JSON: self._json,
            media.JSON_LINES: self._json_lines,
        }

    def decode(self, body: bytes, content: media.MediaType) -> Matrix:
        """The rows of a body, (rows, features).

        Raises:
            BodyError: 400, the bytes cannot be decoded.
            RowsError: 422, the rows do not fit the schema.
        """
        if not body.strip():
            raise BodyError("the body is empty; send at least one row", code="empty_body")
        return self._formats[content.name](body)

    # ---- csv

    def _csv(self, body: bytes) -> Matrix:
        plain = self._plain_csv(body) if self._is_plain else None
        return self._any_csv(body) if plain is None else plain

    def _plain_csv(self, body: bytes) -> Matrix | None:
        """A body of comma-separated JSON numbers, or None where it is anything else."""
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n")
        body = body.rstrip(b"\n")
        if body.translate(None, _PLAIN):
            return None
        commas = self._width - 1
        if any(line.count(b",") != commas for line in body.split(b"\n")):
            return None
        try:
            numbers = orjson.loads(b"[%b]" % body.replace(b"\n", b","))
        except orjson.JSONDecodeError:
            return None  # an empty cell, `+1`, `.5`: numbers to us, not to JSON
        return self._finite(np.array(numbers, dtype=np.float64).reshape(-1, self._width))

    def _finite(self, numbers: NDArray[np.float64]) -> Matrix:
        with np.errstate(over="ignore"):
            matrix = numbers.astype(np.float32)
        settle(matrix, self.reader.schema.features)
        return matrix

    def _any_csv(self, body: bytes) -> Matrix:
        rows = _csv_rows(body)
        header = self._header(rows[0])
        if header is None:
            _check_blank(rows)
            _check_ragged(rows)
            return self.reader.values(rows)
        if len(rows) == 1:
            raise BodyError("the body holds a header and no row", code="empty_body")
        _check_blank(rows[1:])
        _check_ragged(rows[1:], width=len(header))
        return self.reader.records([dict(zip(header, row, strict=True)) for row in rows[1:]])

    def _header(self, first: Sequence[str]) -> list[str] | None:
        """The column names, where the first line holds them: at least half of it are inputs."""
        names = [cell.strip(cells.BLANKS) for cell in first]
        known = set(self.reader.names)
        if 2 * sum(name in known for name in names) < max(len(names), 2):
            single = len(names) == 1 and names[0] in known
            return names if single else None
        for name in names:
            if name not in known:
                raise unknown_feature(name, self.reader.names, None)
            if names.count(name) > 1:
                raise BodyError(f"the header names {name!r} twice", code="duplicate_column")
        return names

    # ---- json

    def _json(self, body: bytes) -> Matrix:
        value = _loads(body)
        rows = self._rows_of(value)
        if not rows:
            raise BodyError("the body holds no row", code="empty_body")
        return self._read(rows)

    def _rows_of(self, value: object) -> list[Any]:
        """`{"instances": [...]}`, a list of rows, one row, or one record -> list of rows."""
        if isinstance(value, dict):
            if set(value) == {"instances"} and "instances" not in self.reader.names:
                if not isinstance(value["instances"], list):
                    raise BodyError('"instances" must be a list of rows', code="json")
                return value["instances"]
            return [value]
        if isinstance(value, list):
            if value and not isinstance(value[0], (list, dict)):
                return [value]
            return value
        raise BodyError(
            'a JSON body is {"instances": [row, ...]}, a list of rows, or one record', code="json"
        )

    def _json_lines(self, body: bytes) -> Matrix:
        lines = body.rstrip(b"\r\n \t").split(b"\n")
        rows = []
        for index, line in enumerate(lines):
            if not line.strip():
                raise BodyError("the line is empty", code="blank_row", row=index + 1)
            try:
                rows.append(_loads(line))
            except RequestError as error:
                error.row = index + 1
                raise
        return self._read(rows)

    def _read(self, rows: list[Any]) -> Matrix:
        rows = [_unwrapped(row) if isinstance(row, dict) else row for row in rows]
        kinds = set(map(type, rows))
        if kinds == {list}:
            return self._values(rows)
        if kinds == {dict}:
            return self.reader.records(rows)
        odd = next(
            i
            for i, row in enumerate(rows)
            if type(row) is not type(rows[0]) or not isinstance(row, (list, dict))
        )
        raise BodyError(
            "every row must be a list of values, or every row an object by column name",
            code="json",
            row=odd + 1,
        )

    def _values(self, rows: list[list[Any]]) -> Matrix:
        for index, row in enumerate(rows):
            if len(row) != len(rows[0]):
                raise ragged(len(row), len(rows[0]), index + 1)
        if len(rows[0]) != self._width:
            raise feature_count(len(rows[0]), self.reader.names, 1)
        if self._is_plain and {type(v) for row in rows for v in row} <= {float, int}:
            try:
                return self._finite(np.array(rows, dtype=np.float64))
            except OverflowError:
                pass  # an integer beyond float64: the row reader says which
        return self.reader.values(rows)


def encode(scores: Scores, accept: str) -> bytes:
    """Predictions, (rows,) or (rows, outputs), as csv, json or jsonlines.

    A number is written in the shortest form that reads back as the same float32.
    """
    rows = _texts(scores)
    if accept == media.CSV:
        return b"\n".join(rows).replace(b"null", b"") + b"\n"
    if scores.ndim > 1:
        rows = [b"[%b]" % row for row in rows]
    if accept == media.JSON_LINES:
        return b'{"score":%b}\n' % b'}\n{"score":'.join(rows)
    return b'{"predictions":[{"score":%b}]}' % b'},{"score":'.join(rows)


def _texts(scores: Scores) -> list[bytes]:
    text = orjson.dumps(np.ascontiguousarray(scores), option=orjson.OPT_SERIALIZE_NUMPY)
    return text[1:-1].split(b",") if scores.ndim == 1 else text[2:-2].split(b"],[")


def ragged(found: int, expected: int, row: int) -> RequestError:
    """The error for rows of different widths in one body."""
    return BodyError(
        f"the row has {found} values, the first has {expected}", code="ragged", row=row
    )


def _csv_rows(body: bytes) -> list[list[str]]:
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise BodyError(f"the body is not UTF-8: {error.reason}", code="encoding") from error
    text = text.rstrip("\r\n")
    mark = cells.delimiter(text.partition("\n")[0])
    rows: list[list[str]] = []
    try:
        # appended one by one, so that a fault tells its row
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True):
            rows.append(row)  # noqa: PERF402
    except csv.Error as error:
        raise BodyError(f"the CSV is malformed: {error}", code="csv", row=len(rows) + 1) from error
    return rows


def _check_blank(rows: Sequence[Sequence[str]]) -> None:
    for index, row in enumerate(rows):
        if not row or (len(row) == 1 and not row[0].strip()):
            raise BodyError("the line is empty", code="blank_row", row=index + 1)


def _check_ragged(rows: Sequence[Sequence[str]], width: int | None = None) -> None:
    expected = len(rows[0]) if width is None else width
    for index, row in enumerate(rows):
        if len(row) != expected:
            raise ragged(len(row), expected, index + 1)


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}", code="json") from error


def _unwrapped(row: Mapping[str, Any]) -> Any:
    """SageMaker's `{"features": [...]}` around a row."""
    inner = row.get("features")
    return inner if len(row) == 1 and isinstance(inner, list) else row
