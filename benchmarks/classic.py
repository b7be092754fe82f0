"""The server that one writes oneself: Flask, XGBoost's package, numpy; no pandas.

A peer to measure against, tuned as its author would: the body goes to float32 without a table
library, `inplace_predict` makes no DMatrix, the thread count is one.
"""

from __future__ import annotations

import os
from pathlib import Path

import flask
import numpy as np
import xgboost


def create() -> flask.Flask:
    """The application of $CLASSIC_MODEL, an XGBoost model file."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(Path(os.environ["CLASSIC_MODEL"]).read_bytes()))
    columns = booster.num_features()
    app = flask.Flask(__name__)

    @app.get("/ping")
    def ping() -> str:
        return ""

    @app.post("/invocations")
    def invocations() -> flask.Response:
        cells = flask.request.get_data().replace(b"\n", b",").rstrip(b",").split(b",")
        rows = np.array(cells, dtype=np.float32).reshape(-1, columns)
        scores = booster.inplace_predict(rows)
        return flask.Response("\n".join(map(str, scores)) + "\n", mimetype="text/csv")

    return app
