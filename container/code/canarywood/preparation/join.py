"""Joins: columns of reference tables beside the rows of the main table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from canarywood.errors import DataError
from canarywood.preparation.spec import JoinSpec


@dataclass(frozen=True)
class Joined:
    """A table with the columns of a join, and how many rows found a match."""

    table: pa.Table
    matched: int


def join(table: pa.Table, other: pa.Table, spec: JoinSpec) -> Joined:
    """A left join on the texts of the key columns; the order of the rows stays.

    Rows without a match get missing cells. Where a key stands several times in `other`, its
    first row counts.

    Raises:
        DataError: a key or a column is not there, or a column would stand twice.
    """
    for name in spec.on:
        _must_have(table, name, "the main table")
        _must_have(other, name, f"table {spec.table}")
    for name in spec.columns:
        _must_have(other, name, f"table {spec.table}")
        if name in table.column_names:
            raise DataError(f"table {spec.table}: the main table has a column {name!r} already")
    index: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(_keys(other, spec.on)):
        index.setdefault(key, row)
    found = np.array([index.get(key, -1) for key in _keys(table, spec.on)], dtype=np.int64)
    places = pa.array(np.where(found < 0, 0, found), mask=found < 0)
    for name in spec.columns:
        table = table.append_column(name, other.column(name).take(places))
    return Joined(table, int((found >= 0).sum()))


def lookup_table(table: pa.Table, key: str, value: str, name: str) -> dict[str, float]:
    """text of the key -> number, for the derived column `name`.

    Raises:
        DataError: a column is not there, or a value is no number.
    """
    _must_have(table, key, f"the table of {name}")
    _must_have(table, value, f"the table of {name}")
    result: dict[str, float] = {}
    rows = zip(table.column(key).to_pylist(), table.column(value).to_pylist(), strict=True)
    for number, (text, cell) in enumerate(rows):
        if text is None or cell is None or cell == "":
            continue
        try:
            result.setdefault(str(text), float(cell))
        except (TypeError, ValueError):
            raise DataError(
                f"the table of {name}, row {number + 1}, column {value}: {cell!r} is not a number"
            ) from None
    return result


def _keys(table: pa.Table, names: tuple[str, ...]) -> list[tuple[str, ...]]:
    columns = [map(str, table.column(name).to_pylist()) for name in names]
    return list(zip(*columns, strict=True))


def _must_have(table: pa.Table, name: str, place: str) -> None:
    if name not in table.column_names:
        raise DataError(f"{place} has no column {name!r}; it has {', '.join(table.column_names)}")
