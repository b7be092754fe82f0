"""Requests and training files are read alike: the same float32, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood import media
from canarywood.errors import CanarywoodError
from canarywood.schema.definition import Column, Derived, Schema
from canarywood.schema.rows import RowReader
from canarywood.schema.table import TableReader
from canarywood.serving.decoding import Decoder

NAMES = ("a", "b", "color", "at")
SCHEMA = Schema(
    name="probe",
    target=None,
    inputs=(
        Column("a"),
        Column("b"),
        Column("color", "category", categories=("blue", "red", "7")),
        Column("at", "time"),
    ),
    derived=(
        Derived("total", "sum", ("a", "b")),
        Derived("less", "difference", ("a", "b")),
        Derived("area", "product", ("a", "b")),
        Derived("share", "ratio", ("a", "b")),
        Derived("log", "log1p", ("a",)),
        Derived("no_color", "is_missing", ("color",)),
        Derived("hue", "lookup", ("color",), table={"blue": 240.0, "red": 0.5}),
        Derived("hour", "time_hour", ("at",)),
        Derived("weekday", "time_weekday", ("at",)),
        Derived("date", "weekday", ("a", "b", "share")),
    ),
    features=(
        "a", "b", "color", "total", "less", "area", "share", "log",
        "no_color", "hue", "hour", "weekday", "date",
    ),
)  # fmt: skip

small_numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
any_numbers = st.floats(allow_nan=False, allow_infinity=False)
number_texts = st.one_of(
    small_numbers.map(repr),
    any_numbers.map(repr),
    st.integers(-(10**30), 10**30).map(str),
    st.from_regex(r"[+-]?[0-9]{0,4}\.?[0-9]{0,4}([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(
        [
            "",
            " ",
            "NA",
            "nan",
            "null",
            "None",
            "inf",
            "-Infinity",
            "1_000",
            "0x10",
            "\uff11\uff12",
            "abc",
            "+1.5",
            ".5",
            "5.",
            "1e39",
            "1e400",
            "-1e-400",
            " 7 ",
            "\t8",
            "00012",
            "--1",
            "1e",
            "3.4028235677973366e38",
            "3.4028234663852886e38",
            "16777217",
            "true",
            "-0",
            "1\n",
            "\r2",
            "\u0131nf",
            "nul",
            "1,2",
            "[1]",
        ]
    ),
)
good_numbers = st.one_of(small_numbers.map(repr), st.sampled_from(["", "NA", "+1", ".5", " 2 "]))
colors = st.sampled_from(
    ["blue", "red", "7", " red ", "", "?", "green", "Blue", "\uff17", "7.0", "7.00", "7.1", "+7.0"]
)
times = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds")),
    st.sampled_from(["", "2013-04-01", "2013-04-01T06:00:00Z", "2013-04-01 06:00:00-05:00"]),
)
json_numbers = st.one_of(
    st.none(), small_numbers, any_numbers, st.integers(-(2**62), 2**62), st.booleans()
)


def bits(matrix: np.ndarray[Any, Any]) -> list[list[int]]:
    rows: list[list[int]] = matrix.view(np.uint32).tolist()
    return rows


def by_rows(rows: list[list[Any]]) -> tuple[str, Any]:
    try:
        return "matrix", bits(RowReader(SCHEMA).values(rows))
    except CanarywoodError:
        return "error", None


def by_table(table: pa.Table) -> tuple[str, Any]:
    try:
        return "matrix", bits(TableReader(SCHEMA).encode(table))
    except CanarywoodError:
        return "error", None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(good_numbers, good_numbers, colors, times), min_size=1, max_size=30))
def test_rows_of_text_give_the_same_bits_in_a_request_and_in_a_file(
    rows: list[tuple[str, str, str, str]],
) -> None:
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(NAMES)})
    kind, matrix = by_rows([list(row) for row in rows])
    assert (kind, matrix) == by_table(table)
    assert kind == "matrix"


@settings(max_examples=500, deadline=None)
@given(st.lists(number_texts, min_size=1, max_size=12))
def test_a_text_is_a_number_to_both_or_to_neither(texts: list[str]) -> None:
    rows: list[list[Any]] = [[text, "1", "red", "2013-01-01"] for text in texts]
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(NAMES)})
    first, second = by_rows(rows), by_table(table)
    assert first[0] == second[0]
    if first[0] == "matrix":
        assert first == second


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(json_numbers, json_numbers), min_size=1, max_size=12))
def test_json_values_and_typed_parquet_columns_give_the_same_bits(
    rows: list[tuple[Any, Any]],
) -> None:
    first: list[list[Any]] = [[a, b, "blue", None] for a, b in rows]

    def typed(values: list[Any]) -> list[float | None]:
        return [None if value is None else float(value) for value in values]

    table = pa.table(
        {
            "a": pa.array(typed([a for a, _ in rows]), pa.float64()),
            "b": pa.array(typed([b for _, b in rows]), pa.float64()),
            "color": ["blue"] * len(rows),
            "at": pa.nulls(len(rows), pa.string()),
        }
    )
    left, right = by_rows(first), by_table(table)
    assert left[0] == right[0]
    if left[0] == "matrix":
        assert left == right


PLAIN = Schema("plain", None, (Column("x"), Column("y")), ("x", "y"))
# The same columns, and a derived one that keeps the decoder from its short way.
LONG = Schema(
    "long", None, PLAIN.inputs, ("x", "y", "z"), derived=(Derived("z", "sum", ("x", "y")),)
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(number_texts, number_texts), min_size=1, max_size=8))
def test_the_short_way_for_plain_numbers_changes_nothing(rows: list[tuple[str, str]]) -> None:
    body = "".join(f"{x},{y}\n" for x, y in rows).encode()
    found: list[tuple[str, Any]] = []
    for schema in (PLAIN, LONG):
        try:
            matrix = Decoder(schema).decode(body, media.parse("text/csv"))
            found.append(("matrix", bits(np.ascontiguousarray(matrix[:, :2]))))
        except CanarywoodError as error:
            found.append(("error", getattr(error, "code", None)))
    # A sum may overflow where its terms do not: only the long way has one.
    if found[1] != ("error", "non_finite") or found[0][0] == "error":
        assert found[0] == found[1]


def test_int_categories_are_one_text_in_every_form() -> None:
    rows: list[list[Any]] = [[1, 1, 7, None], [1, 1, 7.0, None], [1, 1, "7", None]]
    matrix = RowReader(SCHEMA).values(rows)
    assert matrix[:, 2].tolist() == [2.0, 2.0, 2.0]
    for values in (pa.array([7, 7, 7]), pa.array([7.0, 7.0, 7.0]), pa.array(["7", " 7", "7 "])):
        ones = pa.array([1.0, 1.0, 1.0])
        table = pa.table({"a": ones, "b": ones, "color": values, "at": pa.nulls(3, pa.string())})
        assert TableReader(SCHEMA).encode(table)[:, 2].tolist() == [2.0, 2.0, 2.0]


def test_an_unknown_category_is_missing_and_counted_on_both_paths() -> None:
    rows: list[list[Any]] = [
        ["1", "1", "green", ""],
        ["1", "1", "red", ""],
        ["1", "1", "green", ""],
    ]
    reader = RowReader(SCHEMA)
    assert [math.isnan(value) for value in reader.values(rows)[:, 2]] == [True, False, True]
    assert reader.unknown == {"color": 2}
    table_reader = TableReader(SCHEMA)
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(NAMES)})
    assert np.isnan(table_reader.encode(table)[:, 2]).tolist() == [True, False, True]
    assert table_reader.unknown == {"color": 2}
