"""Derived columns: each operation, its missing values and its errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from canarywood.errors import ArtifactError, DataError, RequestError
from canarywood.schema.definition import Derived
from canarywood.schema.derive import OPERATIONS, Deriver

COLUMNS: dict[str, Any] = {
    "a": [6.0, math.nan, -1.0, 0.0],
    "b": [4.0, 1.0, 0.0, 0.0],
    "year": [2013.0, 2012.0, 2013.0, math.nan],
    "month": [4.0, 2.0, 2.0, 1.0],
    "day": [1.0, 29.0, 30.0, 1.0],
    "at": ["2013-04-01 06:30", "2013-12-31T23:59:59-05:00", "2013-04-07", None],
    "color": ["red", "blue", None, "green"],
}


def derived(op: str, *of: str, **options: Any) -> list[float | None]:
    columns = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in COLUMNS.items()
    }
    Deriver([Derived("d", op, of, **options)]).extend(columns)
    assert columns["d"].dtype == np.float64
    return [None if math.isnan(value) else value for value in columns["d"].tolist()]


@pytest.mark.parametrize(
    ("op", "of", "expected"),
    [
        ("weekday", ("year", "month", "day"), [0, 2, None, None]),
        ("time_weekday", ("at",), [0, 1, 6, None]),
        ("time_hour", ("at",), [6, 23, 0, None]),
        ("time_day", ("at",), [1, 31, 7, None]),
        ("time_month", ("at",), [4, 12, 4, None]),
        ("sum", ("a", "b", "b"), [14, None, -1, 0]),
        ("difference", ("a", "b"), [2, None, -1, 0]),
        ("product", ("a", "b"), [24, None, 0, 0]),
        ("ratio", ("a", "b"), [1.5, None, None, None]),
        ("log1p", ("b",), [math.log(5), math.log(2), 0, 0]),
        ("log1p", ("a",), [math.log(7), None, None, 0]),
        ("is_missing", ("a",), [0, 1, 0, 0]),
        ("is_missing", ("color",), [0, 0, 1, 0]),
    ],
)
def test_an_operation_works_row_by_row(
    op: str, of: tuple[str, ...], expected: list[float | None]
) -> None:
    found = derived(op, *of)
    assert found == [None if v is None else pytest.approx(v, rel=1e-15) for v in expected]


def test_every_operation_of_the_list_has_a_help_and_is_tested() -> None:
    assert set(OPERATIONS) == {
        "weekday", "time_weekday", "time_hour", "time_day", "time_month", "sum", "difference",
        "product", "ratio", "log1p", "is_missing", "lookup", "python",
    }  # fmt: skip
    assert all(operation.help for operation in OPERATIONS.values())


def test_a_lookup_has_the_number_of_a_text_or_none() -> None:
    assert derived("lookup", "color", table={"red": 1.0, "blue": 0.5}) == [1, 0.5, None, None]


def test_a_time_that_is_none_is_named_with_row_and_column() -> None:
    columns = {"at": np.array(["2013-04-01", None, "soon"], dtype=object)}
    with pytest.raises(RequestError) as caught:
        Deriver([Derived("d", "time_hour", ("at",))]).extend(columns)
    assert (caught.value.row, caught.value.column, caught.value.code) == (3, "at", "time")


def test_an_operation_of_a_later_version_is_refused_when_it_is_loaded() -> None:
    with pytest.raises(ArtifactError, match="no operation 'cube'"):
        Deriver([Derived("d", "cube", ("a",))])


# ---- the user's functions


def with_function(function: Any) -> list[float | None]:
    import model.preprocess as users

    users.probe = function  # type: ignore[attr-defined]  # it is put there for this test
    try:
        return derived("python", "a", "b", function="probe")
    finally:
        del users.probe  # type: ignore[attr-defined]  # and taken away


def test_a_function_of_the_users_makes_a_column() -> None:
    assert with_function(lambda a, b: a + b) == [10, None, -1, 0]
    assert with_function(lambda a, b: a > b) == [1, 0, 0, 0]
    assert with_function(lambda a, _: a.astype(np.float32)) == [6, None, -1, 0]


def in_place(a: Any, _: Any) -> Any:
    a *= 2
    return a


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda *_: 1 / 0, "probe failed: ZeroDivisionError"),
        (lambda a, _: a.mean(), r"probe returned shape \(\)"),
        (lambda a, _: a[:2], r"probe returned shape \(2,\)"),
        (lambda *_: ["x"] * 4, "probe failed: ValueError"),
        (lambda a: a, "probe failed: TypeError"),
        (in_place, "probe failed: ValueError.*read-only"),
    ],
)
def test_a_function_that_fails_is_named_with_its_file(function: Any, said: str) -> None:
    with pytest.raises(DataError, match=rf"model/preprocess\.py: {said}"):
        with_function(function)
