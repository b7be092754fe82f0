"""Small models of many objectives, for what an answer selects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xgboost

from conformance.given import Floats, Given

ROUNDS = 12
WIDTH = 4


def _normals(seed: int, rows: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((rows, WIDTH), dtype=np.float32)


def _label(objective: str, data: Floats) -> Floats:
    signal = data[:, 0] - 0.5 * data[:, 1]
    if objective.startswith("multi:"):
        return np.digitize(signal, (-0.5, 0.5)).astype(np.float32)
    if objective.startswith("binary:"):
        found: Floats = (signal > 0).astype(np.float32)
        return found
    if objective.startswith("rank:"):
        return np.clip(np.round(signal + 1), 0, 3).astype(np.float32)
    if objective.startswith("count:"):
        return np.round(np.exp(signal)).astype(np.float32)
    if objective.startswith(("survival:", "reg:gamma", "reg:tweedie")):
        return np.exp(signal).astype(np.float32)
    return signal.astype(np.float32)


def build(objective: str, parameters: Mapping[str, Any] | None = None) -> Given:
    """A model of this objective on four features, and 40 rows it has not seen."""
    data = _normals(30, 600)
    label = _label(objective, data)
    matrix = xgboost.DMatrix(data, label)
    if objective.startswith("rank:"):
        matrix.set_group([20] * 30)
    if objective == "survival:aft":
        matrix = xgboost.DMatrix(data, label_lower_bound=label, label_upper_bound=label)
    settings: dict[str, Any] = {"objective": objective, "max_depth": 3}
    if objective.startswith("multi:"):
        settings["num_class"] = 3
    booster = xgboost.train({**settings, **(parameters or {})}, matrix, ROUNDS)
    name = "".join(letter if letter.isalnum() else "-" for letter in objective)
    return Given(name, booster, _normals(31, 40), ROUNDS)


def margins(given: Given, rows: Floats) -> Floats:
    """What the trees add up to, before the objective's last step."""
    found: Floats = given.booster.predict(xgboost.DMatrix(rows), output_margin=True)
    return found
