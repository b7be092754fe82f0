"""The given models: built by xgboost on the spot, with fixed seeds, and their right answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MODEL_FILE = "xgboost-model"  # the name that every SageMaker XGBoost server looks for


@dataclass(frozen=True)
class Given:
    """A model and the rows to ask it about.

    Attributes:
        rows: float32 (rows, features), never seen in training.
        trees: rounds that count; the best iteration + 1 of an early-stopped model.
    """

    name: str
    booster: xgboost.Booster
    rows: Floats
    trees: int

    @property
    def names(self) -> list[str]:
        """Names of the features; empty where the model has none."""
        return list(self.booster.feature_names or [])

    @property
    def width(self) -> int:
        """Number of features."""
        return int(self.rows.shape[1])

    def predict(self, rows: Floats, trees: int | None = None) -> Floats:
        """The oracle: `Booster.predict(DMatrix)`; float32 (rows,) or (rows, outputs)."""
        data = xgboost.DMatrix(
            rows,
            feature_names=self.booster.feature_names,
            feature_types=self.booster.feature_types,
            enable_categorical=True,
        )
        scores: Floats = self.booster.predict(
            data, iteration_range=(0, self.trees if trees is None else trees)
        )
        return scores

    def predict_infinite(self, rows: Floats) -> Floats:
        """As a lenient server may: `inplace_predict` takes infinity, DMatrix does not."""
        scores: Floats = self.booster.inplace_predict(rows)
        return scores

    def write(self, folder: Path) -> Path:
        """Write the artifact: one UBJSON file at the root."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_bytes(self.booster.save_raw("ubj"))
        return folder


def _normals(seed: int, rows: int, width: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((rows, width), dtype=np.float32)


def _noisy_labels(data: Floats, noise: float) -> Floats:
    extra = np.random.default_rng(1).standard_normal(len(data), dtype=np.float32)
    label: Floats = (data[:, 0] + 0.5 * data[:, 1] + noise * extra > 0).astype(np.float32)
    return label


def _binary(name: str, names: list[str] | None) -> Given:
    data = _normals(0, 4000, 10)
    matrix = xgboost.DMatrix(data, _noisy_labels(data, 0.7), feature_names=names)
    parameters = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1}
    return Given(name, xgboost.train(parameters, matrix, 200), _normals(2, 400, 10), 200)


def g1() -> Given:
    """4000 x 10 normals, binary:logistic, depth 6, eta 0.1, 200 rounds, no names."""
    return _binary("G1", None)


def named() -> Given:
    """G1 with names for its features."""
    letters = ["age", "balance", "campaign", "day", "education", "fee", "gap", "height", "income"]
    return _binary("named", [*letters, "job"])


def categorical() -> Given:
    """Column 0 is a category with codes 0 to 7, columns 1 to 3 are numbers."""
    data = _normals(3, 2000, 4)
    data[:, 0] = np.random.default_rng(4).integers(0, 8, 2000)
    label = ((np.isin(data[:, 0], (1, 4, 6))) ^ (data[:, 1] > 0)).astype(np.float32)
    kinds = ["c", "q", "q", "q"]
    matrix = xgboost.DMatrix(data, label, feature_types=kinds, enable_categorical=True)
    parameters = {"objective": "binary:logistic", "max_depth": 4, "max_cat_to_onehot": 1}
    rows = _normals(5, 64, 4)
    rows[:, 0] = np.arange(64) % 8
    return Given("categorical", xgboost.train(parameters, matrix, 30), rows, 30)


def softprob() -> Given:
    """Three classes, five features, multi:softprob."""
    data = _normals(6, 1500, 5)
    label = np.digitize(data[:, 0] + 0.3 * data[:, 1], (-0.5, 0.5)).astype(np.float32)
    parameters = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3}
    booster = xgboost.train(parameters, xgboost.DMatrix(data, label), 20)
    return Given("softprob", booster, _normals(7, 200, 5), 20)


def regression() -> Given:
    """reg:squarederror on numbers from 1e-6 to 1e9, so that the text of a number matters."""
    data = _normals(8, 1500, 4)
    label = np.exp(4 * data[:, 0]) * np.sign(data[:, 1])
    parameters = {"objective": "reg:squarederror", "max_depth": 5}
    booster = xgboost.train(parameters, xgboost.DMatrix(data, label), 40)
    return Given("regression", booster, _normals(9, 400, 4), 40)


def early_stopped() -> Given:
    """Overfits: the best iteration lies well before the last one."""
    data = _normals(10, 1200, 6)
    label = _noisy_labels(data, 1.0)
    train = xgboost.DMatrix(data[:800], label[:800])
    validation = xgboost.DMatrix(data[800:], label[800:])
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1},
        train,
        200,
        evals=[(validation, "validation")],
        early_stopping_rounds=10,
        verbose_eval=False,
    )
    return Given("early_stopped", booster, _normals(11, 100, 6), booster.best_iteration + 1)


def heavy() -> Given:
    """One feature and 10,000 rounds: a small body that takes seconds to answer."""
    data = _normals(12, 300, 1)
    label = np.sin(3 * data[:, 0])
    parameters = {"objective": "reg:squarederror", "max_depth": 6, "eta": 0.01}
    booster = xgboost.train(parameters, xgboost.DMatrix(data, label), 10_000)
    return Given("heavy", booster, _normals(13, 50, 1), 10_000)


BUILDERS: dict[str, Callable[[], Given]] = {
    "G1": g1,
    "named": named,
    "categorical": categorical,
    "softprob": softprob,
    "regression": regression,
    "early_stopped": early_stopped,
    "heavy": heavy,
}


@cache
def build(name: str) -> Given:
    """The given model of this name."""
    return BUILDERS[name]()


def from_folder(folder: Path) -> Given:
    """The model that a running server serves, with random rows of its width."""
    booster = xgboost.Booster()
    booster.load_model(bytearray((folder / MODEL_FILE).read_bytes()))
    best = booster.attr("best_iteration")
    trees = booster.num_boosted_rounds() if best is None else int(best) + 1
    return Given("G1", booster, _normals(2, 400, booster.num_features()), trees)
