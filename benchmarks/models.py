"""The models that the benchmarks serve, with request bodies and XGBoost's own answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import xgboost
from numpy.typing import NDArray

from canarywood.schema.definition import Schema
from canarywood.schema.table import encode
from ops.client import as_csv
from ops.plan import Home

Answers = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """A model folder, csv bodies by their number of rows, and what must be answered to them."""

    name: str
    model: Path
    bodies: Mapping[int, bytes]
    answers: Mapping[int, Answers]


def numbers(folder: Path, sizes: tuple[int, ...]) -> Sample:
    """30 columns of numbers, 100 trees of depth 6: no schema, any server can decode it."""
    dice = np.random.default_rng(0)
    rows = dice.normal(size=(20_000, 30)).astype(np.float32)
    label = rows[:, 0] + rows[:, 1] * rows[:, 2] + dice.normal(size=len(rows)) > 0
    parameters = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "seed": 0}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, label), num_boost_round=100)
    folder.mkdir(parents=True)
    (folder / "xgboost-model").write_bytes(booster.save_raw("ubj"))
    text = [",".join(f"{cell:.6f}" for cell in row) + "\n" for row in rows[: max(sizes)]]
    sent = np.array([line.split(",") for line in text], dtype=np.float32)
    predicted = booster.predict(xgboost.DMatrix(sent))
    return Sample(
        "numbers",
        folder,
        {size: "".join(text[:size]).encode() for size in sizes},
        {size: predicted[:size] for size in sizes},
    )


def flights(home: Home, sizes: tuple[int, ...]) -> Sample:
    """The model of the flights: categories, a derived column, missing values."""
    model = home.layout("train").model
    schema = Schema.read(home.schema)
    test = home.layout("preprocess").processing_output("test") / "part-0.parquet"
    table = pq.read_table(test).slice(0, max(sizes))
    booster = xgboost.Booster()
    booster.load_model(bytearray((model / "xgboost-model").read_bytes()))
    matrix = xgboost.DMatrix(
        encode(table, schema),
        feature_names=list(schema.features),
        feature_types=schema.feature_types,
        enable_categorical=True,
    )
    predicted = booster.predict(matrix)
    records = table.to_pylist()
    return Sample(
        "flights",
        model,
        {size: as_csv(records[:size], schema.input_names).encode() for size in sizes},
        {size: predicted[:size] for size in sizes},
    )
