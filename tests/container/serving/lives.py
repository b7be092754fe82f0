"""What the tests of a real server share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.container.serving.server import (
    Server,
)

Start = Callable[..., Server]


def rows(count: int) -> np.ndarray:
    generator = np.random.default_rng(7)
    matrix = generator.standard_normal((count, 10)).astype(np.float32)
    matrix[generator.random((count, 10)) < 0.1] = np.nan
    return matrix


def slow_rows(seconds: float, count: int = 1) -> bytes:
    return b"%g,42,0,0,0,0,0,0,0,0\n" % seconds * count


def csv_of(matrix: np.ndarray) -> bytes:
    lines = [",".join("" if np.isnan(c) else repr(float(c)) for c in row) for row in matrix]
    return "\n".join(lines).encode() + b"\n"


def in_flight(server: Server) -> float:
    text = server.ask("/metrics").body.decode()
    line = next(x for x in text.splitlines() if x.startswith("canarywood_in_flight "))
    return float(line.split()[1])
