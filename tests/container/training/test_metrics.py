"""SageMaker's metrics against scikit-learn, on models that XGBoost trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
import xgboost as xgb
from numpy.typing import NDArray

from canarywood.training import metrics

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(500, 4))
NOISY = ROWS[:, 0] + RANDOM.normal(size=500)
WEIGHTS = RANDOM.uniform(0.1, 3, size=500).astype(np.float32)


def alone(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values


def model(
    objective: str, labels: NDArray[Any], *, weighted: bool = False, **parameters: Any
) -> tuple[xgb.Booster, xgb.DMatrix]:
    data = xgb.DMatrix(ROWS, label=labels, weight=WEIGHTS if weighted else None)
    return xgb.train({"objective": objective, "max_depth": 2, **parameters}, data, 5), data


def sklearns(
    truth: NDArray[Any], answers: NDArray[Any], weights: NDArray[Any] | None
) -> dict[str, float]:
    """What scikit-learn says, for every metric that suits both two classes and more."""

    def averaged(function: Any, average: str) -> float:
        return float(
            function(truth, answers, average=average, sample_weight=weights, zero_division=0)
        )

    return {
        "accuracy": sk.accuracy_score(truth, answers, sample_weight=weights),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, answers, sample_weight=weights),
        "f1": averaged(sk.f1_score, "macro"),
        "f1_macro": averaged(sk.f1_score, "macro"),
        "precision_macro": averaged(sk.precision_score, "macro"),
        "precision_micro": averaged(sk.precision_score, "micro"),
        "recall_macro": averaged(sk.recall_score, "macro"),
        "recall_micro": averaged(sk.recall_score, "micro"),
    }


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", ["binary:logistic", "binary:logitraw", "binary:hinge"])
def test_two_classes_are_told_apart_at_probability_one_half(objective: str, weighted: bool) -> None:
    truth = (NOISY > 0.7).astype(int)
    booster, data = model(objective, truth, weighted=weighted)
    answers = (booster.predict(data) > (0 if objective.endswith("raw") else 0.5)).astype(int)
    weights = WEIGHTS if weighted else None

    found = metrics.evaluate(tuple(metrics.CLASSIFICATION), booster, data, alone)

    assert found == pytest.approx(
        {
            **sklearns(truth, answers, weights),
            "f1_binary": sk.f1_score(truth, answers, sample_weight=weights),
            "precision": sk.precision_score(truth, answers, sample_weight=weights),
            "recall": sk.recall_score(truth, answers, sample_weight=weights),
        }
    )
    assert 0 < found["recall"] < 1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_of_several_classes_the_likeliest_counts(objective: str, weighted: bool) -> None:
    truth = np.digitize(NOISY, [-1, 1])
    booster, data = model(objective, truth, weighted=weighted, num_class=3)
    scores = booster.predict(data)
    answers = scores.argmax(axis=1) if scores.ndim == 2 else scores.astype(int)
    names = [name for name in metrics.CLASSIFICATION if name not in metrics.TWO_CLASSES]

    found = metrics.evaluate(names, booster, data, alone)

    assert found == pytest.approx(sklearns(truth, answers, WEIGHTS if weighted else None))


def test_accuracy_is_one_minus_xgboosts_error() -> None:
    booster, data = model("binary:logistic", (NOISY > 0).astype(int), weighted=True)
    booster.set_param("eval_metric", "error")
    error = float(booster.eval(data).split("error:")[1])

    found = metrics.evaluate(("accuracy",), booster, data, alone)

    assert found["accuracy"] == pytest.approx(1 - error, abs=1e-7)


def test_a_class_that_is_never_answered_counts_as_zero() -> None:
    truth = np.r_[1, np.zeros(499)]
    booster, data = model("binary:logistic", truth, eta=0.001)

    found = metrics.evaluate(("precision", "recall", "f1_binary", "f1"), booster, data, alone)

    answers = np.zeros(500)
    assert found == pytest.approx(
        {
            "precision": 0,
            "recall": 0,
            "f1_binary": 0,
            "f1": sk.f1_score(truth, answers, average="macro"),
        }
    )


def test_a_class_that_is_neither_true_nor_answered_does_not_count() -> None:
    truth = np.digitize(NOISY, [0])
    booster, data = model("multi:softprob", truth, num_class=5)
    answers = booster.predict(data).argmax(axis=1)

    found = metrics.evaluate(("precision_macro", "balanced_accuracy"), booster, data, alone)

    assert found["precision_macro"] == pytest.approx(
        sk.precision_score(truth, answers, average="macro")
    )
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, answers))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:absoluteerror"])
def test_mse_and_r2_are_scikit_learns(objective: str, offset: float, weighted: bool) -> None:
    booster, data = model(objective, NOISY + offset, weighted=weighted)
    truth = data.get_label().astype(float)
    answers = booster.predict(data).astype(float)
    weights = WEIGHTS if weighted else None

    found = metrics.evaluate(("r2", "mse"), booster, data, alone)

    assert list(found) == ["r2", "mse"]
    assert found["mse"] == pytest.approx(
        sk.mean_squared_error(truth, answers, sample_weight=weights)
    )
    assert found["r2"] == pytest.approx(
        sk.r2_score(truth, answers, sample_weight=weights), abs=1e-9
    )


def test_a_count_is_compared_on_its_own_scale_and_not_as_a_logarithm() -> None:
    truth = np.round(np.exp(NOISY))
    booster, data = model("count:poisson", truth)

    found = metrics.evaluate(("mse",), booster, data, alone)

    assert found["mse"] == pytest.approx(sk.mean_squared_error(truth, booster.predict(data)))


def test_sums_of_all_hosts_make_the_ratio() -> None:
    """Averaging each host's F1 would give another number."""
    truth = (NOISY > 0.7).astype(int)
    booster, data = model("binary:logistic", truth)
    other = np.array([[10.0, 5.0], [0.0, 85.0]])
    names = ("f1_binary",)

    found = metrics.evaluate(names, booster, data, lambda own: own + other)

    answers = (booster.predict(data) > 0.5).astype(int)
    table = sk.confusion_matrix(truth, answers) + other
    assert found["f1_binary"] == pytest.approx(
        2 * table[1, 1] / (2 * table[1, 1] + table[0, 1] + table[1, 0])
    )


def test_the_direction_of_every_metric_is_known() -> None:
    falling = [name for name in metrics.NAMES if not metrics.rises(name)]

    assert falling == ["mse"]
    for name in ("auc", "aucpr", "ndcg@5", "map", "pre@3", "map@2-"):
        assert metrics.rises(name)
    for name in ("mape", "logloss", "error@0.7", "rmse", "mphe", "aft-nloglik"):
        assert not metrics.rises(name)
