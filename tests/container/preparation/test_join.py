"""Joins and look-ups."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from canarywood.errors import DataError
from canarywood.preparation.join import join, lookup_table
from canarywood.preparation.spec import ColumnSpec, JoinSpec
from canarywood.schema.definition import MISSING_TOKENS

MAIN = pa.table({"k": ["b", "a", "x", "b", ""], "n": ["1", "2", "3", "4", "5"]})


def spec(on: str = "k", *columns: str) -> JoinSpec:
    return JoinSpec("other", (on,), dict.fromkeys(columns or ("v",), ColumnSpec()))


def joined(main: pa.Table, other: dict[str, Any], how: JoinSpec) -> tuple[list[Any], int]:
    done = join(main, pa.table(other), how, MISSING_TOKENS)
    return done.table.column("v").to_pylist(), done.matched


def test_rows_keep_their_order_and_those_without_a_match_are_missing() -> None:
    assert joined(MAIN, {"k": ["a", "b"], "v": [10, 20]}, spec()) == (
        [20, 10, None, 20, None],
        3,
    )


def test_the_first_of_equal_keys_counts() -> None:
    assert joined(MAIN, {"k": ["b", "b"], "v": [1, 2]}, spec())[0] == [1, None, None, 1, None]


def test_missing_keys_match_nothing() -> None:
    for empty in ("", None, "NA"):
        found = joined(MAIN, {"k": pa.array([empty, "a"]), "v": [1, 2]}, spec())
        assert found == ([None, 2, None, None, None], 1)
    main = pa.table({"k": pa.array([None, "None"])})
    assert joined(main, {"k": pa.array([None, "x"]), "v": [1, 2]}, spec())[1] == 0


def test_keys_of_other_types_match_by_their_text() -> None:
    main = pa.table({"k": ["1", "2.0"]})
    for keys in (pa.array([1, 2]), pa.array([1.0, 2.0]), pa.array(["1.0", "2"])):
        assert joined(main, {"k": keys, "v": [10, 20]}, spec()) == ([10, 20], 2)


def test_several_keys_must_all_match() -> None:
    other = pa.table({"k": ["b", "b"], "n": ["4", "9"], "v": ["yes", "no"]})
    done = join(MAIN, other, JoinSpec("other", ("k", "n"), {"v": ColumnSpec()}), MISSING_TOKENS)
    assert done.table.column("v").to_pylist() == [None, None, None, "yes", None]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (spec("q"), "the main table has no column 'q'; it has k, n"),
        (spec("n"), "table other has no column 'n'; it has k, v"),
        (spec("k", "w"), "table other has no column 'w'; it has k, v"),
        (spec("k", "k"), "table other: the main table has a column 'k' already"),
    ],
)
def test_a_join_that_cannot_be_made_is_refused(how: JoinSpec, said: str) -> None:
    with pytest.raises(DataError, match=said):
        joined(MAIN, {"k": ["a"], "v": [1]}, how)


def test_a_lookup_table_is_text_to_number() -> None:
    table = pa.table({"k": ["a", "b", "a", "", "c", "7.0"], "v": ["1", "2.5", "9", "4", "", "NA"]})
    assert lookup_table(table, "k", "v", "d", MISSING_TOKENS) == {"a": 1.0, "b": 2.5}
    numbers = pa.table({"k": [7, 8], "v": [1, 2]})
    assert lookup_table(numbers, "k", "v", "d", MISSING_TOKENS) == {"7": 1.0, "8": 2.0}


@pytest.mark.parametrize("cell", ["many", "1_000", "inf", "1e39"])
def test_a_lookup_value_that_is_no_number_is_named(cell: str) -> None:
    table = pa.table({"k": ["a", "b"], "v": ["1", cell]})
    with pytest.raises(DataError, match="row 2, column v: "):
        lookup_table(table, "k", "v", "d", MISSING_TOKENS)
    with pytest.raises(DataError, match="the table of d has no column 'w'"):
        lookup_table(table, "k", "w", "d", MISSING_TOKENS)
