"""Bytes of a request -> feature matrix, whatever the format. Needs numpy and orjson.

Texts, JSON and tables go through `canarywood.schema.rows` with all their cells; libsvm, recordio
and npy hold numbers alone and go through it as float64, NaN as a missing value, so that a derived
column sees the same bits whatever a row came in.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from canarywood import media
from canarywood.errors import BodyError, RequestError
from canarywood.formats import arrow, libsvm, npy, oip, recordio
from canarywood.formats.matrix import SparseRows
from canarywood.formats.numbers import shown
from canarywood.formats.oip import InferRequest
from canarywood.schema.definition import Schema
from canarywood.schema.rows import Matrix, RowReader, feature_count, matrix_of
from canarywood.serving.csv_body import CsvReader, ragged
from canarywood.serving.row_limits import RowLimits
from canarywood.settings import ServeSettings

CONTENT_TYPES = (
    media.CSV,
    media.JSON,
    media.JSON_LINES,
    media.LIBSVM,
    media.RECORDIO,
    media.PARQUET,
    media.ARROW_STREAM,
    media.ARROW_FILE,
    media.NPY,
)
V2_REQUEST = media.MediaType(media.JSON, {"protocol": "v2"})  # what the routes of V2 are sent

_TEXTS = (media.CSV, media.JSON, media.JSON_LINES)  # blanks alone are no row in these


class Decoder:
    """Decodes request bodies of one schema. Thread-safe."""

    def __init__(self, schema: Schema, settings: ServeSettings | None = None) -> None:
        settings = settings or ServeSettings()
        self.reader = RowReader(schema)
        self._width = len(schema.inputs)
        self._limits = RowLimits(settings.max_rows, settings.max_cells, self._width)
        self._missing = frozenset(schema.missing)
        self._csv = CsvReader(self.reader, self._limits)
        self._formats: dict[str, Callable[[bytes, media.MediaType], Matrix]] = {
            media.CSV: self._csv.read,
            media.JSON_LINES: self._json_lines,
            media.LIBSVM: self._libsvm,
            media.RECORDIO: self._recordio,
            media.PARQUET: self._parquet,
            media.ARROW_STREAM: self._arrow,
            media.ARROW_FILE: self._arrow,
            media.NPY: self._npy,
        }

    def decode(self, body: bytes, content: media.MediaType) -> Matrix:
        """The rows of a body, (rows, features).

        Raises:
            BodyError: 400, the bytes cannot be decoded.
            TooLargeError: 413, too many rows or cells.
            RowsError: 422, the rows do not fit the schema.
        """
        return self.read(body, content)[0]

    def read(self, body: bytes, content: media.MediaType) -> tuple[Matrix, InferRequest | None]:
        """The rows, and the request around them where it is one of the version 2 protocol."""
        if content.name in _TEXTS:
            body = body.removeprefix(codecs.BOM_UTF8)
            if not body or body.isspace():
                raise BodyError("the body is empty; send at least one row", code="empty_body")
            if content.name == media.JSON:
                return self._json(body, content)
        return self._formats[content.name](body, content), None

    # ---- json

    def _json(self, body: bytes, content: media.MediaType) -> tuple[Matrix, InferRequest | None]:
        value = _loads(body)
        if content.parameters.get("protocol") == "v2" or oip.is_request(value):
            request = oip.read(value)
            return self._read(request.rows), request
        rows = self._rows_of(value)
        if not rows:
            raise BodyError("the body holds no row", code="empty_body")
        return self._read(rows), None

    def _rows_of(self, value: object) -> list[Any]:
        """`{"instances": [...]}`, a list of rows, one row, or one record -> list of rows."""
        if isinstance(value, dict):
            if "instances" in value and "instances" not in self.reader.names:
                return _instances(value)
            if "inputs" in value and "inputs" not in self.reader.names:
                raise BodyError(
                    '"inputs" is a list of at least one tensor, an object with name, shape, '
                    'datatype and data; other rows are sent as "instances"',
                    code="oip",
                )
            return [value]
        if isinstance(value, list):
            if value and not isinstance(value[0], (list, dict)):
                return [value]
            return value
        raise BodyError(
            'a JSON body is {"instances": [row, ...]}, a list of rows, or one record', code="json"
        )

    def _json_lines(self, body: bytes, _: media.MediaType) -> Matrix:
        lines = body.rstrip(b"\r\n \t").split(b"\n")
        self._limits.check(len(lines))
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
        self._limits.check(len(rows))
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

    # ---- tables

    def _arrow(self, body: bytes, _: media.MediaType) -> Matrix:
        return self._table(arrow.ipc(body, max_rows=self._limits.rows))

    def _parquet(self, body: bytes, _: media.MediaType) -> Matrix:
        return self._table(arrow.parquet(body, max_rows=self._limits.rows))

    def _table(self, table: Any) -> Matrix:
        self._limits.check(table.num_rows)
        return self.reader.records(arrow.records(table))

    # ---- numbers alone

    def _libsvm(self, body: bytes, _: media.MediaType) -> Matrix:
        base = self.reader.schema.index_base
        with self._named(base):
            found = libsvm.read(
                body, width=self._width, index_base=base, missing=self._missing
            ).rows
        return self._numbers(found)

    def _recordio(self, body: bytes, _: media.MediaType) -> Matrix:
        with self._named(1, {"duplicate_index": 0}):
            found = recordio.read(body, width=self._width).rows
        return self._numbers(found)

    def _npy(self, body: bytes, _: media.MediaType) -> Matrix:
        with self._named(1):
            found = npy.read(body, width=self._width, dtype=np.float64)
        return self._numbers(found)

    def _numbers(self, found: SparseRows | NDArray[Any]) -> Matrix:
        """Numbers in the order of the inputs, NaN = missing."""
        self._limits.check(len(found))
        values = (
            found.dense(np.float64, max_cells=self._limits.cells)
            if isinstance(found, SparseRows)
            else found.astype(np.float64, copy=False)
        )
        if self.reader.takes_numbers_as_they_are:
            numbers = self.reader.numbers.of_json(values)
            if numbers is not None:
                return matrix_of(numbers)
        rows = values.astype(object)
        rows[np.isnan(values)] = None
        return self.reader.values(rows.tolist())

    @contextmanager
    def _named(self, base: int, base_by_code: Mapping[str, int] | None = None) -> Iterator[None]:
        """A column that an error names by number, counted from `base`, gets its name."""
        try:
            yield
        except RequestError as error:
            if isinstance(error.column, int):
                place = error.column - (base_by_code or {}).get(error.code, base)
                names: Sequence[str] = self.reader.names
                error.column = names[place] if 0 <= place < len(names) else error.column
            raise


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}", code="json") from error


def _instances(value: Mapping[str, Any]) -> list[Any]:
    """The rows of `{"instances": [...]}`; clients of the V1 protocol send "parameters" beside."""
    for name in value:
        if name not in ("instances", "parameters"):
            raise BodyError(
                f'{shown(name)} cannot stand beside "instances"; "parameters" alone can, and is '
                "not looked at",
                code="json",
            )
    rows = value["instances"]
    if not isinstance(rows, list):
        raise BodyError('"instances" must be a list of rows', code="json")
    return rows


def _unwrapped(row: Mapping[str, Any]) -> Any:
    """SageMaker's `{"features": [...]}` around a row."""
    inner = row.get("features")
    return inner if len(row) == 1 and isinstance(inner, list) else row
