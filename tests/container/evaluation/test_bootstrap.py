"""The bootstrap: close to the known formula, seeded, and silent below 200 rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from canarywood.evaluation.bootstrap import deviations, interval, resamples_for
from canarywood.evaluation.metrics import Binary, Regression


def binary(rows: int) -> Binary:
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 2, rows)
    return Binary(truth, np.clip(generator.normal(0.4 + 0.2 * truth, 0.2), 0, 1))


def test_the_deviation_of_the_accuracy_is_that_of_a_share():
    scored = binary(2000)
    accuracy = scored.metrics(np.ones(2000))["accuracy"]
    expected = math.sqrt(accuracy * (1 - accuracy) / 2000)
    assert deviations(scored, np.ones(2000))["accuracy"] == pytest.approx(expected, rel=0.2)


def test_the_deviation_of_the_mean_residual_is_its_standard_error():
    residuals = np.random.default_rng(2).normal(0, 3, 3000)
    scored = Regression(residuals, np.zeros(3000))
    found = deviations(scored, np.ones(3000))["residual_mean"]
    assert found == pytest.approx(residuals.std() / math.sqrt(3000), rel=0.2)


def test_the_same_seed_gives_the_same_deviations():
    scored = binary(300)
    assert deviations(scored, np.ones(300)) == deviations(scored, np.ones(300))
    assert deviations(scored, np.ones(300)) != deviations(scored, np.ones(300), seed=1)


@pytest.mark.parametrize(("rows", "is_known"), [(199, False), (200, True)])
def test_deviations_start_at_200_rows_as_in_model_monitor(rows, is_known):
    assert math.isfinite(deviations(binary(rows), np.ones(rows))["auc"]) is is_known


def test_an_undefined_metric_has_no_deviation():
    scored = Binary(np.zeros(300), np.full(300, 0.2))
    found = deviations(scored, np.ones(300))
    assert math.isnan(found["auc"])
    assert found["accuracy"] == 0.0


def test_an_interval_is_the_middle_of_the_resamples():
    low, high = interval(np.linspace(0, 1, 1001))
    assert (low, high) == pytest.approx((0.025, 0.975))
    assert math.isnan(interval(np.array([0.5] * 8 + [math.nan] * 2))[0])


def test_large_tables_are_resampled_less():
    class Sized:
        def __init__(self, effort: int) -> None:
            self.effort = effort

    assert [resamples_for(Sized(n)) for n in (100, 80_000, 10**9)] == [200, 100, 20]
