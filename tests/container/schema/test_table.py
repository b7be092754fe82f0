"""Columns of every type that Parquet has, labels and weights."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from canarywood.errors import DataError
from canarywood.schema.definition import Column, Schema, Target
from canarywood.schema.table import LABEL, WEIGHT, TableReader, encode, labels, weights

MOMENT = dt.datetime(2013, 4, 1, 6, 30)  # noqa: DTZ001 - as Parquet holds a time without zone


def read(values: Any, kind: str, **options: Any) -> list[Any]:
    column = Column("c", kind)  # type: ignore[arg-type]
    reader = TableReader(Schema("s", None, (column,), (), **options))
    found = reader.readable(pa.table({"c": values}), column).tolist()
    return [None if value != value else value for value in found]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None], pa.int8()), [1.0, None]),
        (pa.array([2**63, None], pa.uint64()), [2.0**63, None]),
        (pa.array([0.5, float("nan")], pa.float32()), [0.5, None]),
        (pa.array(np.array([0.5, 2], dtype=np.float16)), [0.5, 2.0]),
        (pa.array([True, None]), [1.0, None]),
        (pa.array([Decimal("1.25"), None]), [1.25, None]),
        (pa.array([" 1.5 ", "NA", "", None]), [1.5, None, None, None]),
        (pa.array(["+.5"], pa.large_string()), [0.5]),
        (pa.array(["7", "7", None]).dictionary_encode(), [7.0, 7.0, None]),
        (pa.nulls(2), [None, None]),
        (pa.chunked_array([["1"], [], ["2"]], pa.string()), [1.0, 2.0]),
        (pa.array([], pa.string()), []),
    ],
)
def test_a_number_is_read_from_every_type(values: Any, expected: list[Any]) -> None:
    assert read(values, "number") == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([" x ", "NA", "", None]), ["x", None, None, None]),
        (pa.array(["x"], pa.large_string()), ["x"]),
        (pa.array(["x", None]).dictionary_encode(), ["x", None]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([7, None]), ["7", None]),
        (pa.array([7.0, 0.5, float("nan")]), ["7", "0.5", None]),
        (pa.array(["7", "7.0", "7.00", "007"]), ["7", "7", "7", "007"]),
        (pa.array([Decimal("7.00"), Decimal("0.50")]), ["7", "0.5"]),
        (pa.array([dt.date(2013, 4, 1)]), ["2013-04-01"]),
        (pa.array([MOMENT]), ["2013-04-01T06:30:00"]),
        (pa.array([1], pa.timestamp("ns")), ["1970-01-01T00:00:00"]),
        (pa.array([MOMENT], pa.timestamp("us", "UTC")), ["2013-04-01T06:30:00+00:00"]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_a_text_is_read_from_every_type(values: Any, expected: list[Any]) -> None:
    assert read(values, "category") == expected


@pytest.mark.parametrize("kind", ["number", "category"])
@pytest.mark.parametrize(
    "values", [pa.array([[1], [2]]), pa.array([{"x": 1}]), pa.array([b"x"]), pa.array([dt.time(1)])]
)
def test_a_type_that_is_neither_is_a_data_error(kind: str, values: Any) -> None:
    with pytest.raises(DataError, match=r"column c: "):
        read(values, kind)


def test_missing_tokens_that_are_numbers_count_in_every_type() -> None:
    options = {"missing": ("-999", "-9.9")}
    assert read(pa.array(["-999", "-999.0", "1"]), "number", **options) == [None, None, 1.0]
    assert read(pa.array([-999, 1]), "number", **options) == [None, 1.0]
    assert read(pa.array([-9.9, 1], pa.float32()), "number", **options) == [None, 1.0]
    assert read(pa.array([-999, 1]), "category", **options) == [None, "1"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1", "x"], "row 2, column c: 'x' is not a number"),
        (["1", "1e39"], "row 2, column c: '1e39' is not a finite 32-bit number"),
        ([1.0, float("inf")], "row 2, column c: inf is not a finite 32-bit number"),
        ([1.0, 1e39], r"row 2, column c: 1e\+39 is not a finite 32-bit number"),
        ([1.0, 1001.0], "row 2, column c: 1001.0 is outside 0 to 1000"),
        (["1", "-1"], "row 2, column c: -1.0 is outside 0 to 1000"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(values: list[Any], said: str) -> None:
    schema = Schema("s", None, (Column("c", minimum=0, maximum=1000),), ("c",))
    with pytest.raises(DataError, match=said):
        encode(pa.table({"c": values}), schema)


def test_a_table_without_an_input_is_refused() -> None:
    schema = Schema("s", None, (Column("c"), Column("d")), ("c", "d"))
    with pytest.raises(DataError, match="the table lacks d; it has c, e"):
        encode(pa.table({"c": [1], "e": [1]}), schema)


def test_labels_of_each_task() -> None:
    def of(values: list[Any], target: Target) -> list[Any]:
        found = labels(pa.table({"t": values}), Schema("s", target, (), ())).tolist()
        return [None if value != value else value for value in found]

    assert of(["1.5", "NA", "2"], Target("t", "regression")) == [1.5, None, 2]
    assert of([15, 16, None], Target("t", "binary", above=15)) == [0, 1, None]
    assert of(["no", " yes ", ""], Target("t", "binary", classes=("no", "yes"))) == [0, 1, None]
    assert of([3, 1.0, 2], Target("t", "multiclass", classes=("1", "2", "3"))) == [2, 0, 1]
    with pytest.raises(DataError, match="row 2, column t: 'maybe' is not a category"):
        of(["no", "maybe"], Target("t", "binary", classes=("no", "yes")))
    with pytest.raises(DataError, match="has no target column 't'; it has x"):
        labels(pa.table({"x": [1]}), Schema("s", Target("t", "regression"), (), ()))


def test_the_label_and_weight_of_preprocess_come_first() -> None:
    table = pa.table({LABEL: [1.0], WEIGHT: [3.0], "t": ["x"], "w": [5]})
    schema = Schema("s", Target("t", "binary", classes=("y", "x")), (), (), weight="w")
    assert labels(table, schema).tolist() == [1]
    found = weights(table, schema)
    assert found is not None
    assert found.tolist() == [3]
    assert weights(pa.table({"t": ["x"]}), schema) is None


@pytest.mark.parametrize("values", [["1", "-1"], ["1", ""], [1.0, None]])
def test_a_weight_is_zero_or_more(values: list[Any]) -> None:
    schema = Schema("s", None, (), (), weight="w")
    with pytest.raises(DataError, match="row 2, column w: a weight must be 0 or more"):
        weights(pa.table({"w": values}), schema)
