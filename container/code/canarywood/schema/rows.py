"""From the cells of a few rows to the feature matrix: the path that serving takes.

Needs numpy and orjson. Its twin for whole files is `canarywood.schema.table`; a property test
holds the two to bit-equal float32.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import RequestError, RowsError
from canarywood.schema import cells
from canarywood.schema.definition import Column, Schema
from canarywood.schema.derive import Deriver
from canarywood.schema.numbers import NumberReader

Matrix = NDArray[np.float32]
Row = Sequence[object]

ZERO = np.float32(0)  # added to a matrix, it makes every -0 a 0


class RowReader:
    """Reads rows of one schema. Thread-safe.

    Attributes:
        unknown: by column of categories, how many cells held one that training never saw.
        numbers: reads the number columns alone.
        takes_numbers_as_they_are: whether every input is a number and a feature, in order.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.names = schema.input_names
        self.known = frozenset(self.names)
        self._missing = cells.Missing.of(schema.missing)
        self._deriver = Deriver(schema.derived)
        places = {column.name: place for place, column in enumerate(schema.inputs)}
        number_columns = [column for column in schema.inputs if column.kind == "number"]
        self.numbers = NumberReader({places[c.name]: c for c in number_columns}, self._missing)
        self._number_names = [column.name for column in number_columns]
        self._categories = [
            (places[column.name], column, self._code_of(column))
            for column in schema.inputs
            if column.kind == "category"
        ]
        self._times = [(places[c.name], c) for c in schema.inputs if c.kind == "time"]
        self._operands = {name for item in schema.derived for name in item.of}
        # all known from the start, so that nobody who reads them sees the dictionary grow
        self.unknown = Counter({column.name: 0 for _, column, _ in self._categories})
        self._counting = Lock()
        self.takes_numbers_as_they_are = schema.features == tuple(self._number_names) == self.names
        # where each feature stands in the matrix, by where its values come from
        self._number_to, self._number_from = self._placed(self._number_names)
        self._code_to, self._code_from = self._placed([c.name for _, c, _ in self._categories])
        derived = [item.name for item in schema.derived]
        self._derived_to = [(schema.features.index(n), n) for n in derived if n in schema.features]

    def values(self, rows: Sequence[Row]) -> Matrix:
        """Rows of cells in the order of the inputs -> matrix (rows, features).

        Raises:
            RowsError: `feature_count`, `non_finite`, `unknown_category`, `range`.
            BodyError: `number`, `category`, `time`; row and column are named in each.
        """
        width = len(self.names)
        if any(len(row) != width for row in rows):
            index = next(i for i, row in enumerate(rows) if len(row) != width)
            raise feature_count(len(rows[index]), self.names, index + 1)
        numbers = self.numbers.read(rows)
        if self.takes_numbers_as_they_are:
            return matrix_of(numbers)
        matrix = np.empty((len(rows), len(self.schema.features)), dtype=np.float32)
        matrix[:, self._number_to] = numbers[:, self._number_from]
        if self._categories:
            codes = np.array([self._codes(rows, *category) for category in self._categories])
            matrix[:, self._code_to] = codes.T[:, self._code_from]
        texts = {column.name: self._texts(rows, place, column) for place, column in self._times}
        if self._deriver:
            self._derive(matrix, rows, numbers, texts)
        matrix += ZERO
        return matrix

    def records(self, records: Sequence[Mapping[str, object]]) -> Matrix:
        """Rows as objects, by column name, in any order -> matrix (rows, features).

        Raises:
            RowsError: `unknown_feature`, `missing_feature`; and all that `values` raises.
        """
        strict = self.schema.absent_column == "error"
        for index, record in enumerate(records):
            if not self.known.issuperset(record):
                unknown = next(name for name in record if name not in self.known)
                raise unknown_feature(unknown, self.names, index + 1)
            if strict and len(record) != len(self.names):
                absent = next(name for name in self.names if name not in record)
                raise missing_feature(absent, index + 1)
        names = self.names
        return self.values([list(map(record.get, names)) for record in records])

    def _placed(self, names: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of the columns `names`: places in the matrix, and in `names`, of those it holds."""
        places = {name: place for place, name in enumerate(self.schema.features)}
        pairs = [(places[name], i) for i, name in enumerate(names) if name in places]
        to, source = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        return to, source

    def _code_of(self, column: Column) -> dict[str, float]:
        """Code by text; a text that reads as missing, or never as itself, is left out."""
        return {
            text: float(code)
            for code, text in enumerate(column.categories)
            if cells.text_of(text, self._missing) == text
        }

    def _codes(
        self, rows: Sequence[Row], place: int, column: Column, code_of: Mapping[str, float]
    ) -> list[float]:
        raw = [row[place] for row in rows]
        found = [code_of.get(value) if type(value) is str else None for value in raw]
        return [
            self._odd_code(raw[index], index, column, code_of) if code is None else code
            for index, code in enumerate(found)
        ]

    def _odd_code(
        self, value: object, index: int, column: Column, code_of: Mapping[str, float]
    ) -> float:
        """The code of a cell that is not one of the texts as it stands."""
        text = self._text(value, index, column)
        if text is None:
            return math.nan
        code = code_of.get(text)
        if code is not None:
            return code
        if self.schema.unknown_category == "error":
            raise unknown_category(text, column, index + 1)
        with self._counting:
            self.unknown[column.name] += 1
        return math.nan

    def _texts(self, rows: Sequence[Row], place: int, column: Column) -> NDArray[Any]:
        texts = [self._text(row[place], index, column) for index, row in enumerate(rows)]
        return np.array(texts, dtype=object)

    def _text(self, value: object, index: int, column: Column) -> str | None:
        try:
            return cells.text_of(value, self._missing)
        except RequestError as error:
            error.row, error.column = index + 1, column.name
            raise

    def _derive(
        self,
        matrix: Matrix,
        rows: Sequence[Row],
        numbers: NDArray[np.float64],
        texts: dict[str, NDArray[Any]],
    ) -> None:
        """Fill in the derived features; such a column sees the text of a category."""
        columns: dict[str, NDArray[Any]] = dict(texts)
        for place, column, _ in self._categories:
            if column.name in self._operands:
                columns[column.name] = self._texts(rows, place, column)
        for position, name in enumerate(self._number_names):
            if name in self._operands:
                columns[name] = numbers[:, position] + 0.0  # a zero of one sign here as well
        self._deriver.extend(columns)
        with np.errstate(over="ignore"):
            for position, name in self._derived_to:
                matrix[:, position] = columns[name]
        check_finite(matrix, self.schema.features)


def matrix_of(numbers: NDArray[np.float64]) -> Matrix:
    """Finite numbers as they go into the model: float32, and zero has one sign.

    The text -0 is the integer 0 to a JSON reader and a negative zero to others.
    """
    matrix = numbers.astype(np.float32)
    matrix += ZERO
    return matrix


def check_finite(matrix: Matrix, features: Sequence[str]) -> None:
    """Refuse infinity, which a derived column may have made; NaN is a missing value.

    Raises:
        RowsError: `non_finite`, at the first infinity.
    """
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


def missing_feature(name: str, row: int | None) -> RequestError:
    """The error for a row without one of the columns, where the schema asks for every one."""
    return RowsError(
        f"the column {cells.shown(name)} is not there",
        code="missing_feature",
        row=row,
        column=name,
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
