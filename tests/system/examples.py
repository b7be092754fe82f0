"""The three examples on their real data, walked and held to XGBoost's own answers."""

from __future__ import annotations

import io
import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import xgboost

from canarywood.schema.definition import Schema
from canarywood.schema.table import encode
from ops import datasets, servers
from ops.project import load
from ops.road import FOLDER, Road
from ops.runtime import Runtime
from ops.screen import Screen

ROOT = Path(__file__).parents[2]
MOST_ROWS = 4000  # of the test part: flights have 27,564
EXAMPLES = {".": "flights", "examples/telco": "telco", "examples/abalone": "abalone"}
# What the rows of a project look like after the split, and the headline metric of its test part.
EXPECTED: dict[str, tuple[tuple[int, int, int], str, float, float]] = {
    "flights": ((65_075, 12_836, 27_564), "auc", 0.65, 0.69),
    "telco": ((4_931, 1_056, 1_056), "auc", 0.82, 0.89),
    "abalone": ((2_923, 627, 627), "rmse", 1.9, 2.5),
}


def walk(place: str, runtime: Runtime, folder: Path) -> None:
    """The whole road of one example below `folder`; every answer is checked."""
    (folder / datasets.CATALOGUE).write_bytes((ROOT / datasets.CATALOGUE).read_bytes())
    screen = Screen(io.StringIO(), {})
    road = Road(load(ROOT / place), folder, datasets.cache_folder(), runtime, screen)
    try:
        served = road.walk()
        check_report(road)
        check_answers(road, served.server.port)
    finally:
        for server in servers.running(folder / FOLDER):
            servers.stop(server, folder / FOLDER / server.project)


def check_report(road: Road) -> None:
    rows, metric, low, high = EXPECTED[road.project.name]
    report = json.loads((road.home.evaluation / "evaluation.json").read_text())
    assert report["dataset"]["item_count"] == rows[2]
    found = next(value for key, value in report.items() if key.endswith("_metrics"))
    assert low < found[metric]["value"] < high
    prepared = road.home.layout("preprocess").processing_output("report") / "preprocess.json"
    facts = json.loads(prepared.read_text())["rows"]
    assert tuple(facts[part]["rows"] for part in ("train", "validation", "test")) == rows


def check_answers(road: Road, port: int) -> None:
    model = road.home.layout("train").model
    schema = Schema.read(model / "canarywood" / "schema.json")
    test = road.home.layout("preprocess").processing_output("test") / "part-0.parquet"
    table = pyarrow.parquet.read_table(test).slice(0, MOST_ROWS)
    booster = xgboost.Booster(model_file=bytearray((model / "xgboost-model").read_bytes()))
    matrix = xgboost.DMatrix(
        encode(table, schema),
        feature_names=list(schema.features),
        feature_types=schema.feature_types,
        enable_categorical=True,
    )
    expected = booster.predict(matrix)
    records = table.select(schema.input_names).to_pylist()
    csv = "".join(",".join(map(cell, record.values())) + "\n" for record in records)
    answered = ask(port, "text/csv", csv.encode()).decode().split()
    np.testing.assert_array_equal(np.array(answered, dtype=np.float32), expected)
    body = json.dumps({"instances": records}).encode()
    predictions = json.loads(ask(port, "application/json", body))["predictions"]
    scores = np.array([item["score"] for item in predictions], dtype=np.float32)
    np.testing.assert_array_equal(scores, expected)


def cell(value: Any) -> str:
    """A cell of a csv row: missing is empty, text with a comma is quoted."""
    if value is None:
        return ""
    text = repr(value) if isinstance(value, float) else str(value)
    return f'"{text}"' if "," in text else text


def ask(port: int, content_type: str, body: bytes) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": content_type, "Accept": content_type}
    connection.request("POST", "/invocations", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, content
    return content
