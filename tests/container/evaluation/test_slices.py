"""Slices: which rows belong together, and what is said of them."""

from __future__ import annotations

import math

import numpy as np

from canarywood.evaluation.metrics import Binary, Multiclass, Regression
from canarywood.evaluation.slices import MISSING, OTHERS, groups, slices


def test_rows_are_grouped_by_text_the_largest_first():
    found = groups(["b", "a", None, "b", math.nan, "b"], 10)
    assert [(label, rows.tolist()) for label, rows in found] == [
        ("b", [0, 3, 5]),
        (MISSING, [2, 4]),
        ("a", [1]),
    ]


def test_whole_numbers_lose_their_point():
    assert [label for label, _ in groups([1.0, 2.5], 10)] == ["1", "2.5"]


def test_the_many_small_groups_become_one():
    found = groups(list("aabbbcde"), 2)
    assert [(label, len(rows)) for label, rows in found] == [("b", 3), ("a", 2), (OTHERS, 3)]


def test_a_single_rest_keeps_its_name():
    assert [label for label, _ in groups(list("aabbbc"), 2)] == ["b", "a", "c"]


def test_a_slice_has_the_metric_of_its_own_rows():
    truth, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.8, 0.2])
    good, bad = slices(Binary(truth, scores), np.ones(4), ["g", "g", "h", "h"], "auc")
    assert (good.label, good.rows, good.value) == ("g", 2, 1.0)
    assert (bad.label, bad.value) == ("h", 0.0)
    assert math.isnan(good.low)  # two rows often hold one class when resampled


def test_an_interval_holds_the_value():
    generator = np.random.default_rng(0)
    truth = generator.normal(0, 1, 500)
    (whole,) = slices(Regression(truth, np.zeros(500)), np.ones(500), ["x"] * 500, "rmse")
    assert whole.low < whole.value < whole.high
    assert whole.deviation > 0


def test_slices_of_classes_take_labels_or_probabilities():
    labels = Multiclass([0, 1, 2, 2], [0, 1, 2, 0], 3)
    found = slices(labels, np.ones(4), ["a", "a", "b", "b"], "accuracy")
    assert [each.value for each in found] == [1.0, 0.5]
    spread = Multiclass([0, 1, 2, 2], np.eye(3)[[0, 1, 2, 0]], 3)
    found = slices(spread, np.ones(4), ["a", "a", "b", "b"], "accuracy")
    assert [each.value for each in found] == [1.0, 0.5]
