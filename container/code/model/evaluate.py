"""Yours: further metrics of the test rows. They appear in evaluation.json and in the report.

    truth    float64 (rows,): 0 or 1, the class's number, or the number itself
    scores   float64 (rows,), or (rows, classes): what the endpoint answers for these rows
    weights  float64 (rows,): ones where the data have no weights

Return any metrics by name, each a finite number; `{}` if ours are enough. A gate can use them.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def metrics(truth: Floats, scores: Floats, weights: Floats) -> dict[str, float]:
    if scores.ndim == 1 and np.isin(truth, (0, 1)).all() and truth.any():
        return {"lift_in_top_tenth": lift(truth, scores, weights, share=0.1)}
    return {}


def lift(truth: Floats, scores: Floats, weights: Floats, share: float) -> float:
    """How many times more positives the rows scored highest hold than all rows do."""
    order = np.argsort(-scores, kind="stable")
    picked = np.cumsum(weights[order]) <= share * weights.sum()
    picked[0] = True
    top = np.average(truth[order][picked], weights=weights[order][picked])
    return float(top / np.average(truth, weights=weights))
