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
    matrix_of,
    missing_feature,
    unknown_feature,
)

Scores = NDArray[np.float32]

_PLAIN = b"0123456789+-.eE,\n"  # all that a CSV body of numbers holds


class Decoder:
    """Decodes request bodies of one schema. Thread-safe."""

    def __init__(self, schema: Schema) -> None:
        self.reader = RowReader(schema)
        self._width = len(schema.inputs)
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
        body = body.removeprefix(codecs.BOM_UTF8)
        if not body or body.isspace():
            raise BodyError("the body is empty; send at least one row", code="empty_body")
        return self._formats[content.name](body)

    # ---- csv

    def _csv(self, body: bytes) -> Matrix:
        if self.reader.takes_numbers_as_they_are:
            matrix = self._plain_csv(body)
            if matrix is not None:
                return matrix
        return self._any_csv(body)

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
            values = orjson.loads(b"[%b]" % body.replace(b"\n", b","))
        except orjson.JSONDecodeError:
            return None  # an empty cell, `+1`, `.5`: numbers to us, not to JSON
        numbers = self.reader.numbers.of_json(values)
        return None if numbers is None else matrix_of(numbers)

    def _any_csv(self, body: bytes) -> Matrix:
        rows = _csv_rows(body)
        names = self._header(rows[0])
        if names is None:
            _check_widths(rows, len(rows[0]))
            return self.reader.values(rows)
        rows = rows[1:]
        if not rows:
            raise BodyError("the body holds a header and no row", code="empty_body")
        _check_widths(rows, len(names))
        return self.reader.values(self._reordered(rows, names))

    def _header(self, first: Sequence[str]) -> list[str] | None:
        """The column names, where the first line holds them: at least half of it are inputs."""
        names = [cell.strip(cells.BLANKS) for cell in first]
        known = sum(map(self.reader.known.__contains__, names))
        if not known or 2 * known < len(names):
            return None
        for name in names:
            if name not in self.reader.known:
                raise unknown_feature(name, self.reader.names, None)
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise BodyError(f"the header names {twice!r} twice", code="duplicate_column")
        return names

    def _reordered(
        self, rows: Sequence[Sequence[str]], names: Sequence[str]
    ) -> Sequence[Sequence[str | None]]:
        """The cells of rows below a header, in the order of the inputs; None where it lacks one."""
        place = {name: index for index, name in enumerate(names)}
        order = [place.get(name) for name in self.reader.names]
        if None in order and self.reader.schema.absent_column == "error":
            raise missing_feature(self.reader.names[order.index(None)], None)
        if order == list(range(len(names))):
            return rows
        return [[None if i is None else row[i] for i in order] for row in rows]

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
        width = len(rows[0])
        if any(len(row) != width for row in rows):
            index = next(i for i, row in enumerate(rows) if len(row) != width)
            raise ragged(len(rows[index]), width, index + 1)
        if width != self._width:
            raise feature_count(width, self.reader.names, 1)
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
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BodyError(f"the body is not UTF-8: {error.reason}", code="encoding") from error
    text = text.rstrip("\r\n").replace("\r\n", "\n")
    mark = cells.delimiter(text.partition("\n")[0])
    if '"' not in text and "\r" not in text:
        return [line.split(mark) for line in text.split("\n")]
    rows: list[list[str]] = []
    try:
        # appended one by one, so that a fault tells its row
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True):
            rows.append(row)  # noqa: PERF402
    except csv.Error as error:
        raise BodyError(f"the CSV is malformed: {error}", code="csv", row=len(rows) + 1) from error
    return rows


def _check_widths(rows: Sequence[Sequence[str]], width: int) -> None:
    """Every row has that many cells, and is not blank (which is one empty cell)."""
    for index, row in enumerate(rows):
        if len(row) != width or width == 1:
            if not row or (len(row) == 1 and not row[0].strip()):
                raise BodyError("the line is empty", code="blank_row", row=index + 1)
            if len(row) != width:
                raise ragged(len(row), width, index + 1)


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}", code="json") from error


def _unwrapped(row: Mapping[str, Any]) -> Any:
    """SageMaker's `{"features": [...]}` around a row."""
    inner = row.get("features")
    return inner if len(row) == 1 and isinstance(inner, list) else row
