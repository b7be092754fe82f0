"""The leakage check: does one column alone nearly give the target away?

Such a column is usually known only after the fact (a flight's departure delay, a customer's
termination date): the model looks splendid and fails in production. Each column is turned into
bins, and the mean label of a bin, learnt on one half of the rows, scores the other half. So a
column of unique values scores nothing, however many it has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.schema.definition import Task

THRESHOLD = 0.85  # of the AUC, or of R2 in a regression
BINS = 64
SAMPLE = 50_000  # rows; the figure needs no more


@dataclass(frozen=True)
class Strength:
    """What one column alone tells of the target.

    Attributes:
        metric: `auc` (0.5 nothing, 1 everything) or `r2` (0 nothing, 1 everything).
        used: whether the column is a feature.
        suspect: whether the value reaches the threshold.
    """

    column: str
    metric: str
    value: float
    used: bool
    suspect: bool

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {**asdict(self), "value": round(self.value, 4)}


def strength(codes: NDArray[np.int64], labels: NDArray[np.float32], task: Task) -> float:
    """AUC (mean over classes, one against the rest) or R2 of a column's bins, out of fold.

    Args:
        codes: bin of each row, 0 and up; shape (rows,).
        labels: (rows,).
    """
    if task == "regression":
        return _r2(_out_of_fold(codes, labels.astype(np.float64)), labels)
    classes = np.unique(labels)[1:] if task == "binary" else np.unique(labels)
    scores = [
        _auc(_out_of_fold(codes, (labels == value).astype(np.float64)), labels == value)
        for value in classes
    ]
    return float(np.mean(scores)) if scores else 0.5


def bins_of_numbers(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Quantile bins of a column of numbers; missing cells have one of their own."""
    present = values[~np.isnan(values)]
    edges = (
        np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1))) if len(present) else present
    )
    codes = np.searchsorted(edges, values, side="right").astype(np.int64)
    codes[np.isnan(values)] = len(edges) + 1
    return codes


def bins_of_texts(texts: NDArray[Any]) -> NDArray[np.int64]:
    """One bin a text; missing cells have one of their own."""
    _, codes = np.unique([("", text)[text is not None] for text in texts], return_inverse=True)
    return codes.astype(np.int64)


def sample(rows: int, seed: int = 0) -> NDArray[np.int64]:
    """Which rows the check looks at."""
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[:SAMPLE])


def _out_of_fold(codes: NDArray[np.int64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean label of a row's bin, from the other half of the rows; the overall mean if unseen."""
    fold = np.random.default_rng(0).integers(0, 2, len(codes))
    result = np.full(len(codes), labels.mean() if len(labels) else 0.0)
    size = int(codes.max()) + 1 if len(codes) else 0
    for half in (0, 1):
        learn, score = fold == half, fold != half
        counts = np.bincount(codes[learn], minlength=size)
        sums = np.bincount(codes[learn], weights=labels[learn], minlength=size)
        overall = labels[learn].mean() if learn.any() else 0.0
        means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        result[score] = means[codes[score]]
    return result


def _auc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve, ties at half."""
    wins = int(positive.sum())
    losses = len(positive) - wins
    if not wins or not losses:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    total = float(ranks[inverse][positive].sum())
    return (total - wins * (wins + 1) / 2) / (wins * losses)


def _r2(predicted: NDArray[np.float64], labels: NDArray[np.float32]) -> float:
    spread = float(((labels - labels.mean()) ** 2).sum())
    error = float(((labels - predicted) ** 2).sum())
    return max(0.0, 1 - error / spread) if spread else 0.0
