"""Test rows against what training saw, column by column."""

from __future__ import annotations

import numpy as np
import pytest

from canarywood.evaluation.columns import column_facts
from canarywood.schema.definition import Column, Schema

SCHEMA = Schema(
    name="x",
    target=None,
    inputs=(
        Column("temp", low=0.0, high=10.0, missing_rate=0.25),
        Column("when", kind="time"),
        Column("dest", kind="category", categories=("a", "b")),
    ),
    features=("temp", "dest"),
)
NAN = np.nan


def test_missing_outside_and_unknown_are_told_apart():
    features = np.array([[5, 0], [11, NAN], [-1, NAN], [NAN, 1]], dtype=np.float32)
    temp, when, dest = column_facts(SCHEMA, features, {"dest": 1})
    assert temp.missing_now == 0.25
    assert temp.outside == pytest.approx(2 / 3)
    assert dest.missing_now == 0.25  # two are NaN, but one of them was an unknown category
    assert dest.unknown == 1
    assert dest.outside is None
    assert (when.is_feature, when.missing_now) == (False, None)
    assert [temp.is_noteworthy, when.is_noteworthy, dest.is_noteworthy] == [True, False, True]


def test_rows_like_those_of_training_are_not_noteworthy():
    features = np.array([[5, 0], [0, 1], [10, 1], [NAN, 1]], dtype=np.float32)
    assert not any(facts.is_noteworthy for facts in column_facts(SCHEMA, features, {}))


def test_the_ends_of_the_range_are_inside_also_as_float32():
    schema = Schema("x", None, (Column("a", low=0.1, high=0.7),), ("a",))
    features = np.array([[0.1], [0.7]], dtype=np.float32)
    assert column_facts(schema, features, {})[0].outside == 0.0
