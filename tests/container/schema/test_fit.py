"""Fitting: kinds found out, indices told from amounts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from canarywood.errors import DataError
from canarywood.schema.definition import MISSING_TOKENS, Column
from canarywood.schema.fit import Wish, fit_column, index_like, infer_kind


def column(*values: Any) -> Any:
    return pa.chunked_array([pa.array(values)])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (column("1", " 2.5 ", "NA", "-1e3"), "number"),
        (column("1", "2", "x"), "category"),
        (column("", "NA"), "number"),
        (column("7", "na", "n.a.", "N.A.", "#N/A"), "number"),
        (column(*"12345678", "x"), "category"),  # 8 of 9: fewer than nine in ten
        (column(1, 2), "number"),
        (column(1.5), "number"),
        (column(True, False), "category"),
        (column("x").dictionary_encode(), "category"),
        (pa.chunked_array([pa.array([1], pa.timestamp("ns"))]), "time"),
        (pa.chunked_array([pa.nulls(2)]), "number"),
    ],
)
def test_the_kind_follows_from_the_cells(values: Any, kind: str) -> None:
    assert infer_kind(values, "c", MISSING_TOKENS) == kind


def test_a_column_is_described_by_its_rows() -> None:
    table = pa.table({"n": ["1", "", "3.5", "NA"], "c": ["b", "a", "", "b"]})
    assert fit_column(table, Wish("n"), MISSING_TOKENS) == Column(
        "n", "number", low=1, high=3.5, missing_rate=0.5
    )
    assert fit_column(table, Wish("c"), MISSING_TOKENS) == Column(
        "c", "category", categories=("a", "b"), missing_rate=0.25
    )
    wish = Wish("c", "category", ("x", "b"))
    assert fit_column(table, wish, MISSING_TOKENS).categories == ("x", "b")


def test_a_cell_that_the_wish_refuses_is_named() -> None:
    table = pa.table({"n": ["1", "11"]})
    with pytest.raises(DataError, match=r"row 2, column n: 11\.0 is outside 0 to 10"):
        fit_column(table, Wish("n", minimum=0, maximum=10), MISSING_TOKENS)
    with pytest.raises(DataError, match="row 1, column n: 'x' is not a number"):
        fit_column(pa.table({"n": ["x"]}), Wish("n", "number"), MISSING_TOKENS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (column(0, 1, 2), True),
        (column("5", "6", "7"), True),
        (column(1.0, 2.0, 3.0), True),
        (column(0, 1), False),
        (column(0, 1, 3), False),
        (column(2, 1, 0), False),
        (column(1, 1, 1), False),
        (column(0, None, 2), False),
        (column("a", "b", "c"), False),
        (column([1], [2], [3]), False),
        (pa.chunked_array([[0, 1], [2, 3]]), True),
        (pa.chunked_array([pa.array([0, 1, 2], pa.date32())]), False),
    ],
)
def test_an_index_counts_the_rows(values: Any, expected: bool) -> None:
    assert index_like(values) is expected


AGES = [str(age) for age in range(598)]


@pytest.mark.parametrize(
    ("name", "texts", "said"),
    [
        (
            "age",
            [*AGES, "n. a."],
            "column age: 598 of 599 different texts are numbers, 'n. a.' is not; "
            "add it to `missing`, or declare `kinds: {age: category}`",
        ),
        (
            "my age",
            [*AGES, "d", "c", "b", "a", "-"],
            "column my age: 598 of 603 different texts are numbers, '-', 'a', 'b' and 2 more are "
            'not; add them to `missing`, or declare `kinds: {"my age": category}`',
        ),
        (
            "price",
            [*AGES, "1,234.50"],
            "column price: '1,234.50' has a comma; write numbers like 1234.50 in the files, "
            "or declare `kinds: {price: category}`",
        ),
        (
            "no",
            ["1,5", "1.234,5", *AGES[:8], "-"],
            "column no: 10 of 11 different texts are numbers, '-' is not; add it to `missing`; "
            "'1,5', '1.234,5' have commas; write numbers like 1234.50 in the files, "
            'or declare `kinds: {"no": category}`',
        ),
    ],
)
def test_numbers_with_a_few_odd_texts_are_no_category(
    name: str, texts: list[str], said: str
) -> None:
    with pytest.raises(DataError) as caught:
        infer_kind(column(*texts), name, MISSING_TOKENS)
    assert str(caught.value) == said


DAYS = range(1, 29)
DATES = [(year, month, day) for year in range(2020, 2024) for month in range(1, 13) for day in DAYS]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            [f"{y}-{m:02}-{d:02} 10:30" for y, m, d in DATES],
            "column placed at looks like a time ('2020-01-01 10:30', ...); declare "
            '`kinds: {"placed at": time}`, and derive features such as time_hour or time_weekday '
            "from it",
        ),
        (
            [f"{d:02}/{m:02}/{y} 9:30 PM" for y, m, d in DATES],
            "column placed at looks like a time ('01/01/2020 9:30 PM', ...), but a time must be "
            "written in ISO 8601, like 2013-04-01 or 2013-04-01T06:00:00; rewrite it in the files "
            'and declare `kinds: {"placed at": time}`, or exclude it',
        ),
        (
            [f"order {number}" for number in range(1001)],
            "column placed at has 1,001 different texts ('order 0', ...): an identifier tells rows "
            "apart and says nothing; exclude it, or if it is a category declare "
            '`kinds: {"placed at": category}`',
        ),
    ],
)
def test_a_column_of_many_texts_is_a_time_or_an_identifier(texts: list[str], said: str) -> None:
    with pytest.raises(DataError) as caught:
        infer_kind(column(*texts), "placed at", MISSING_TOKENS)
    assert str(caught.value) == said


@pytest.mark.parametrize("form", ["{2}.{1}.{0}", "{0}/{1}/{2}, 10:30:00.5", "{2}-{1}-{0} 10.30"])
def test_other_spellings_of_a_day_and_a_month_look_like_a_time(form: str) -> None:
    with pytest.raises(DataError, match="must be written in ISO 8601"):
        infer_kind(column(*(form.format(*date) for date in DATES)), "c", MISSING_TOKENS)
