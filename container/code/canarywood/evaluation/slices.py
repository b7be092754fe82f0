"""The headline metric of parts of the test rows, with intervals: where a model is weak.

A slice is never trained on or chosen by; it is what the schema's `slices` names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from canarywood.evaluation.bootstrap import interval, resampled, resamples_for
from canarywood.evaluation.metrics import Floats, Rows, Scored

MOST_SLICES = 14  # of one column; the rest is one slice, OTHERS
OTHERS = "(all others)"
MISSING = "(missing)"
RESAMPLES = 100


@dataclass(frozen=True)
class Slice:
    """One part of the test rows; low and high hold the middle 95 % of resamples."""

    label: str
    rows: int
    value: float
    deviation: float
    low: float
    high: float


def slices(
    scored: Scored, weights: Floats, cells: Sequence[object], metric: str, *, seed: int = 0
) -> list[Slice]:
    """The slices of one column, largest first; the many small ones together at the end.

    Args:
        cells: the column's cell of each row; None or NaN is missing.
    """
    return [
        _slice(label, scored, weights, rows, metric, seed)
        for label, rows in groups(cells, MOST_SLICES)
    ]


def groups(cells: Sequence[object], most: int) -> list[tuple[str, Rows]]:
    """Rows by the text of their cell, largest group first, at most `most` and the others."""
    labels = np.array([_label(cell) for cell in cells], dtype=object)
    names, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes, minlength=len(names))
    ordered = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
    if len(ordered) == most + 1:  # one slice called "others" would say less than its name
        most += 1
    found = [(str(names[code]), np.flatnonzero(codes == code)) for code in ordered[:most]]
    if ordered[most:]:
        found.append((OTHERS, np.flatnonzero(np.isin(codes, ordered[most:]))))
    return found


def _slice(
    label: str, scored: Scored, weights: Floats, rows: Rows, metric: str, seed: int
) -> Slice:
    part, own = scored.take(rows), weights[rows]
    resamples = min(RESAMPLES, resamples_for(part))
    found = resampled(part, own, [metric], seed=seed, resamples=resamples)[:, 0]
    low, high = interval(found)
    deviation = float(np.nanstd(found, ddof=1)) if np.isfinite(low) else float("nan")
    value = part.metrics(own)[metric]
    return Slice(label, part.rows, value, deviation, low, high)


def _label(cell: object) -> str:
    if cell is None or cell != cell:
        return MISSING
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
