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
