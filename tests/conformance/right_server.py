"""A small server and trainer that keeps the rules: the suite must pass it.

`python right_server.py serve|train`; standard library, numpy and xgboost.
"""

# ruff: noqa: T201 - a program, it talks on stdout
from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
MODEL = BASE / "model" / "xgboost-model"
LIMIT = 6_291_456
DIGITS = set("0123456789+-.eE")
MISSING = {"", "NA", "N/A", "null", "None", "nan", "NaN"}
ROUTES = {"/ping": "GET", "/invocations": "POST", "/execution-parameters": "GET"}


class ProblemError(Exception):
    def __init__(self, status: int, code: str, detail: str, **place: int) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"status": status, "code": code, "detail": detail, **place}


def decode(body: bytes, width: int) -> np.ndarray:
    if not body.strip():
        raise ProblemError(400, "empty_body", "the body is empty")
    try:
        text = body.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ProblemError(400, "encoding", "not UTF-8") from error
    first = text.partition("\n")[0]
    mark = next((mark for mark in ",;\t|" if mark in first), ",")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    except csv.Error as error:
        raise ProblemError(400, "csv", str(error)) from error
    for number, row in enumerate(rows, 1):
        if not row:
            raise ProblemError(400, "blank_row", "a blank line", row=number)
        if len(row) != len(rows[0]):
            raise ProblemError(400, "ragged", "rows differ", row=number)
    if len(rows[0]) != width:
        detail = f"{len(rows[0])} cells, the model has {width} features"
        raise ProblemError(422, "feature_count", detail, row=1)
    return np.asarray([[cell(c, i, j) for j, c in enumerate(r, 1)] for i, r in enumerate(rows, 1)])


def cell(text: str, row: int, column: int) -> np.float32:
    text = text.strip()
    if text in MISSING:
        return np.float32(np.nan)
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        raise ProblemError(422, "non_finite", "infinity", row=row, column=column)
    try:
        number = float(text) if set(text) <= DIGITS else None
    except ValueError:
        number = None
    if number is None:
        raise ProblemError(400, "number", f"{text[:30]!r} is no number", row=row, column=column)
    if abs(number) > np.finfo(np.float32).max:
        raise ProblemError(422, "non_finite", "too large", row=row, column=column)
    return np.float32(number)


def texts(score: Any) -> Any:
    return [texts(part) for part in score] if score.ndim else float(str(score))


def encode(scores: np.ndarray, accept: str) -> tuple[str, bytes]:
    if accept == "application/json":
        items = [{"score": texts(score)} for score in scores]
        return accept, json.dumps({"predictions": items}).encode()
    rows = scores.reshape(len(scores), -1)
    return "text/csv", "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one packet, not in two that wait for each other
    disable_nagle_algorithm = True
    booster: xgboost.Booster

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            kind, content = self._route(body)
            self._send(200, kind, content)
        except ProblemError as problem:
            value = {"type": "about:blank", "request_id": uuid.uuid4().hex, **problem.body}
            content = json.dumps(value).encode()
            self._send(problem.status, "application/problem+json", content)

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if status == 405:
            self.send_header("Allow", ROUTES[self.path])
        echo = "X-Amzn-SageMaker-Custom-Attributes"
        if self.headers.get(echo):
            self.send_header(echo, self.headers[echo])
        self.end_headers()
        self.wfile.write(content)

    def _route(self, body: bytes) -> tuple[str, bytes]:
        if self.path not in ROUTES:
            raise ProblemError(404, "not_found", "no such path")
        if self.command != ROUTES[self.path]:
            raise ProblemError(405, "method_not_allowed", f"use {ROUTES[self.path]}")
        if self.path == "/ping":
            return "text/plain", b""
        if self.path == "/execution-parameters":
            value = {
                "MaxConcurrentTransforms": 2,
                "BatchStrategy": "MULTI_RECORD",
                "MaxPayloadInMB": 6,
            }
            return "application/json", json.dumps(value).encode()
        return self._predict(body)

    def _predict(self, body: bytes) -> tuple[str, bytes]:
        if len(body) > LIMIT:
            raise ProblemError(413, "payload_too_large", f"more than {LIMIT} bytes")
        accept = self._accept()
        kind = self.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if kind != "text/csv":
            detail = "send text/csv; application/json comes later"
            raise ProblemError(415, "unsupported_media_type", detail)
        rows = decode(body, self.booster.num_features())
        best = self.booster.attr("best_iteration")
        end = 0 if best is None else int(best) + 1
        data = xgboost.DMatrix(
            rows,
            feature_names=self.booster.feature_names,
            feature_types=self.booster.feature_types,
            enable_categorical=True,
        )
        return encode(self.booster.predict(data, iteration_range=(0, end)), accept)

    def _accept(self) -> str:
        best, best_weight = "", 0.0
        for piece in self.headers.get("Accept", "*/*").split(","):
            name, _, parameter = piece.strip().partition(";q=")
            weight = float(parameter or 1)
            found = {"*/*": "text/csv", "text/*": "text/csv"}.get(name, name)
            if found in ("text/csv", "application/json") and weight > best_weight:
                best, best_weight = found, weight
        if not best:
            raise ProblemError(406, "not_acceptable", "ask for text/csv or application/json")
        return best


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""


def serve() -> int:
    try:
        Handler.booster = xgboost.Booster()
        Handler.booster.load_model(bytearray(MODEL.read_bytes()))
        Handler.booster.inplace_predict(np.zeros((1, Handler.booster.num_features())))
    except (OSError, ValueError, xgboost.core.XGBoostError) as error:
        sys.exit(f"no model to serve, convert pickles first: {str(error).splitlines()[0]}")
    server = Server(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler)
    signal.signal(
        signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start()
    )
    server.serve_forever(poll_interval=0.05)
    server.server_close()  # waits for the requests under way
    return 0


def load(channel: str) -> xgboost.DMatrix | None:
    files = sorted((BASE / "input" / "data" / channel).glob("*"))
    if not files:
        return None
    tables = []
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        try:
            if len({len(row) for row in rows}) != 1:
                raise ProblemError(400, "ragged", "rows differ")
            tables.append([[cell(c, i, 0) for c in row] for i, row in enumerate(rows, 1)])
        except ProblemError as problem:
            raise ValueError(f"{file.name}: {problem}") from problem
    table = np.asarray([row for rows in tables for row in rows])
    return xgboost.DMatrix(table[:, 1:], table[:, 0])


class Stopper(xgboost.callback.TrainingCallback):
    stopped = False

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        parts = [
            f"{data}-{metric}:{values[-1]:.5f}"
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        ]
        print("\t".join([f"[{epoch}]", *parts]), flush=True)
        return Stopper.stopped


def train() -> int:
    signal.signal(signal.SIGTERM, lambda *_: setattr(Stopper, "stopped", True))
    config = BASE / "input" / "config"
    sent = json.loads((config / "hyperparameters.json").read_text(encoding="utf-8"))
    rounds = int(sent.pop("num_round"))
    stopping = sent.pop("early_stopping_rounds", None)
    channels = json.loads((config / "inputdataconfig.json").read_text(encoding="utf-8"))
    try:
        for channel in channels.values():
            if "csv" not in channel["ContentType"]:
                raise ValueError(f"{channel['ContentType']} cannot be read")
        data, validation = load("train"), load("validation")
        if data is None:
            raise ValueError("the channel train is empty")
        booster = xgboost.train(
            sent,
            data,
            rounds,
            evals=[(data, "train"), (validation, "validation")],
            early_stopping_rounds=int(stopping) if stopping else None,
            verbose_eval=False,
            callbacks=[Stopper()],
        )
    except (ValueError, xgboost.core.XGBoostError) as error:
        text = f"UserError: {str(error).splitlines()[0]}"[:1024]
        (BASE / "output" / "failure").write_text(text, encoding="utf-8")
        print(text, file=sys.stderr)
        return 1
    MODEL.write_bytes(booster.save_raw("ubj"))
    return 0


if __name__ == "__main__":
    sys.exit({"serve": serve, "train": train}[sys.argv[1]]())
