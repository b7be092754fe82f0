"""Curves and tables behind the pictures: plain values in, plain values out. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from canarywood.evaluation.metrics import (
    CALIBRATION_BINS,
    THRESHOLD,
    Binary,
    Confusion,
    Floats,
    Regression,
    ratio,
)

Points = list[tuple[float, float]]

CURVE_POINTS = 120  # kept of a curve: more cannot be seen
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


@dataclass(frozen=True)
class CalibrationBin:
    """Rows whose probability lies in one tenth: what was said and what came."""

    low: float
    high: float
    count: int
    said: float
    came: float


@dataclass(frozen=True)
class Histogram:
    """Shares of one group of rows, bin by bin; edges has one value more than shares."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Cutoff:
    """What happens when every score above a threshold is called positive."""

    threshold: float
    confusion: Confusion
    picked: float
    is_default: bool
    is_best_f1: bool


def roc_curve(scored: Binary, weights: Floats) -> Points:
    """(false positive rate, true positive rate) from (0, 0) to (1, 1); empty for one class."""
    false_positives, true_positives = scored.cumulated(weights)
    if not (false_positives[-1] > 0 and true_positives[-1] > 0):
        return []
    x = np.concatenate(([0.0], false_positives / false_positives[-1]))
    y = np.concatenate(([0.0], true_positives / true_positives[-1]))
    return thinned(x, y)


def precision_recall_curve(scored: Binary, weights: Floats) -> Points:
    """(recall, precision) from recall 0, where precision is 1 by convention; or empty."""
    false_positives, true_positives = scored.cumulated(weights)
    if not true_positives[-1] > 0:
        return []
    picked = false_positives + true_positives
    precision = np.divide(true_positives, picked, out=np.ones_like(picked), where=picked > 0)
    x = np.concatenate(([0.0], true_positives / true_positives[-1]))
    return thinned(x, np.concatenate(([1.0], precision)))


def thinned(x: Floats, y: Floats, limit: int = CURVE_POINTS) -> Points:
    """At most about `limit` points, evenly spread along the curve; both ends stay."""
    if len(x) > limit:
        length = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
        wanted = np.linspace(0, length[-1], limit)
        kept = np.unique(np.searchsorted(length, wanted, side="left").clip(0, len(x) - 1))
        kept = np.union1d(kept, [0, len(x) - 1])
        x, y = x[kept], y[kept]
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def calibration(scored: Binary, weights: Floats) -> list[CalibrationBin]:
    """The bins that hold rows, in order."""
    count = np.bincount(scored.bins, minlength=CALIBRATION_BINS)
    weight = np.bincount(scored.bins, weights=weights, minlength=CALIBRATION_BINS)
    said = np.bincount(scored.bins, weights * scored.probabilities, CALIBRATION_BINS)
    came = np.bincount(scored.bins, weights * scored.truth, CALIBRATION_BINS)
    return [
        CalibrationBin(
            low=i / CALIBRATION_BINS,
            high=(i + 1) / CALIBRATION_BINS,
            count=int(count[i]),
            said=float(said[i] / weight[i]),
            came=float(came[i] / weight[i]),
        )
        for i in range(CALIBRATION_BINS)
        if weight[i] > 0
    ]


def cutoffs(
    scored: Binary, weights: Floats, thresholds: Sequence[float] = THRESHOLDS
) -> list[Cutoff]:
    """The threshold table; the default threshold and the one with the best F1 are marked."""
    tables = [scored.confusion(weights, threshold) for threshold in thresholds]
    scores = [table.rates()["f1"] for table in tables]
    best = max((score for score in scores if score == score), default=None)
    best_at = scores.index(best) if best else None
    total = float(weights.sum())
    return [
        Cutoff(
            threshold=threshold,
            confusion=table,
            picked=ratio(table.true_positive + table.false_positive, total),
            is_default=threshold == THRESHOLD,
            is_best_f1=i == best_at,
        )
        for i, (threshold, table) in enumerate(zip(thresholds, tables, strict=True))
    ]


def share_of_positives(scored: Binary, weights: Floats, top: float = 1.0) -> float:
    """Share of positives among the rows scored highest, `top` of all weight; ties share."""
    false_positives, true_positives = scored.cumulated(weights)
    picked = np.concatenate(([0.0], false_positives + true_positives))
    hits = np.concatenate(([0.0], true_positives))
    wanted = top * picked[-1]
    return ratio(float(np.interp(wanted, picked, hits)), wanted)


def histogram(values: Floats, weights: Floats, edges: Floats) -> Histogram:
    """The share of the weight in each bin; values outside count in the outer bins."""
    inside = np.clip(values, edges[0], edges[-1])
    found, _ = np.histogram(inside, bins=edges, weights=weights)
    total = float(weights.sum())
    shares = tuple(float(part) / total if total > 0 else 0.0 for part in found)
    return Histogram(tuple(float(edge) for edge in edges), shares)


def round_edges(low: float, high: float, bins: int) -> Floats:
    """Edges of about `bins` equal bins with round steps, from below `low` to above `high`."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / bins
    magnitude = 10.0 ** np.floor(np.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999)
    first, last = int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9))
    edges: Floats = np.arange(first, max(last, first + 1) + 1, dtype=np.float64) * step
    return edges


def residual_histogram(scored: Regression, weights: Floats) -> Histogram:
    """Residuals between their 0.5 % and 99.5 % quantiles; the rest counts in the outer bins."""
    low, high = np.quantile(scored.residuals, [0.005, 0.995])
    return histogram(scored.residuals, weights, round_edges(float(low), float(high), 32))


@dataclass(frozen=True)
class Density:
    """Weights of cells: values[i, j] at x_edges[i] to x_edges[i + 1], y_edges[j] to [j + 1]."""

    x_edges: Floats
    y_edges: Floats
    values: Floats


def predicted_and_true(scored: Regression, weights: Floats, bins: int = 40) -> Density:
    """How often each pair of (predicted, true) occurs, both on the same round scale.

    Where the truth counts something, its cells lie around the whole numbers: no empty stripes.
    """
    both = np.concatenate((scored.truth, scored.predictions))
    low, high = np.quantile(both, [0.001, 0.999])
    x_edges = y_edges = round_edges(float(low), float(high), bins)
    if (scored.truth == np.floor(scored.truth)).all() and x_edges[1] - x_edges[0] <= 1:
        y_edges = np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    found, _, _ = np.histogram2d(
        np.clip(scored.predictions, x_edges[0], x_edges[-1]),
        np.clip(scored.truth, y_edges[0], y_edges[-1]),
        bins=[x_edges, y_edges],
        weights=weights,
    )
    return Density(x_edges, y_edges, found)
