"""Models of a few rows, each beside what XGBoost itself predicts for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from canarywood.artifact import MODEL_FILE, SCHEMA_FILE
from canarywood.schema.definition import Column, Derived, Schema, Target, plain
from canarywood.serving.scorer import Scorer
from canarywood.settings import ServeSettings

Rows = list[list[float | None]]
Floats = NDArray[np.float32]

PLAIN = plain(5)
# `carrier` is a category whose texts are whole numbers: the one kind that every format can carry
FLIGHTS = Schema(
    "flights",
    Target("late", "binary", classes=("on time", "late")),
    inputs=(
        Column("year"),
        Column("month"),
        Column("day"),
        Column("carrier", "category", categories=("3", "7", "11")),
        Column("distance", minimum=0, maximum=5000),
    ),
    features=("carrier", "distance", "weekday", "month"),
    derived=(Derived("weekday", "weekday", ("year", "month", "day")),),
    missing=("NA", "-999"),
)


@dataclass(frozen=True)
class World:
    """Rows as a client sends them, and the same rows as XGBoost takes them."""

    schema: Schema
    rows: Rows
    matrix: Floats
    booster: xgboost.Booster
    folder: Path

    def data(self) -> xgboost.DMatrix:
        return data_of(self.schema, self.matrix)

    def scorer(self, **settings: Any) -> Scorer:
        return Scorer.load(self.folder, ServeSettings(**settings))


def data_of(schema: Schema, matrix: Floats, labels: Any = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        matrix,
        labels,
        feature_names=list(schema.features),
        feature_types=schema.feature_types,
        enable_categorical=True,
    )


def plain_world(folder: Path, **parameters: Any) -> World:
    """Five numbers, a fifth of them missing."""
    random = np.random.default_rng(1)
    matrix = random.normal(size=(300, 5)).astype(np.float32)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    rows = [[None if np.isnan(v) else float(v) for v in row] for row in matrix]
    return _world(folder, PLAIN, rows, matrix, **parameters)


def flights_world(folder: Path, **parameters: Any) -> World:
    """A category, a derived column, a range, and a number that stands for nothing."""
    random = np.random.default_rng(2)
    rows: Rows = []
    matrix = []
    for _ in range(300):
        day = date.fromordinal(734869 + int(random.integers(365)))
        code = int(random.integers(4))
        distance = None if random.random() < 0.1 else float(random.integers(80, 5000)) + 0.1
        carrier = (3, 7, 11, None)[code]
        told = -999.0 if distance is None and random.random() < 0.5 else distance
        rows.append([day.year, day.month, day.day, carrier, told])
        features = (code if code < 3 else np.nan, distance, day.weekday(), day.month)
        matrix.append([np.nan if v is None else v for v in features])
    return _world(folder, FLIGHTS, rows, np.array(matrix, dtype=np.float32), **parameters)


def _world(folder: Path, schema: Schema, rows: Rows, matrix: Floats, **parameters: Any) -> World:
    parameters = {"objective": "binary:logistic", "nthread": 1, **parameters}
    classes = parameters.get("num_class", 2)
    labels = np.arange(len(rows)) // 3 % classes + (np.nan_to_num(matrix[:, 1]) > 0)
    labels = np.minimum(labels, classes - 1)
    booster = xgboost.train(parameters, data_of(schema, matrix, labels), 8)
    save(booster, folder)
    schema.write(folder / SCHEMA_FILE)
    return World(schema, rows, matrix, booster, folder)


def save(booster: xgboost.Booster, folder: Path, name: str = MODEL_FILE) -> None:
    (folder / name).write_bytes(booster.save_raw("ubj"))
