"""SageMaker's own metrics, which XGBoost does not have: right at the threshold, and over hosts.

A row counts as positive where its probability is above 0.5, which for every binary objective is
where the margin is above 0; of several classes the one with the largest margin counts. Rows are
weighed as XGBoost's own metrics weigh them, so `accuracy` is 1 - `error`.

What rows contribute is summed up first, over all hosts, and the ratios are made of the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Total = Callable[[Floats], Floats]

# What XGBoost takes as better when it is larger; matched from the start of a metric's name.
RISING = ("auc", "aucpr", "pre", "map", "ndcg", "interval-regression-accuracy")


def _share(part: Floats | float, whole: Floats | float) -> Any:
    """part / whole, 0 where the whole is nothing, as scikit-learn has it."""
    whole = np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


@dataclass(frozen=True)
class Confusion:
    """Weights by (truth, prediction)."""

    table: Floats

    @property
    def hits(self) -> Floats:
        """Right answers by class."""
        return np.diag(self.table)

    @property
    def truth(self) -> Floats:
        """Rows by true class."""
        return np.asarray(self.table.sum(axis=1))

    @property
    def answers(self) -> Floats:
        """Rows by predicted class."""
        return np.asarray(self.table.sum(axis=0))

    def accuracy(self) -> float:
        """Right answers of all; the micro average of precision, recall and F1 as well."""
        return float(_share(self.hits.sum(), self.table.sum()))

    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that there are."""
        there = self.truth > 0
        return float(_share(self.hits, self.truth)[there].mean()) if there.any() else 0.0

    def mean(self, values: Floats) -> float:
        """Over the classes that are in the truth or in the answers."""
        there = (self.truth + self.answers) > 0
        return float(values[there].mean()) if there.any() else 0.0

    def precision(self) -> Floats:
        """By class."""
        return np.asarray(_share(self.hits, self.answers))

    def recall(self) -> Floats:
        """By class."""
        return np.asarray(_share(self.hits, self.truth))

    def f1(self) -> Floats:
        """By class."""
        return np.asarray(_share(2 * self.hits, self.truth + self.answers))


CLASSIFICATION: Mapping[str, Callable[[Confusion], float]] = {
    "accuracy": Confusion.accuracy,
    "balanced_accuracy": Confusion.balanced_accuracy,
    "f1": lambda found: found.mean(found.f1()),
    "f1_binary": lambda found: float(found.f1()[1]),
    "f1_macro": lambda found: found.mean(found.f1()),
    "precision": lambda found: float(found.precision()[1]),
    "precision_macro": lambda found: found.mean(found.precision()),
    "precision_micro": Confusion.accuracy,
    "recall": lambda found: float(found.recall()[1]),
    "recall_macro": lambda found: found.mean(found.recall()),
    "recall_micro": Confusion.accuracy,
}
TWO_CLASSES = ("f1_binary", "precision", "recall")


@dataclass(frozen=True)
class Errors:
    """Weighted sums over rows: of 1, the squared distance to the mean, and the squared error."""

    rows: float
    spread: float
    errors: float

    def mse(self) -> float:
        """Mean squared error."""
        return self.errors / self.rows if self.rows > 0 else 0.0

    def r2(self) -> float:
        """Share of the truth's variance that is explained; 0 where it has none, as scikit-learn."""
        if self.spread <= 0:
            return float(self.errors <= 0)
        return 1 - self.errors / self.spread


REGRESSION: Mapping[str, Callable[[Errors], float]] = {"mse": Errors.mse, "r2": Errors.r2}

NO_NUMBER = ("multi:", "rank:", "survival:", "reg:quantileerror", "reg:expectileerror")

NAMES = (*CLASSIFICATION, *REGRESSION)


def rises(metric: str) -> bool:
    """Whether more of a metric is better."""
    if metric in NAMES:
        return metric != "mse"
    name = metric.split("@")[0]
    return name != "mape" and name.startswith(RISING)


def unsuitable(metric: str, objective: str, classes: int) -> str | None:
    """Why a metric cannot be computed with an objective, or None."""
    if metric in CLASSIFICATION:
        if not objective.startswith(("binary:", "multi:")):
            return f"is for binary: and multi: objectives, not for {objective}"
        if metric in TWO_CLASSES and objective.startswith("multi:") and classes > 2:
            base = metric.removesuffix("_binary")
            return f"is for two classes; use {base}_macro"
    if metric in REGRESSION and objective.startswith(NO_NUMBER):
        return f"is for a number, not for {objective}"
    return None


def evaluate(
    names: Sequence[str], booster: xgb.Booster, data: xgb.DMatrix, total: Total
) -> dict[str, float]:
    """These metrics of a booster on a matrix, in the order of `names`.

    Args:
        total: sums an array over all hosts.
    """
    truth = data.get_label().astype(np.float64)
    weights = data.get_weight().astype(np.float64)
    if not weights.size:
        weights = np.ones(len(truth))
    found: dict[str, float] = {}
    if set(names) & set(CLASSIFICATION):
        table = total(_table(truth, booster.predict(data, output_margin=True), weights))
        found |= {n: CLASSIFICATION[n](Confusion(table)) for n in names if n in CLASSIFICATION}
    if set(names) & set(REGRESSION):
        errors = _errors(truth, booster.predict(data), weights, total)
        found |= {n: REGRESSION[n](errors) for n in names if n in REGRESSION}
    return {name: found[name] for name in names}


def _table(truth: Floats, margins: NDArray[np.float32], weights: Floats) -> Floats:
    """Weights by (truth, prediction); a label between 0 and 1 counts by its nearer side."""
    if margins.ndim == 2 and margins.shape[1] > 1:
        classes, answers = margins.shape[1], margins.argmax(axis=1)
        labels = truth.astype(np.intp)
    else:
        classes, answers = 2, (margins.ravel() > 0).astype(np.intp)
        labels = (truth > 0.5).astype(np.intp)
    cells = np.bincount(labels * classes + answers, weights=weights, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.float64)


def _errors(
    truth: Floats, predictions: NDArray[np.float32], weights: Floats, total: Total
) -> Errors:
    rows, summed = total(np.array([weights.sum(), weights @ truth])).tolist()
    off = truth - (summed / rows if rows > 0 else 0.0)
    error = truth - predictions.astype(np.float64).reshape(truth.shape)
    return Errors(rows, *total(np.array([weights @ off**2, weights @ error**2])).tolist())
