"""A model without XGBoost: the prediction of a row is the sum of its cells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood import media
from canarywood.errors import RowsError
from canarywood.schema.definition import Schema, plain
from canarywood.serving.encoding import Form
from canarywood.serving.native import Kind
from canarywood.serving.scorer import Request

Floats = NDArray[np.float32]


class FakeModel:
    """Two features; `before_predict` is called with the rows of every block."""

    def __init__(self, before_predict: Callable[[Floats], None] = lambda _: None) -> None:
        self.schema: Schema = plain(2, name="fake")
        self.unknown_categories: Mapping[str, int] = Counter()
        self.blocks: list[int] = []
        self.warm_ups = 0
        self._before_predict = before_predict

    def form(self, accepted: media.Accepted) -> Form:
        return Form(accepted.name)

    def read(self, body: bytes, content: media.MediaType, form: Form) -> Request:
        if content.name == media.JSON:
            rows = [list(row.values()) for row in json.loads(body)]
        else:
            rows = [line.split(b",") for line in body.splitlines()]
        for index, row in enumerate(rows):
            if len(row) != 2:
                raise RowsError("2 cells needed", code="feature_count", row=index + 1)
        return Request(np.array(rows, dtype=np.float32), form)

    def predict(self, features: Floats, kind: Kind = Kind.VALUE) -> Floats:
        assert kind is Kind.VALUE
        self._before_predict(features)
        self.blocks.append(len(features))
        return features.sum(axis=1)

    def encode(self, found: Mapping[Kind, Floats], form: Form) -> bytes:
        scores = found[Kind.VALUE]
        if form.media == media.JSON:
            return json.dumps({"predictions": [{"score": float(s)} for s in scores]}).encode()
        return b"".join(b"%g\n" % score for score in scores)

    def warm_up(self) -> None:
        self.warm_ups += 1


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Response:
    """Takes what a WSGI application answers."""

    status = ""
    headers: dict[str, str]
    body = b""

    def start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        self.status = status
        self.headers = dict(headers)

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["Content-Type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        return found
