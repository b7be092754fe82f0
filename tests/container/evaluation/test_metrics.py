"""Metrics: scikit-learn as the oracle, then the cases that an oracle refuses."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as oracle

from canarywood.errors import DataError
from canarywood.evaluation.metrics import Binary, Multiclass, Regression, row_weights

CLOSE = {"rel": 1e-12, "abs": 1e-12}


def random_binary(seed: int, rows: int, *, ties: bool, weighted: bool):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, rows).astype(float)
    truth[:2] = 0, 1
    scores = np.clip(generator.normal(0.35 + 0.2 * truth, 0.2), 0, 1)
    if ties:
        scores = np.round(scores * 7) / 7
    weights = generator.gamma(1.0, 2.0, rows) if weighted else None
    return truth, scores, weights


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("seed", "rows"), [(0, 2), (1, 11), (2, 500), (3, 4000)])
def test_binary_metrics_equal_scikit_learn(seed, rows, ties, weighted):
    truth, scores, weights = random_binary(seed, rows, ties=ties, weighted=weighted)
    found = Binary(truth, scores).metrics(row_weights(rows, weights))
    labels = (scores > 0.5).astype(int)
    kwargs = {"sample_weight": weights}
    expected = {
        "accuracy": oracle.accuracy_score(truth, labels, **kwargs),
        "recall": oracle.recall_score(truth, labels, **kwargs),
        "true_positive_rate": oracle.recall_score(truth, labels, **kwargs),
        "true_negative_rate": oracle.recall_score(truth, labels, pos_label=0, **kwargs),
        "auc": oracle.roc_auc_score(truth, scores, **kwargs),
        "average_precision": oracle.average_precision_score(truth, scores, **kwargs),
        "log_loss": oracle.log_loss(truth, scores, labels=[0, 1], **kwargs),
        "brier_score": oracle.brier_score_loss(truth, scores, **kwargs),
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1), ("f2", 2)):
        expected[name] = oracle.fbeta_score(truth, labels, beta=beta, zero_division=0, **kwargs)
    if labels.any():
        expected["precision"] = oracle.precision_score(truth, labels, **kwargs)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, **CLOSE), name
    assert found["false_positive_rate"] == pytest.approx(1 - found["true_negative_rate"], **CLOSE)
    assert found["false_negative_rate"] == pytest.approx(1 - found["recall"], **CLOSE)


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.float64, st.integers(2, 30), elements=st.sampled_from([0, 0.1, 0.5, 0.50001, 0.9, 1])
    ),
    st.integers(0, 2**32 - 1),
)
def test_auc_equals_the_share_of_pairs_in_right_order(scores, seed):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, len(scores))
    truth[0], truth[1] = 0, 1
    weights = generator.integers(1, 4, len(scores)).astype(float)
    won = pairs = 0.0
    for i in np.flatnonzero(truth == 1):
        for j in np.flatnonzero(truth == 0):
            pair = weights[i] * weights[j]
            pairs += pair
            won += pair * (float(scores[i] > scores[j]) + 0.5 * float(scores[i] == scores[j]))
    assert Binary(truth, scores).metrics(weights)["auc"] == pytest.approx(won / pairs, **CLOSE)


def test_a_weight_of_three_equals_three_equal_rows():
    truth, scores, _ = random_binary(5, 60, ties=True, weighted=False)
    weights = np.tile([1.0, 2.0, 3.0], 20)
    repeated = np.repeat(np.arange(60), weights.astype(int))
    one = Binary(truth, scores).metrics(weights)
    other = Binary(truth[repeated], scores[repeated]).metrics(np.ones(120))
    assert one == pytest.approx(other, **CLOSE)


def test_ranking_metrics_see_probabilities_that_round_to_the_same_label():
    found = Binary([0, 0, 1, 1], [0.01, 0.02, 0.03, 0.04]).metrics(np.ones(4))
    assert found["auc"] == 1.0
    assert found["recall"] == 0.0


def test_noise_labels_give_an_auc_near_one_half():
    generator = np.random.default_rng(0)
    found = Binary(generator.integers(0, 2, 5000), generator.random(5000)).metrics(np.ones(5000))
    assert 0.47 < found["auc"] < 0.53


def test_expected_calibration_error_is_the_weighted_gap_of_each_bin():
    truth, scores = [0, 1, 1, 1], [0.1, 0.1, 0.85, 0.95]
    found = Binary(truth, scores).metrics(np.ones(4))
    # bins: 0.1 twice (gap of the sums 0.2 - 1), 0.85 (-0.15), 0.95 (-0.05)
    assert found["expected_calibration_error"] == pytest.approx((0.8 + 0.15 + 0.05) / 4)


def test_a_probability_of_exactly_one_half_is_called_negative():
    assert Binary([1, 0], [0.5, 0.1]).metrics(np.ones(2))["recall"] == 0.0


def test_best_constants_are_the_best_that_one_answer_for_all_rows_reaches():
    found = Binary([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9]).metrics(np.ones(4))
    assert found["accuracy_best_constant_classifier"] == 0.75
    assert found["precision_best_constant_classifier"] == 0.25
    assert found["recall_best_constant_classifier"] == 1.0
    # the same as in Model Monitor's documentation for one positive row of four
    assert found["f0_5_best_constant_classifier"] == pytest.approx(0.29411764705882354)
    assert found["f1_best_constant_classifier"] == pytest.approx(0.4)
    assert found["f2_best_constant_classifier"] == pytest.approx(0.625)


def test_one_class_leaves_the_ranking_undefined_and_the_rest_defined():
    found = Binary([0, 0, 0], [0.1, 0.6, 0.3]).metrics(np.ones(3))
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert undefined == {
        "recall",
        "true_positive_rate",
        "false_negative_rate",
        "auc",
        "average_precision",
        "recall_best_constant_classifier",
    }
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["precision"] == 0.0


def test_constant_scores_rank_like_a_coin():
    found = Binary([0, 1, 0, 1, 0], [0.4] * 5).metrics(np.ones(5))
    assert found["auc"] == 0.5
    assert found["average_precision"] == pytest.approx(0.4)
    assert math.isnan(found["precision"])  # no row is called positive
    assert found["f1"] == 0.0


def test_one_row_is_enough():
    found = Binary([1], [0.8]).metrics(np.ones(1))
    assert found["accuracy"] == 1.0
    assert math.isnan(found["auc"])
    assert found["log_loss"] == pytest.approx(-math.log(0.8))


def test_certain_and_wrong_costs_a_finite_log_loss():
    assert Binary([0, 1], [1.0, 1.0]).metrics(np.ones(2))["log_loss"] == pytest.approx(
        18.02, abs=0.01
    )


def test_rows_of_weight_zero_do_not_count():
    truth, scores, _ = random_binary(6, 50, ties=False, weighted=False)
    weights = np.ones(50)
    weights[25:] = 0
    part = Binary(truth[:25], scores[:25]).metrics(np.ones(25))
    assert Binary(truth, scores).metrics(weights) == pytest.approx(part, **CLOSE)


@pytest.mark.parametrize(
    ("truth", "scores", "sentence"),
    [
        ([], [], "no test rows"),
        ([0, 2], [0.1, 0.2], "0 and 1 only"),
        ([0, 1], [0.1, 1.5], "between 0 and 1"),
        ([0, 1], [-3.0, 2.0], "binary:logistic"),
        ([0, 1], [0.1, math.nan], "row 2 is not"),
        ([0, 1], [0.1], "differ in shape"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_a_sentence(truth, scores, sentence):
    with pytest.raises(DataError, match=sentence):
        Binary(truth, scores)


@pytest.mark.parametrize("weights", [[1, -1], [0, 0], [1, math.inf], [1, 1, 1]])
def test_unusable_weights_are_refused(weights):
    with pytest.raises(DataError, match="weights"):
        row_weights(2, weights)


def random_multiclass(seed: int, rows: int, classes: int, *, ties: bool, weighted: bool):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    truth[:classes] = np.arange(classes)
    raw = generator.normal(0, 1, (rows, classes)) + 1.5 * np.eye(classes)[truth]
    if ties:
        raw = np.round(raw)
    probabilities = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    weights = generator.gamma(1.0, 2.0, rows) if weighted else None
    return truth, probabilities, weights


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("rows", "classes"), [(40, 3), (900, 7)])
def test_multiclass_metrics_equal_scikit_learn(rows, classes, ties, weighted):
    truth, scores, weights = random_multiclass(rows, rows, classes, ties=ties, weighted=weighted)
    found = Multiclass(truth, scores, classes).metrics(row_weights(rows, weights))
    labels = scores.argmax(axis=1)
    kwargs = {"sample_weight": weights}
    average = {"average": "weighted", "zero_division": 0, **kwargs}
    expected = {
        "accuracy": oracle.accuracy_score(truth, labels, **kwargs),
        "weighted_recall": oracle.recall_score(truth, labels, **average),
        "weighted_precision": oracle.precision_score(truth, labels, **average),
        "weighted_f0_5": oracle.fbeta_score(truth, labels, beta=0.5, **average),
        "weighted_f1": oracle.f1_score(truth, labels, **average),
        "weighted_f2": oracle.fbeta_score(truth, labels, beta=2, **average),
        "log_loss": oracle.log_loss(truth, scores, **kwargs),
        "macro_auc": np.mean(
            [oracle.roc_auc_score(truth == k, scores[:, k], **kwargs) for k in range(classes)]
        ),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, **CLOSE), name


def test_the_constant_of_several_classes_equals_scikit_learn_on_constant_labels():
    truth = np.array([0, 0, 0, 1, 1, 2])
    found = Multiclass(truth, np.zeros(6), 3).metrics(np.ones(6))
    average = {"average": "weighted", "zero_division": 0}
    constant = np.zeros(6)
    for name, beta in (("f0_5", 0.5), ("f1", 1), ("f2", 2)):
        value = oracle.fbeta_score(truth, constant, beta=beta, **average)
        assert found[f"weighted_{name}_best_constant_classifier"] == pytest.approx(value, **CLOSE)
    value = oracle.precision_score(truth, constant, **average)
    assert found["weighted_precision_best_constant_classifier"] == pytest.approx(value, **CLOSE)
    assert found["accuracy_best_constant_classifier"] == 0.5


def test_labels_alone_give_no_metric_of_probabilities():
    found = Multiclass([0, 1, 2], [0, 1, 1], 3).metrics(np.ones(3))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert "macro_auc" not in found
    assert "log_loss" not in found


def test_macro_auc_leaves_out_a_class_without_rows():
    scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]])
    found = Multiclass([0, 1, 0], scores, 3).metrics(np.ones(3))
    assert found["macro_auc"] == 1.0


def test_each_class_has_its_own_precision_recall_and_auc():
    scores = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    first, second, third = Multiclass([0, 1, 1, 2], scores, 3).of_each_class(np.ones(4))
    assert (first["precision"], first["recall"], first["support"]) == (0.5, 1.0, 1.0)
    assert (second["precision"], second["recall"], second["auc"]) == (1.0, 0.5, 1.0)
    assert third["f1"] == 1.0


@pytest.mark.parametrize(
    ("truth", "scores", "sentence"),
    [
        ([0, 3], [0, 1], "class index from 0 to 2"),
        ([0, 1], [0, 7], "class index from 0 to 2"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], "2 scores a row for 3 classes"),
        ([0], [[0.5, math.nan, 0.5]], "finite"),
    ],
)
def test_scores_that_do_not_fit_the_classes_are_refused(truth, scores, sentence):
    with pytest.raises(DataError, match=sentence):
        Multiclass(truth, scores, 3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [2, 9, 2000])
def test_regression_metrics_equal_scikit_learn(rows, weighted):
    generator = np.random.default_rng(rows)
    truth = generator.normal(10, 3, rows)
    predicted = truth + generator.normal(0.2, 1, rows)
    weights = generator.gamma(1.0, 2.0, rows) if weighted else None
    found = Regression(truth, predicted).metrics(row_weights(rows, weights))
    kwargs = {"sample_weight": weights}
    mse = oracle.mean_squared_error(truth, predicted, **kwargs)
    expected = {
        "mae": oracle.mean_absolute_error(truth, predicted, **kwargs),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": oracle.r2_score(truth, predicted, **kwargs),
    }
    quantiles = {"residual_p05": 0.05, "residual_p50": 0.5, "residual_p95": 0.95}
    for name, share in quantiles.items():
        expected[name] = np.quantile(
            truth - predicted, share, weights=weights, method="inverted_cdf"
        )
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12), name


def test_r2_of_a_constant_truth_is_undefined():
    found = Regression([4, 4, 4], [4, 4, 5]).metrics(np.ones(3))
    assert math.isnan(found["r2"])
    assert found["mae"] == pytest.approx(1 / 3)
    assert found["rmse_best_constant_predictor"] == 0.0


def test_the_best_constant_predictors_are_mean_and_median():
    found = Regression([0, 0, 9], [1, 1, 1]).metrics(np.ones(3))
    assert found["mae_best_constant_predictor"] == 3.0
    assert found["rmse_best_constant_predictor"] == pytest.approx(math.sqrt(18))


def test_no_metric_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Binary([0, 0], [0.0, 1.0]).metrics(np.zeros(2))
        Multiclass([0], [[1.0, 0.0]], 2).metrics(np.zeros(1))
        Regression([0], [0]).metrics(np.zeros(1))
