"""The twelve kinds of content, each able to write a table, however wrong the table is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.bodies import CSV, JSON, JSON_LINES
from conformance.formats import (
    ARROW,
    FEATURES,
    FLOAT64,
    LIBSVM,
    NPY,
    PARQUET,
    RECORDIO,
    arrow_table,
    entry,
    field,
    frame,
    parquet_of,
    stream_of,
    tensor,
)


@dataclass(frozen=True)
class Table:
    """Cells in rows, right or wrong: a cell may be a text, a row too short, a name unheard of."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def with_cell(self, value: Any) -> Table:
        """This table with another value in row 2, column 4."""
        row = self.rows[1]
        return replace(self, rows=(self.rows[0], (*row[:3], value, *row[4:]), *self.rows[2:]))

    def with_names(self, *names: str) -> Table:
        """This table with other first names."""
        return replace(self, names=(*names, *self.names[len(names) :]))


@dataclass(frozen=True)
class Kind:
    """One kind of content.

    Attributes:
        write: a table as a body.
        is_text: whether the body is text in UTF-8.
    """

    name: str
    media_type: str
    write: Callable[[Table], bytes]
    is_text: bool = True


def _csv(table: Table) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in table.rows).encode()


def _csv_with_header(table: Table) -> bytes:
    return (",".join(table.names) + "\n").encode() + _csv(table)


def _instances(table: Table) -> bytes:
    return json.dumps({"instances": table.rows}).encode()


def _named(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.names, row, strict=False)) for row in table.rows]


def _records(table: Table) -> bytes:
    return json.dumps({"instances": _named(table)}).encode()


def _lines(values: Sequence[Any]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def _v2(table: Table) -> bytes:
    width = len(table.rows[0]) if table.rows else len(table.names)
    data = [cell for row in table.rows for cell in row]
    shape = [len(table.rows), width]
    one = {"name": "input-0", "shape": shape, "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [one]}).encode()


def v2_columns(table: Table) -> bytes:
    """One tensor a column, by name."""
    shape = [len(table.rows)]
    inputs = [
        {
            "name": name,
            "shape": shape,
            "datatype": "FP32",
            "data": [row[index] for row in table.rows],
        }
        for index, name in enumerate(table.names)
    ]
    return json.dumps({"inputs": inputs}).encode()


def _libsvm(table: Table) -> bytes:
    lines = (" ".join(f"{i}:{cell}" for i, cell in enumerate(row)) for row in table.rows)
    return "".join(line + "\n" for line in lines).encode()


def _recordio(table: Table) -> bytes:
    return b"".join(frame(_message(row)) for row in table.rows)


def _message(row: tuple[Any, ...]) -> bytes:
    if any(isinstance(cell, str) for cell in row):
        value = field(9, field(1, b"abc"))  # Value.bytes
    else:
        value = tensor(row, kind=FLOAT64)
    return entry(FEATURES, "values", value)


def _arrow(table: Table) -> Any:
    import pyarrow as pa

    arrow_table({})  # says why where there is no pyarrow
    columns = [[row[index] for row in table.rows] for index in range(len(table.names))]
    arrays = [pa.array(_of_one_type(column)) for column in columns]
    if not table.rows:
        arrays = [pa.array([], pa.float64()) for _ in table.names]
    return pa.table(arrays, names=list(table.names))


def _of_one_type(column: list[Any]) -> list[Any]:
    is_text = any(isinstance(cell, str) for cell in column)
    return [str(cell) for cell in column] if is_text else column


def _npy(table: Table) -> bytes:
    buffer = io.BytesIO()
    is_ragged = len({len(row) for row in table.rows}) > 1
    if is_ragged:
        found = np.empty(len(table.rows), dtype=object)
        found[:] = [list(row) for row in table.rows]
    else:
        found = np.asarray(table.rows if table.rows else np.empty((0, len(table.names))))
    np.save(buffer, found, allow_pickle=is_ragged)
    return buffer.getvalue()


KINDS = (
    Kind("csv", f"{CSV}; header=absent", _csv),
    Kind("csv with header", CSV, _csv_with_header),
    Kind("json", JSON, _instances),
    Kind("json by name", JSON, _records),
    Kind("jsonlines", JSON_LINES, lambda table: _lines(table.rows)),
    Kind("jsonlines by name", JSON_LINES, lambda table: _lines(_named(table))),
    Kind("v2", JSON, _v2),
    Kind("libsvm", LIBSVM, _libsvm),
    Kind("recordio", RECORDIO, _recordio, is_text=False),
    Kind("parquet", PARQUET, lambda table: parquet_of(_arrow(table)), is_text=False),
    Kind("arrow", ARROW, lambda table: stream_of(_arrow(table)), is_text=False),
    Kind("npy", NPY, _npy, is_text=False),
)
