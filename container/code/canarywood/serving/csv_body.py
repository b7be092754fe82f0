"""CSV bodies: with a header or without, with a label or without. Needs numpy and orjson.

A body of plain numbers is read at once as one JSON array; any other cell by cell. Both give the
same float32, bit for bit.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import orjson

from canarywood.errors import BodyError, RequestError
from canarywood.media import MediaType
from canarywood.schema import cells
from canarywood.schema.rows import (
    Matrix,
    RowReader,
    feature_count,
    matrix_of,
    missing_feature,
    unknown_feature,
)
from canarywood.serving.row_limits import RowLimits

_PLAIN = b"0123456789+-.eE,\n"  # all that a CSV body of numbers holds


class CsvReader:
    """Reads the CSV bodies of one schema. Thread-safe."""

    def __init__(self, reader: RowReader, limits: RowLimits) -> None:
        self._reader = reader
        self._limits = limits
        self._commas = len(reader.names) - 1

    def read(self, body: bytes, content: MediaType) -> Matrix:
        """The rows of a body.

        Args:
            content: its parameters count: `label_size=1`, the first cell of each line is a label
                and is dropped; `header=present` or `absent`, else the first line tells.
        """
        if not content.parameters and self._reader.takes_numbers_as_they_are:
            matrix = self._plain(body)
            if matrix is not None:
                return matrix
        return self._any(body, content)

    def _plain(self, body: bytes) -> Matrix | None:
        """A body of comma-separated JSON numbers, or None where it is anything else."""
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n")
        body = body.rstrip(b"\n")
        if body.translate(None, _PLAIN):
            return None
        lines = body.split(b"\n")
        self._limits.check(len(lines))
        commas = self._commas
        if any(line.count(b",") != commas for line in lines):
            return None
        try:
            values = orjson.loads(b"[%b]" % body.replace(b"\n", b","))
        except orjson.JSONDecodeError:
            return None  # an empty cell, `+1`, `.5`: numbers to us, not to JSON
        numbers = self._reader.numbers.of_json(values)
        return None if numbers is None else matrix_of(numbers)

    def _any(self, body: bytes, content: MediaType) -> Matrix:
        rows: Sequence[Sequence[str]] = _rows(body)
        names = self._header(rows[0], content)
        if names is not None:
            rows = rows[1:]
            if not rows:
                raise BodyError("the body holds a header and no row", code="empty_body")
        self._limits.check(len(rows))
        _check_widths(rows, len(rows[0] if names is None else names))
        has_label = content.parameters.get("label_size") == "1"
        if has_label:
            rows = [row[1:] for row in rows]
        if names is not None:
            return self._reader.values(self._reordered(rows, names[1:] if has_label else names))
        if not rows[0]:
            raise feature_count(0, self._reader.names, 1)
        return self._reader.values(rows)

    def _header(self, first: Sequence[str], content: MediaType) -> list[str] | None:
        """The column names, where the first line holds them: at least half of it are inputs."""
        told = content.parameters.get("header")
        if told == "absent":
            return None
        names = [cell.strip(cells.BLANKS) for cell in first]
        label = content.parameters.get("label_size") == "1"
        inputs = names[1:] if label else names
        known = sum(map(self._reader.known.__contains__, inputs))
        if told is None and (not known or 2 * known < len(inputs)):
            return None
        for name in inputs:
            if name not in self._reader.known:
                raise unknown_feature(name, self._reader.names, None)
        if len(set(inputs)) < len(inputs):
            twice = next(name for i, name in enumerate(inputs) if name in inputs[:i])
            raise BodyError(f"the header names {twice!r} twice", code="duplicate_column")
        return names

    def _reordered(
        self, rows: Sequence[Sequence[str]], names: Sequence[str]
    ) -> Sequence[Sequence[str | None]]:
        """The cells of rows below a header, in the order of the inputs; None where it lacks one."""
        reader = self._reader
        place = {name: index for index, name in enumerate(names)}
        order = [place.get(name) for name in reader.names]
        if None in order and reader.schema.absent_column == "error":
            raise missing_feature(reader.names[order.index(None)], None)
        if order == list(range(len(names))):
            return rows
        return [[None if i is None else row[i] for i in order] for row in rows]


def ragged(found: int, expected: int, row: int) -> RequestError:
    """The error for rows of different widths in one body."""
    return BodyError(
        f"the row has {found} values, the first has {expected}", code="ragged", row=row
    )


def _rows(body: bytes) -> list[list[str]]:
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
