"""Joins: columns of reference tables beside the rows of the main table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from canarywood.errors import DataError
from canarywood.preparation.spec import JoinSpec
from canarywood.schema.definition import Column, Schema
from canarywood.schema.table import TableReader


@dataclass(frozen=True)
class Joined:
    """A table with the columns of a join, and how many rows found a match."""

    table: pa.Table
    matched: int


def join(table: pa.Table, other: pa.Table, spec: JoinSpec, missing: Sequence[str]) -> Joined:
    """A left join on the texts of the key columns; the order of the rows stays.

    Rows without a match get missing cells; a row that lacks a part of its key matches none.
    Where a key stands several times in `other`, its first row counts.

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
    index: dict[tuple[str | None, ...], int] = {}
    for row, key in enumerate(_keys(other, spec.on, missing)):
        if None not in key:
            index.setdefault(key, row)
    keys = _keys(table, spec.on, missing)
    found = np.array([index.get(key, -1) for key in keys], dtype=np.int64)
    places = pa.array(np.where(found < 0, 0, found), mask=found < 0)
    for name in spec.columns:
        table = table.append_column(name, other.column(name).take(places))
    return Joined(table, int((found >= 0).sum()))


def lookup_table(
    table: pa.Table, key: str, value: str, name: str, missing: Sequence[str]
) -> dict[str, float]:
    """text of the key -> number, for the derived column `name`.

    Raises:
        DataError: a column is not there, or a value is no number.
    """
    _must_have(table, key, f"the table of {name}")
    _must_have(table, value, f"the table of {name}")
    texts = _read(table, Column(key, "category"), missing)
    numbers = _read(table, Column(value), missing)
    result: dict[str, float] = {}
    for text, number in zip(texts.tolist(), numbers.tolist(), strict=True):
        if text is not None and not math.isnan(number):
            result.setdefault(text, number)
    return result


def _keys(
    table: pa.Table, names: Sequence[str], missing: Sequence[str]
) -> list[tuple[str | None, ...]]:
    columns = [_read(table, Column(name, "category"), missing).tolist() for name in names]
    return list(zip(*columns, strict=True))


def _read(table: pa.Table, column: Column, missing: Sequence[str]) -> NDArray[Any]:
    """A column by the rules of every schema; DataError names file and row of a bad cell."""
    reader = TableReader(Schema("join", None, (column,), (), missing=tuple(missing)))
    return reader.readable(table, column)


def _must_have(table: pa.Table, name: str, place: str) -> None:
    if name not in table.column_names:
        raise DataError(f"{place} has no column {name!r}; it has {', '.join(table.column_names)}")
