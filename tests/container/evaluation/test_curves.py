"""Curves and tables behind the pictures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from canarywood.evaluation import curves
from canarywood.evaluation.metrics import Binary, Regression

ONES = np.ones(4)
FOUR = Binary([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])


def test_the_roc_curve_equals_scikit_learn():
    x, y, _ = oracle.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], drop_intermediate=False)
    assert curves.roc_curve(FOUR, ONES) == list(zip(x, y, strict=True))


def test_the_precision_recall_curve_equals_scikit_learn():
    y, x, _ = oracle.precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert curves.precision_recall_curve(FOUR, ONES) == list(zip(x[::-1], y[::-1], strict=True))


def test_tied_scores_are_one_step_of_the_curve():
    tied = Binary([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5])
    assert curves.roc_curve(tied, ONES) == [(0.0, 0.0), (1.0, 1.0)]


def test_one_class_has_no_roc_curve():
    assert curves.roc_curve(Binary([0, 0], [0.1, 0.2]), np.ones(2)) == []
    assert curves.precision_recall_curve(Binary([0, 0], [0.1, 0.2]), np.ones(2)) == []


def test_a_long_curve_is_thinned_and_keeps_ends_and_shape():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 20_000)
    scored = Binary(truth, np.clip(generator.normal(0.4 + 0.2 * truth, 0.2), 0, 1))
    points = curves.roc_curve(scored, np.ones(20_000))
    assert len(points) <= curves.CURVE_POINTS + 2
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    x, y = np.array(points).T
    area = scored.metrics(np.ones(20_000))["auc"]
    assert np.trapezoid(y, x) == pytest.approx(area, abs=1e-3)


def test_calibration_bins_say_what_was_said_and_what_came():
    scored = Binary([0, 1, 1], [0.12, 0.18, 1.0])
    first, last = curves.calibration(scored, np.array([1.0, 3.0, 1.0]))
    assert (first.low, first.high, first.count) == (0.1, 0.2, 2)
    assert first.said == pytest.approx(0.165)
    assert first.came == 0.75
    assert (last.low, last.count, last.came) == (0.9, 1, 1.0)


def test_the_threshold_table_marks_the_default_and_the_best_f1():
    found = curves.cutoffs(FOUR, ONES, (0.2, 0.375, 0.5))
    assert [each.is_default for each in found] == [False, False, True]
    assert [each.is_best_f1 for each in found] == [True, False, False]
    assert [each.picked for each in found] == [0.75, 0.5, 0.25]


def test_the_top_tenth_shares_ties():
    truth = np.array([1, 0] * 50)
    tied = Binary(truth, np.full(100, 0.3))
    assert curves.share_of_positives(tied, np.ones(100), 0.1) == pytest.approx(0.5)
    ranked = Binary(truth, np.where(truth, 0.9, 0.1))
    assert curves.share_of_positives(ranked, np.ones(100), 0.1) == 1.0


def test_values_outside_the_edges_count_in_the_outer_bins():
    found = curves.histogram(np.array([-9.0, 0.5, 1.5, 99.0]), ONES, np.array([0.0, 1.0, 2.0]))
    assert found.shares == (0.5, 0.5)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.7, 12.2), (5, 5), (0, 1e-9), (-1e9, 1e9)])
def test_round_edges_hold_all_values_in_about_as_many_bins(low, high):
    edges = curves.round_edges(low, high, 20)
    assert edges[0] <= low
    assert edges[-1] >= high - 1e-12 * abs(high)
    assert 5 <= len(edges) <= 28


def test_counted_truths_lie_in_the_middle_of_their_cells():
    density = curves.predicted_and_true(Regression([1, 2, 9], [1.2, 2.2, 8.1]), np.ones(3))
    assert density.y_edges[0] == 0.5
    assert density.values.sum() == 3.0


def test_constant_residuals_have_a_histogram():
    found = curves.residual_histogram(Regression([1.0, 2.0], [1.0, 2.0]), np.ones(2))
    assert sum(found.shares) == pytest.approx(1.0)
