"""From a whole table to the feature matrix: the path of preprocess, train and evaluate.

The twin of `canarywood.schema.rows`, column by column with Arrow. Both use the rules of
`canarywood.schema.cells` and the operations of `canarywood.schema.derive`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from canarywood.errors import DataError, RequestError
from canarywood.schema import cells
from canarywood.schema.definition import Column, Schema, Target
from canarywood.schema.derive import Deriver
from canarywood.schema.files import ROW, CsvForm, number_rows, read_tables, source_of
from canarywood.schema.numbers import in_range
from canarywood.schema.rows import ZERO, check_finite, unknown_category

__all__ = [
    "LABEL",
    "ROW",
    "WEIGHT",
    "CsvForm",
    "TableReader",
    "distinct_texts",
    "encode",
    "labels",
    "number_rows",
    "read_tables",
    "weights",
]

LABEL = "_label"  # column of the label in the files that preprocess writes
WEIGHT = "_weight"  # and of the row weight

Matrix = NDArray[np.float32]


@dataclass
class TableReader:
    """Reads tables of one schema.

    Attributes:
        unknown: by column, how many cells held a category that training never saw.
    """

    schema: Schema
    unknown: Counter[str] = field(default_factory=Counter)

    def encode(self, table: pa.Table) -> Matrix:
        """A table with (at least) the input columns -> matrix (rows, features).

        Raises:
            DataError: a column is missing, or a cell cannot be read; file, row and column are
                named.
        """
        absent = [name for name in self.schema.input_names if name not in table.column_names]
        if absent:
            raise DataError(
                f"the table lacks {', '.join(absent[:8])}; it has {', '.join(table.column_names)}"
            )
        try:
            return self._matrix(table)
        except RequestError as error:
            raise located(error, table) from error

    def readable(self, table: pa.Table, column: Column) -> NDArray[Any]:
        """Like `column`, of a table straight from files: a DataError names file and row."""
        try:
            return self.column(table, column)
        except RequestError as error:
            raise located(error, table) from error

    def column(self, table: pa.Table, column: Column) -> NDArray[Any]:
        """One raw column: float64 with NaN, or objects (str or None) of a category or time."""
        try:
            if column.kind == "number":
                return _numbers(table.column(column.name), column, self._missing)
            indices, texts = _texts(table.column(column.name), self._missing)
            return np.array([*texts, None], dtype=object)[indices]
        except RequestError as error:
            error.column = column.name
            raise

    @property
    def _missing(self) -> cells.Missing:
        return cells.Missing.of(self.schema.missing)

    def _matrix(self, table: pa.Table) -> Matrix:
        schema = self.schema
        needed = {name for item in schema.derived for name in item.of}
        columns: dict[str, NDArray[Any]] = {}
        codes: dict[str, NDArray[np.float64]] = {}
        for column in schema.inputs:
            if column.kind == "category":
                codes[column.name] = self._codes(table, column)
            if column.kind != "category" or column.name in needed:
                columns[column.name] = self.column(table, column)
        Deriver(schema.derived).extend(columns)
        matrix = np.empty((table.num_rows, len(schema.features)), dtype=np.float32)
        with np.errstate(over="ignore"):
            for position, name in enumerate(schema.features):
                matrix[:, position] = codes[name] if name in codes else columns[name]
        check_finite(matrix, schema.features)
        matrix += ZERO
        return matrix

    def _codes(self, table: pa.Table, column: Column) -> NDArray[np.float64]:
        indices, texts = _texts(table.column(column.name), self._missing)
        positions = {text: float(code) for code, text in enumerate(column.categories)}
        code_of = np.array([positions.get(text, np.nan) for text in texts] + [np.nan])
        strange = np.array([text not in positions for text in texts] + [False], dtype=bool)
        found = strange[indices]
        if found.any():
            if self.schema.unknown_category == "error":
                row = int(np.argmax(found))
                raise unknown_category(texts[indices[row]], column, row + 1)
            self.unknown[column.name] += int(found.sum())
        return code_of[indices]


def encode(table: pa.Table, schema: Schema) -> Matrix:
    """A table with the schema's input columns -> float32 matrix (rows, features), NaN = missing."""
    return TableReader(schema).encode(table)


def labels(table: pa.Table, schema: Schema) -> NDArray[np.float32]:
    """The label of each row: 0 or 1, the class's number, or the number itself; shape (rows,).

    Taken from the column that preprocess wrote, or else made from the raw target column.
    A row without a label is NaN.

    Raises:
        DataError: there is neither, or a cell is no label.
    """
    target = schema.target
    if LABEL in table.column_names:
        target = Target(LABEL, "regression")  # made already: read as the number it is
    if target is None or target.column not in table.column_names:
        wanted = repr(target.column) if target else repr(LABEL)
        raise DataError(
            f"the table has no target column {wanted}; it has {', '.join(table.column_names)}"
        )
    try:
        return _labels(table.column(target.column), target, cells.Missing.of(schema.missing))
    except RequestError as error:
        error.column = target.column
        raise located(error, table) from error


def weights(table: pa.Table, schema: Schema) -> NDArray[np.float32] | None:
    """The weight of each row, shape (rows,), or None where the table has none.

    Raises:
        DataError: a weight is missing or negative.
    """
    name = WEIGHT if WEIGHT in table.column_names else schema.weight
    if name is None or name not in table.column_names:
        return None
    column = Column(name)
    try:
        found = _numbers(table.column(name), column, cells.Missing.of(schema.missing))
    except RequestError as error:
        error.column = name
        raise located(error, table) from error
    wrong = ~(found >= 0)
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        raise DataError(f"{source_of(table, row)}, column {name}: a weight must be 0 or more")
    return found.astype(np.float32)


def located(error: RequestError, table: pa.Table) -> DataError:
    """The error of a cell as one of a file: its name, row and column stand in the message."""
    place = source_of(table, error.row) if error.row else "the table"
    return DataError(f"{place}, column {error.column}: {error.detail}")


def distinct_texts(column: pa.ChunkedArray, missing: cells.Missing) -> list[str]:
    """The different texts of a column, missing cells left out, sorted."""
    indices, texts = _texts(column, missing)
    return sorted({texts[code] for code in np.unique(indices[indices >= 0])})


def _labels(column: pa.ChunkedArray, target: Target, missing: cells.Missing) -> Matrix:
    if target.task == "regression" or target.above is not None:
        numbers = _numbers(column, Column(target.column), missing)
        if target.above is not None:
            numbers = np.where(np.isnan(numbers), np.nan, numbers > target.above)
        return numbers.astype(np.float32)
    indices, texts = _texts(column, missing)
    positions = {text: float(code) for code, text in enumerate(target.classes)}
    for code, text in enumerate(texts):
        if text not in positions:
            error = unknown_category(
                text,
                Column(target.column, categories=target.classes),
                int(np.argmax(indices == code)) + 1,
            )
            raise error
    return np.array([*(positions[text] for text in texts), np.nan], dtype=np.float32)[indices]


def _texts(column: pa.ChunkedArray, missing: cells.Missing) -> tuple[NDArray[np.int64], list[str]]:
    """A column as (index of the text of each row, the texts); index -1 where it is missing.

    The texts may hold one spelling twice; -1 points at an element appended behind the last.
    """
    encoded = _dictionary(column)
    texts: list[str] = []
    position = np.full(len(encoded.dictionary) + 1, -1, dtype=np.int64)
    for code, value in enumerate(encoded.dictionary.to_pylist()):
        try:
            text = cells.text_of(value, missing)
        except RequestError as error:
            error.row = _row_of(encoded, code)
            raise
        if text is not None:
            position[code] = len(texts)
            texts.append(text)
    return position[_indices(encoded)], texts


def _numbers(
    column: pa.ChunkedArray, description: Column, missing: cells.Missing
) -> NDArray[np.float64]:
    kind = column.type
    if pa.types.is_dictionary(kind) or _is_text(kind):
        result = _numbers_of_text(_dictionary(column), missing)
    elif pa.types.is_null(kind):
        result = np.full(len(column), np.nan)
    elif _is_numeric(kind):
        result = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
    else:
        raise RequestError(f"a column of type {kind} cannot be read as numbers", code="number")
    if missing.numbers:
        result[np.isin(result, list(missing.numbers))] = np.nan
    _check_range(result, description)
    return result + 0.0  # zero has one sign


def _numbers_of_text(encoded: pa.DictionaryArray, missing: cells.Missing) -> NDArray[np.float64]:
    """Every distinct text is read once; Arrow reads those that the pattern knows as numbers."""
    words = pc.utf8_trim(encoded.dictionary.cast(pa.string()), characters=cells.BLANKS)
    plain = pc.match_substring_regex(words, f"^(?:{cells.NUMBER})$")
    # Arrow's reader takes no plus sign; what is no number is read, or refused, cell by cell.
    texts = pc.utf8_ltrim(pc.if_else(plain, words, "0"), characters="+")
    values = np.append(texts.cast(pa.float64()).to_numpy(zero_copy_only=False), np.nan)
    with np.errstate(over="ignore"):
        odd = ~plain.to_numpy(zero_copy_only=False).astype(bool)
        odd |= np.isinf(values[:-1].astype(np.float32))
    for code in np.flatnonzero(odd).tolist():
        try:
            values[code] = cells.number(words[code].as_py(), missing)
        except RequestError as error:
            error.row = _row_of(encoded, code)
            raise
    # An odd text that is no longer used by any row (a filtered dictionary) was read in vain only.
    return values[_indices(encoded)]


def _check_range(values: NDArray[np.float64], column: Column) -> None:
    with np.errstate(over="ignore"):
        infinite = np.isinf(values.astype(np.float32))
    if infinite.any():
        row = int(np.argmax(infinite))
        error = cells.non_finite(float(values[row]))
        error.row = row + 1
        raise error
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    outside = (values < low) | (values > high)
    if outside.any():
        row = int(np.argmax(outside))
        try:
            in_range(column, float(values[row]))
        except RequestError as error:
            error.row = row + 1
            raise


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)  # Python's finest
    if not pa.types.is_dictionary(column.type):
        try:
            column = column.dictionary_encode()
        except pa.ArrowNotImplementedError as error:
            raise RequestError(
                f"a column of type {column.type} cannot be read; exclude it", code="category"
            ) from error
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        combined = combined.unify_dictionaries().combine_chunks()
    return combined


def _indices(encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    filled = pc.fill_null(encoded.indices.cast(pa.int64()), -1)
    return np.asarray(filled.to_numpy(), dtype=np.int64)


def _row_of(encoded: pa.DictionaryArray, code: int) -> int:
    return int(np.argmax(_indices(encoded) == code)) + 1


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    )
