"""Splits: whole, disjoint, repeatable, and refused where a part would be empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood.errors import DataError
from canarywood.preparation.spec import SplitSpec
from canarywood.preparation.split import OUTSIDE, TEST, TRAIN, VALIDATION, split

DAYS = [f"2013-01-{day:02}" for day in range(1, 21)]


def parts(spec: SplitSpec, column: Any = (), labels: Any = None, rows: int = 0) -> list[int]:
    rows = rows or len(column) or len(labels)
    found = np.zeros(rows) if labels is None else np.array(labels)
    result: list[int] = split(spec, rows, column=column, labels=found).tolist()
    return result


def counts(found: list[int]) -> tuple[int, int, int]:
    return found.count(TRAIN), found.count(VALIDATION), found.count(TEST)


def test_a_random_split_has_the_shares_asked_for() -> None:
    assert counts(parts(SplitSpec(), rows=1000)) == (700, 150, 150)
    assert counts(parts(SplitSpec(validation=0, test=0.5), rows=10)) == (5, 0, 5)
    assert counts(parts(SplitSpec(validation=0, test=0), rows=10)) == (10, 0, 0)


def test_a_seed_repeats_a_split_and_another_one_does_not() -> None:
    for spec in (SplitSpec(seed=1), SplitSpec("group", column="c", seed=1)):
        column = [str(i % 100) for i in range(1000)]
        assert parts(spec, column) == parts(spec, column)
        assert parts(spec, column) != parts(SplitSpec(spec.by, column="c", seed=2), column)


def test_a_stratified_split_keeps_the_share_of_each_class() -> None:
    labels = [1.0] * 20 + [0.0] * 180
    found = np.array(parts(SplitSpec(validation=0.1, test=0.1, stratify=True), labels=labels))
    for part in (VALIDATION, TEST):
        assert np.array(labels)[found == part].sum() == 2
        assert (found == part).sum() == 20


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcdefghij"), min_size=60, max_size=200), st.integers(0, 99))
def test_a_group_is_never_divided(groups: list[str], seed: int) -> None:
    spec = SplitSpec("group", 0.2, 0.2, column="c", seed=seed)
    try:
        found = parts(spec, groups)
    except DataError:
        return  # too few groups for three parts
    for group in set(groups):
        assert len({part for part, name in zip(found, groups, strict=True) if name == group}) == 1


def test_rows_without_a_group_are_a_group() -> None:
    column: list[str | None] = [None, "a", "b", "c", "d", None]
    found = parts(SplitSpec("group", 0.2, 0.2, column="c"), column)
    assert found[0] == found[-1]


def test_time_is_split_by_instants() -> None:
    spec = SplitSpec(
        "time", "2013-01-11", "2013-01-16", "c", train="2013-01-03", end="2013-01-19"
    )  # fmt: skip
    found = parts(spec, DAYS[::-1])[::-1]
    assert found[:2] == [OUTSIDE] * 2
    assert found[2:10] == [TRAIN] * 8
    assert found[10:15] == [VALIDATION] * 5
    assert found[15:18] == [TEST] * 3
    assert found[18:] == [OUTSIDE] * 2


def test_time_is_split_by_shares_of_the_rows_in_their_order() -> None:
    found = parts(SplitSpec("time", 0.15, 0.25, "c"), DAYS)
    assert found == [TRAIN] * 12 + [VALIDATION] * 3 + [TEST] * 5
    assert counts(parts(SplitSpec("time", 0, 0.25, "c"), DAYS)) == (15, 0, 5)
    assert counts(parts(SplitSpec("time", 0.25, 0, "c"), DAYS)) == (15, 5, 0)


def test_rows_of_one_instant_stay_together() -> None:
    times = ["2013-01-01"] * 8 + ["2013-01-02"] * 8 + ["2013-01-03"] * 4
    found = parts(SplitSpec("time", 0.3, 0.1, "c"), times)
    assert found == [TRAIN] * 8 + [VALIDATION] * 8 + [TEST] * 4


def test_a_share_and_an_instant_go_together() -> None:
    assert counts(parts(SplitSpec("time", 0.5, "2013-01-11", "c"), DAYS)) == (5, 5, 10)
    assert counts(parts(SplitSpec("time", "2013-01-06", 0.5, "c"), DAYS)) == (5, 5, 10)


def test_instants_of_several_zones_are_compared_as_instants() -> None:
    times = ["2013-01-01T00:00:00Z", "2013-01-01T01:00:00+02:00", "2013-01-01T00:00:00-05:00"]
    spec = SplitSpec("time", "2013-01-01T00:00:00Z", "2013-01-01T04:00:00Z", "c")
    assert parts(spec, times) == [VALIDATION, TRAIN, TEST]


def test_a_time_far_away_is_a_time() -> None:
    times = ["0001-01-01T00:00:00+14:00", "2013-01-01", "9999-12-31T23:00:00-14:00"]
    assert parts(SplitSpec("time", 0, 0, "c"), times) == [TRAIN, TRAIN, TRAIN]
    assert parts(SplitSpec("time", "2000-01-01", "9999-01-01", "c"), times) == [
        TRAIN, VALIDATION, TEST,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SplitSpec("random", 0.6, 0.6), "leaves no row for train"),
        (SplitSpec("random", 0.001, 0.5), "leaves no row for validation"),
        (SplitSpec("random", 0.5, 0.001), "leaves no row for test"),
        (SplitSpec("group", 0.5, 0.01, "c"), "leaves no row for validation|no row for train"),
        (SplitSpec("time", "2013-01-05", "2014-01-01", "c"), "leaves no row for test"),
        (SplitSpec("time", "2013-01-10", "2013-01-05", "c"), "leaves no row for validation"),
        (SplitSpec("time", "2012-01-01", "2013-01-05", "c"), "leaves no row for train"),
        (SplitSpec("time", 0.1, 0.1, "c", train="2020-01-01"), "no row of column c lies in the w"),
        (SplitSpec("time", 0.1, 0.1, "c", end="2000-01-01"), "no row of column c lies in the win"),
        (SplitSpec("time", "soon", 0.1, "c"), "data.split: 'soon' is not a time"),
        (SplitSpec("time", 0.1, 0.1, "c", end="soon"), "data.split.end: 'soon' is not a time"),
    ],
)
def test_a_split_that_leaves_a_part_empty_is_refused(spec: SplitSpec, said: str) -> None:
    column = ["one"] * 20 if spec.by == "group" else DAYS
    with pytest.raises(DataError, match=said):
        parts(spec, column)


@pytest.mark.parametrize(
    ("cell", "said"), [(None, "has an empty cell"), ("1 April", "'1 April' is not a time")]
)
def test_a_row_without_a_time_is_refused(cell: str | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parts(SplitSpec("time", column="c"), [*DAYS, cell])
