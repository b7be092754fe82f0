"""A server and trainer with the classic faults of bring-your-own samples: the suite must see them.

Each fault is marked with the case that finds it.
"""

# ruff: noqa: T201 - a program, it talks on stdout
from __future__ import annotations

import json
import os
import pickle
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import xgboost

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
MODEL = BASE / "model" / "xgboost-model"


class Handler(BaseHTTPRequestHandler):
    booster: xgboost.Booster

    def do_GET(self) -> None:  # P-09: unanchored routes; P-10: any method
        if self.path.startswith("/ping"):
            self._send(200, "text/plain", b"\n")
        else:
            self._send(404, "text/html", b"<html>Not Found</html>")

    def do_POST(self) -> None:  # P-09, P-10
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if len(body) > 5_000_000:  # P-07
            self._send(413, "text/html", b"<html>413</html>")
            return
        if self.headers.get("Content-Type") != "text/csv":  # D-13: 415 on a charset
            self._send(415, "text/plain", b"This predictor only supports CSV data")
            return
        try:
            self._send(200, "text/csv", self._predict(body.decode()))  # O-01, O-02: no Accept
        except Exception as error:  # noqa: BLE001 - P-05, P-06: whatever it is, HTML and 500
            text = f'<html>Internal Server Error: File "app.py": {error}</html>'
            self._send(500, "text/html", text.encode())

    def _predict(self, text: str) -> bytes:
        rows = [
            [float(cell.replace("null", "nan")) for cell in line.split(",")]  # D-11, D-15
            for line in text.strip().split("\n")
        ]
        width = self.booster.num_features()
        table = np.asarray(rows, dtype=np.float32)  # D-06: ragged rows raise
        fixed = np.zeros((len(table), width), dtype=np.float32)
        fixed[:, : table.shape[1]] = table[:, :width]  # D-04, D-05: any width
        scores = self.booster.inplace_predict(fixed)  # D-16: infinity; D-23: all trees
        return ",".join(repr(float(score)) for score in scores.ravel()).encode()  # O-04, O-12

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def load() -> xgboost.Booster:
    content = MODEL.read_bytes()
    try:
        return pickle.loads(content)  # noqa: S301 - D-21: the fault itself
    except pickle.UnpicklingError:
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
        return booster


def serve() -> int:
    try:
        Handler.booster = load()
    except Exception as error:  # noqa: BLE001 - L-04: exit code 0
        print(error)
        return 0
    port = int(os.environ["FIXED_PORT"])  # L-15: one port, whatever the platform says
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()  # L-02: one client at a time
    return 0


def train() -> int:
    sent = json.loads((BASE / "input/config/hyperparameters.json").read_text(encoding="utf-8"))
    table = np.genfromtxt(BASE / "input/data/train/data.csv", delimiter=",", invalid_raise=False)
    parameters = {}
    for name, value in sent.items():
        try:
            parameters[name] = int(value) if value.isdigit() else float(value)
        except ValueError:  # T-08: lists and tuples are dropped
            if name == "objective":
                parameters[name] = value
    rounds = int(parameters.pop("num_round", 10))
    parameters.pop("early_stopping_rounds", None)  # T-05: ignored
    try:
        data = xgboost.DMatrix(table[:, 1:], table[:, 0])
        booster = xgboost.train(parameters, data, rounds)  # T-15: no metrics
    except (ValueError, xgboost.core.XGBoostError) as error:
        print(error)  # T-07: no failure file, exit code 0
        time.sleep(0.1)
        return 0
    MODEL.write_bytes(booster.save_raw("ubj"))
    return 0


if __name__ == "__main__":
    sys.exit({"serve": serve, "train": train}[sys.argv[1]]())
