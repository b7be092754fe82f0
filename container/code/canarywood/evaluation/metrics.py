"""Metrics of scores against the truth. numpy only; ranking metrics get probabilities, never labels.

Each class holds one set of test rows, sorted and binned once; `metrics(weights)` then costs a few
passes, so that the bootstrap (canarywood.evaluation.bootstrap) can ask hundreds of times.
The name says what is computed (`weighted_f1` weighs by class size, `macro_auc` does not).
A ratio with nothing in its denominator is undefined: NaN here, null in evaluation.json, and no
gate accepts it. Inside a weighted average an undefined precision counts as 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from canarywood.errors import DataError

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

THRESHOLD = 0.5  # a probability above it counts as positive, as in SageMaker's built-in algorithm
CALIBRATION_BINS = 10
UNDEFINED = float("nan")
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
RESIDUAL_QUANTILES = {"residual_p05": 0.05, "residual_p50": 0.5, "residual_p95": 0.95}


class Scored(Protocol):
    """Test rows with their scores, of any task."""

    @property
    def rows(self) -> int:
        """Number of test rows."""

    @property
    def effort(self) -> int:
        """Rough size of one `metrics` call, in numbers touched."""

    def metrics(self, weights: Floats) -> dict[str, float]:
        """Every metric by name; NaN where undefined."""

    def take(self, rows: Rows) -> Self:
        """Some of the rows, by position."""


@dataclass(frozen=True)
class Confusion:
    """Weights of the four outcomes at one threshold."""

    true_negative: float
    false_positive: float
    false_negative: float
    true_positive: float

    def rates(self) -> dict[str, float]:
        """Accuracy, precision, recall, F and the four rates."""
        tn, fp = self.true_negative, self.false_positive
        fn, tp = self.false_negative, self.true_positive
        return {
            "accuracy": ratio(tp + tn, tp + tn + fp + fn),
            "precision": ratio(tp, tp + fp),
            "recall": ratio(tp, tp + fn),
            **{name: f_score(tp, fp, fn, beta) for name, beta in BETAS.items()},
            "true_positive_rate": ratio(tp, tp + fn),
            "true_negative_rate": ratio(tn, tn + fp),
            "false_positive_rate": ratio(fp, tn + fp),
            "false_negative_rate": ratio(fn, tp + fn),
        }


class Binary:
    """Two classes: truth 0 or 1, and the probability of 1."""

    def __init__(self, truth: ArrayLike, probabilities: ArrayLike) -> None:
        truth, probabilities = _pair(truth, probabilities)
        if not np.isin(truth, (0.0, 1.0)).all():
            raise DataError("a binary target must hold 0 and 1 only")
        if probabilities.min() < 0 or probabilities.max() > 1:
            raise DataError(
                "a binary model must give probabilities between 0 and 1: train it with "
                "objective binary:logistic"
            )
        self.truth = truth
        self.probabilities = probabilities
        self._order = np.argsort(-probabilities, kind="stable")
        ranked = probabilities[self._order]
        self._positive = truth[self._order]
        self._ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # ties: one step
        self.thresholds = ranked[self._ends]
        tiny = float(np.finfo(np.float64).eps)  # a certain wrong answer costs 36, not infinity
        likelihood = np.where(truth == 1, probabilities, 1 - probabilities)
        self._log_losses = -np.log(np.clip(likelihood, tiny, 1))
        self._squares = (probabilities - truth) ** 2
        self._gaps = probabilities - truth
        self.bins = bins_of(probabilities)

    def take(self, rows: Rows) -> Self:
        """Some of the rows, by position."""
        return type(self)(self.truth[rows], self.probabilities[rows])

    @property
    def rows(self) -> int:
        """Number of test rows."""
        return len(self.truth)

    @property
    def effort(self) -> int:
        """Rough size of one `metrics` call."""
        return self.rows

    def cumulated(self, weights: Floats) -> tuple[Floats, Floats]:
        """False and true positives when all rows scored at least `thresholds[i]` are picked."""
        ranked = weights[self._order]
        true_positives = np.cumsum(ranked * self._positive)[self._ends]
        false_positives = np.cumsum(ranked * (1 - self._positive))[self._ends]
        return false_positives, true_positives

    def confusion(self, weights: Floats, threshold: float = THRESHOLD) -> Confusion:
        """The four outcomes when every probability above the threshold is called positive."""
        code = 2 * self.truth + (self.probabilities > threshold)
        tn, fp, fn, tp = np.bincount(code.astype(np.intp), weights=weights, minlength=4)
        return Confusion(float(tn), float(fp), float(fn), float(tp))

    def metrics(self, weights: Floats) -> dict[str, float]:
        """Every metric by name; NaN where undefined."""
        total = float(weights.sum())
        false_positives, true_positives = self.cumulated(weights)
        per_bin = np.bincount(self.bins, weights=weights * self._gaps, minlength=CALIBRATION_BINS)
        return {
            **self.confusion(weights).rates(),
            "auc": area_under_roc(false_positives, true_positives),
            "average_precision": average_precision(false_positives, true_positives),
            "log_loss": ratio(float(weights @ self._log_losses), total),
            "brier_score": ratio(float(weights @ self._squares), total),
            "expected_calibration_error": ratio(float(np.abs(per_bin).sum()), total),
            **self._best_constant(weights, total),
        }

    def _best_constant(self, weights: Floats, total: float) -> dict[str, float]:
        """The best that one and the same answer for every row could reach, metric by metric."""
        positive = float(weights @ self.truth)
        negative = total - positive
        found = {
            "accuracy": ratio(max(positive, negative), total),
            "precision": ratio(positive, total),
            "recall": ratio(positive, positive),
            **{name: f_score(positive, negative, 0.0, beta) for name, beta in BETAS.items()},
        }
        return {f"{name}_best_constant_classifier": value for name, value in found.items()}


class Multiclass:
    """Several classes: truth is a class index; scores are probabilities, or labels alone."""

    def __init__(self, truth: ArrayLike, scores: ArrayLike, classes: int) -> None:
        given = np.asarray(scores, dtype=np.float64)
        self.probabilities: Floats | None = given if given.ndim == 2 else None
        labels = given if given.ndim == 1 else np.argmax(given, axis=1).astype(np.float64)
        truth, labels = _pair(truth, labels)
        if not np.isfinite(given).all():
            raise DataError("the scores of the model must be finite numbers")
        if given.ndim == 2 and given.shape[1] != classes:
            raise DataError(f"the model gives {given.shape[1]} scores a row for {classes} classes")
        for name, values in (("truth", truth), ("predicted class", labels)):
            if not np.isin(values, np.arange(classes)).all():
                raise DataError(f"each {name} must be a class index from 0 to {classes - 1}")
        self.classes = classes
        self._scores = given
        self.truth = truth.astype(np.intp)
        self.labels = labels.astype(np.intp)
        self.rankings: list[Binary] = []
        self._log_losses: Floats | None = None
        if self.probabilities is not None:
            within = np.clip(self.probabilities, 0, 1)  # float32 sums may pass 1 by an ulp
            self.rankings = [Binary(self.truth == k, within[:, k]) for k in range(classes)]
            of_truth = within[np.arange(len(truth)), self.truth]
            self._log_losses = -np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1))

    def take(self, rows: Rows) -> Self:
        """Some of the rows, by position."""
        return type(self)(self.truth[rows], self._scores[rows], self.classes)

    @property
    def rows(self) -> int:
        """Number of test rows."""
        return len(self.truth)

    @property
    def effort(self) -> int:
        """Rough size of one `metrics` call."""
        return self.rows * max(len(self.rankings), 1)

    def confusion(self, weights: Floats) -> Floats:
        """Weights by true class (rows) and predicted class (columns)."""
        cells: Floats = np.bincount(
            self.truth * self.classes + self.labels, weights=weights, minlength=self.classes**2
        ).astype(np.float64)
        return cells.reshape(self.classes, self.classes)

    def of_each_class(self, weights: Floats) -> list[dict[str, float]]:
        """Precision, recall, F1, AUC (one class against the rest) and support of each class."""
        table = self.confusion(weights)
        found = []
        for k in range(self.classes):
            hit = float(table[k, k])
            wrong, missed = float(table[:, k].sum()) - hit, float(table[k].sum()) - hit
            values = {
                "support": hit + missed,
                "precision": ratio(hit, hit + wrong),
                "recall": ratio(hit, hit + missed),
                "f1": f_score(hit, wrong, missed, 1.0),
            }
            if self.rankings:
                values["auc"] = area_under_roc(*self.rankings[k].cumulated(weights))
            found.append(values)
        return found

    def metrics(self, weights: Floats) -> dict[str, float]:
        """Every metric by name; those of probabilities are left out where there are none."""
        table = self.confusion(weights)
        total, hits = float(weights.sum()), np.diagonal(table)
        support, called = table.sum(axis=1), table.sum(axis=0)
        found = {
            "accuracy": ratio(float(hits.sum()), total),
            "weighted_recall": ratio(float(hits.sum()), total),
            "weighted_precision": _average(hits, called, support),
        }
        for name, beta in BETAS.items():
            square = beta * beta
            found[f"weighted_{name}"] = _average(
                (1 + square) * hits, square * support + called, support
            )
        if self._log_losses is not None:
            areas = defined(area_under_roc(*each.cumulated(weights)) for each in self.rankings)
            found["macro_auc"] = ratio(sum(areas), len(areas))
            found["log_loss"] = ratio(float(weights @ self._log_losses), total)
        return {**found, **_best_constant_class(float(support.max()), total)}


class Regression:
    """A number: truth and prediction."""

    def __init__(self, truth: ArrayLike, predictions: ArrayLike) -> None:
        self.truth, self.predictions = _pair(truth, predictions)
        self.residuals = self.truth - self.predictions
        self._by_truth = np.argsort(self.truth, kind="stable")
        self._by_residual = np.argsort(self.residuals, kind="stable")
        self._by_error = np.argsort(np.abs(self.residuals), kind="stable")

    def take(self, rows: Rows) -> Self:
        """Some of the rows, by position."""
        return type(self)(self.truth[rows], self.predictions[rows])

    @property
    def rows(self) -> int:
        """Number of test rows."""
        return len(self.truth)

    @property
    def effort(self) -> int:
        """Rough size of one `metrics` call."""
        return self.rows * 2

    def metrics(self, weights: Floats) -> dict[str, float]:
        """Every metric by name; a residual is the truth minus the prediction."""
        total, errors = float(weights.sum()), np.abs(self.residuals)
        mse = ratio(float(weights @ self.residuals**2), total)
        spread = self.truth - ratio(float(weights @ self.truth), total)
        variance = ratio(float(weights @ spread**2), total)
        median = _quantile(self.truth, self._by_truth, weights, 0.5)
        return {
            "mae": ratio(float(weights @ errors), total),
            "mse": mse,
            "rmse": float(np.sqrt(mse)),
            "r2": 1 - ratio(mse, variance),
            "residual_mean": ratio(float(weights @ self.residuals), total),
            **{
                name: _quantile(self.residuals, self._by_residual, weights, share)
                for name, share in RESIDUAL_QUANTILES.items()
            },
            "absolute_error_p90": _quantile(errors, self._by_error, weights, 0.9),
            "mae_best_constant_predictor": ratio(
                float(weights @ np.abs(self.truth - median)), total
            ),
            "rmse_best_constant_predictor": float(np.sqrt(variance)),
        }


def row_weights(rows: int, weights: ArrayLike | None) -> Floats:
    """The weights as float64, ones where there are none; raises DataError where unusable."""
    if weights is None:
        return np.ones(rows)
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (rows,):
        raise DataError(f"{len(given)} weights were given for {rows} rows")
    if not np.isfinite(given).all() or (given < 0).any() or not given.sum() > 0:
        raise DataError("row weights must be finite, not negative, and not all zero")
    return given


def area_under_roc(false_positives: Floats, true_positives: Floats) -> float:
    """The area under the ROC curve by trapezoids, ties as one step; undefined for one class."""
    negatives, positives = float(false_positives[-1]), float(true_positives[-1])
    if not (negatives > 0 and positives > 0):
        return UNDEFINED
    x = np.concatenate(([0.0], false_positives / negatives))
    y = np.concatenate(([0.0], true_positives / positives))
    return float(np.clip(np.trapezoid(y, x), 0, 1))


def average_precision(false_positives: Floats, true_positives: Floats) -> float:
    """Precision summed over the steps of recall, without interpolation."""
    positives = float(true_positives[-1])
    if not positives > 0:
        return UNDEFINED
    picked = false_positives + true_positives
    precision = np.divide(true_positives, picked, out=np.zeros_like(picked), where=picked > 0)
    steps = np.diff(true_positives, prepend=0.0)
    return float(steps @ precision) / positives


def f_score(hit: float, wrong: float, missed: float, beta: float) -> float:
    """F of true positives, false positives and false negatives; beta > 1 favours recall."""
    square = beta * beta
    return ratio((1 + square) * hit, (1 + square) * hit + square * missed + wrong)


def ratio(part: float, whole: float) -> float:
    """part / whole, undefined where the whole is nothing."""
    return part / whole if whole > 0 else UNDEFINED


def bins_of(probabilities: Floats) -> Rows:
    """The calibration bin of each probability: ten of equal width, the last one closed."""
    scaled = np.floor(probabilities * CALIBRATION_BINS).astype(np.intp)
    return np.minimum(scaled, CALIBRATION_BINS - 1)


def _pair(truth: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Truth and scores as equally long float64 vectors of finite numbers."""
    one, two = np.asarray(truth, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise DataError(f"truth and scores differ in shape: {one.shape} and {two.shape}")
    if not len(one):
        raise DataError("there are no test rows to evaluate")
    for name, values in (("truth", one), ("scores of the model", two)):
        _finite(name, values)
    return one, two


def _finite(name: str, values: Floats) -> None:
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(f"the {name} must be finite numbers; row {wrong[0] + 1} is not")


def _average(parts: Floats, wholes: Floats, support: Floats) -> float:
    """Class values parts/wholes averaged by class size; an undefined one counts as 0."""
    values = np.divide(parts, wholes, out=np.zeros_like(parts, dtype=np.float64), where=wholes > 0)
    return ratio(float(values @ support), float(support.sum()))


def _best_constant_class(largest: float, total: float) -> dict[str, float]:
    """The metrics of always answering the largest class: no other constant does better."""
    share = ratio(largest, total)
    found = {
        "accuracy": share,
        "weighted_recall": share,
        "weighted_precision": share * share,
        **{
            f"weighted_{name}": share * f_score(share, 1 - share, 0.0, beta)
            for name, beta in BETAS.items()
        },
    }
    return {f"{name}_best_constant_classifier": value for name, value in found.items()}


def _quantile(values: Floats, order: Rows, weights: Floats, share: float) -> float:
    """The smallest value below or at which this share of the weight lies."""
    cumulated = np.cumsum(weights[order])
    place = int(np.searchsorted(cumulated, share * cumulated[-1], side="left"))
    return float(values[order][min(place, len(values) - 1)])


def defined(values: Iterable[float]) -> list[float]:
    """The values without the undefined ones."""
    return [value for value in values if value == value]
