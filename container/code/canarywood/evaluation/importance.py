"""Which features the model uses: gain inside the trees, contributions on the test rows.

The one module of evaluation that imports the xgboost package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

SAMPLE = 2000  # rows explained: contributions cost a hundred times a prediction


@dataclass(frozen=True)
class Importance:
    """Two views of one feature.

    Attributes:
        gain: its share of the total gain of all splits; None where the booster has no trees.
        contribution: its mean absolute contribution (SHAP) to the margin of a row.
    """

    feature: str
    gain: float | None
    contribution: float


def importances(
    model: Path, features: NDArray[np.float32], names: Sequence[str], types: Sequence[str]
) -> list[Importance]:
    """Every feature, the one with the largest contribution first.

    Args:
        features: the test rows, shape (rows, features); at most SAMPLE of them, evenly spread
            over the file, are explained.
    """
    booster = xgboost.Booster()
    booster.load_model(
        bytearray(model.read_bytes())
    )  # a path without suffix makes it guess, loudly
    gains = _gains(booster, names)
    contributions = _contributions(booster, features, types)
    found = [
        Importance(name, gains[i] if gains else None, float(contributions[i]))
        for i, name in enumerate(names)
    ]
    return sorted(found, key=lambda item: (-item.contribution, item.feature))


def _gains(booster: xgboost.Booster, names: Sequence[str]) -> list[float]:
    """Shares of the total gain in the order of the features; empty for a linear booster."""
    try:
        scores = booster.get_score(importance_type="total_gain")
    except (xgboost.core.XGBoostError, ValueError):  # gblinear has no gain
        return []
    own = booster.feature_names or [f"f{i}" for i in range(len(names))]
    values = [float(scores.get(name, 0.0)) for name in own]
    total = sum(values)
    return [value / total if total > 0 else 0.0 for value in values]


def _contributions(
    booster: xgboost.Booster, features: NDArray[np.float32], types: Sequence[str]
) -> NDArray[np.float64]:
    rows = np.unique(np.linspace(0, len(features) - 1, min(SAMPLE, len(features))).astype(np.intp))
    matrix = xgboost.DMatrix(
        features[rows],
        feature_names=booster.feature_names,
        feature_types=booster.feature_types or list(types),
        enable_categorical=True,
    )
    found = np.abs(booster.predict(matrix, pred_contribs=True))[..., :-1]  # without the bias
    return np.asarray(found.reshape(-1, found.shape[-1]).mean(axis=0), dtype=np.float64)
