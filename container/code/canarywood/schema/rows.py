"""From the cells of a few rows to the feature matrix: the path that serving takes.

Needs numpy alone. Its twin for whole files is `canarywood.schema.table`; a property test holds
the two to bit-equal float32.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import RequestError, RowsError
from canarywood.schema import cells
from canarywood.schema.definition import Column, Schema
from canarywood.schema.derive import Deriver

Matrix = NDArray[np.float32]
CellReader = Callable[[object], Any]


class RowReader:
    """Reads rows of one schema.

    Attributes:
        unknown: by column, how many cells held a category that training never saw.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.names = schema.input_names
        self.unknown: Counter[str] = Counter()
        self._missing = frozenset(schema.missing)
        self._known = frozenset(self.names)
        self._deriver = Deriver(schema.derived)
        self._readers = [self._reader(column) for column in schema.inputs]
        self._positions = {
            column.name: {text: float(code) for code, text in enumerate(column.categories)}
            for column in schema.inputs
            if column.kind == "category"
        }

    def values(self, rows: Sequence[Sequence[object]]) -> Matrix:
        """Rows of cells in the order of the inputs -> matrix (rows, features).

        Raises:
            RowsError: `feature_count`, `non_finite`, `unknown_category`, `range`.
            BodyError: `number`, `category`, `time`; row and column are named in each.
        """
        width = len(self.names)
        for index, row in enumerate(rows):
            if len(row) != width:
                raise feature_count(len(row), self.names, index + 1)
        columns: dict[str, Any] = {}
        for position, (column, reader) in enumerate(
            zip(self.schema.inputs, self._readers, strict=True)
        ):
            columns[column.name] = self._read(column, reader, [row[position] for row in rows])
        return self._matrix(columns, len(rows))

    def records(self, records: Sequence[Mapping[str, object]]) -> Matrix:
        """Rows as objects, by column name, in any order -> matrix (rows, features).

        Raises:
            RowsError: `unknown_feature`, `missing_feature`; and all that `values` raises.
        """
        strict = self.schema.absent_column == "error"
        for index, record in enumerate(records):
            if not self._known.issuperset(record):
                unknown = next(name for name in record if name not in self._known)
                raise unknown_feature(str(unknown), self.names, index + 1)
            if strict and len(record) != len(self.names):
                absent = next(name for name in self.names if name not in record)
                raise RowsError(
                    f"the record lacks {cells.shown(absent)}",
                    code="missing_feature",
                    row=index + 1,
                    column=absent,
                )
        return self.values([[record.get(name) for name in self.names] for record in records])

    def _read(self, column: Column, reader: CellReader, raw: list[object]) -> NDArray[Any]:
        result: list[Any] = []
        try:
            for value in raw:
                result.append(reader(value))  # noqa: PERF401 - the length tells the row at fault
        except RequestError as error:
            error.row, error.column = len(result) + 1, column.name
            raise
        return np.array(result, dtype=np.float64 if column.kind == "number" else object)

    def _reader(self, column: Column) -> CellReader:
        missing = self._missing
        if column.kind != "number":
            return lambda value: cells.text_of(value, missing)
        if column.minimum is None and column.maximum is None:
            return lambda value: cells.number(value, missing)
        return lambda value: in_range(column, cells.number(value, missing))

    def _matrix(self, columns: dict[str, Any], rows: int) -> Matrix:
        # A derived column sees the text of a category, the matrix its code.
        codes = {
            column.name: self._codes(column, columns[column.name])
            for column in self.schema.inputs
            if column.kind == "category"
        }
        self._deriver.extend(columns)
        matrix = np.empty((rows, len(self.schema.features)), dtype=np.float32)
        with np.errstate(over="ignore"):
            for position, name in enumerate(self.schema.features):
                matrix[:, position] = codes[name] if name in codes else columns[name]
        settle(matrix, self.schema.features)
        return matrix

    def _codes(self, column: Column, texts: NDArray[Any]) -> NDArray[np.float64]:
        positions = self._positions[column.name]
        result = []
        for index, text in enumerate(texts.tolist()):
            code = math.nan if text is None else positions.get(text)
            if code is None:
                if self.schema.unknown_category == "error":
                    raise unknown_category(text, column, index + 1)
                self.unknown[column.name] += 1
                code = math.nan
            result.append(code)
        return np.array(result, dtype=np.float64)


def in_range(column: Column, value: float) -> float:
    """The value, or RowsError `range` where it leaves the column's declared range."""
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    if value < low or value > high:
        raise RowsError(f"{value!r} is outside {low:g} to {high:g}", code="range")
    return value


def settle(matrix: Matrix, features: Sequence[str]) -> None:
    """Give zero one sign, in place, and refuse infinity; NaN is a missing value.

    The text -0 is the integer 0 to a JSON reader and a negative zero to others.

    Raises:
        RowsError: `non_finite`, at the first infinity.
    """
    matrix += np.float32(0)
    infinite = np.isinf(matrix)
    if infinite.any():
        row, position = (int(i) for i in np.argwhere(infinite)[0])
        raise RowsError(
            f"{features[position]} is too large for a 32-bit number",
            code="non_finite",
            row=row + 1,
            column=features[position],
        )


def feature_count(found: int, names: Sequence[str], row: int) -> RequestError:
    """The error for a row of the wrong width."""
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return RowsError(
        f"the row has {found} values, the model takes {len(names)}: {listed}",
        code="feature_count",
        row=row,
    )


def unknown_feature(name: str, names: Sequence[str], row: int | None) -> RequestError:
    """The error for a column that the model does not take."""
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return RowsError(
        f"the model has no column {cells.shown(name)}; it takes {listed}",
        code="unknown_feature",
        row=row,
        column=name[:60],
    )


def unknown_category(text: str, column: Column, row: int) -> RequestError:
    """The error for a category that training never saw, where the schema refuses such."""
    listed = ", ".join(column.categories[:8]) + (", ..." if len(column.categories) > 8 else "")
    return RowsError(
        f"{cells.shown(text)} is not a category of this column; known are {listed}",
        code="unknown_category",
        row=row,
        column=column.name,
    )
