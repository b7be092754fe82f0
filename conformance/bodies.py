"""Rows to request bodies, and answers back to numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from conformance.client import Answer
from conformance.given import Floats

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"

# Where the score stands in a JSON record of some server, best first.
SCORE_KEYS = ("predictions", "score", "scores", "prediction", "probability", "predicted_score")


class UnreadableError(ValueError):
    """The answer's body holds no predictions that could be read."""


def cells(rows: Floats) -> list[list[str]]:
    """The shortest text of each float32; empty for a missing one."""
    return [["" if np.isnan(cell) else str(cell) for cell in row] for row in rows]


def csv(rows: Floats, separator: str = ",", end: str = "\n") -> bytes:
    """Rows as CSV, each line ended."""
    return "".join(separator.join(row) + end for row in cells(rows)).encode()


def _values(row: Floats) -> list[float | None]:
    return [None if np.isnan(cell) else float(str(cell)) for cell in row]


def instances(rows: Floats) -> bytes:
    """`{"instances": [[1.0, 2.0]]}`."""
    return json.dumps({"instances": [_values(row) for row in rows]}).encode()


def records(rows: Floats, names: list[str]) -> list[dict[str, Any]]:
    """Rows as JSON objects by column name."""
    return [dict(zip(names, _values(row), strict=True)) for row in rows]


def jsonlines(rows: Floats) -> bytes:
    """One JSON array a line."""
    return "".join(json.dumps(_values(row)) + "\n" for row in rows).encode()


BODIES = {CSV: csv, JSON: instances, JSON_LINES: jsonlines}


def numbers(answer: Answer) -> Floats:
    """All predictions of an answer, in order, as one flat float32 vector.

    Raises:
        UnreadableError: the body is not what its Content-Type says, or holds no numbers.
    """
    kind = answer.media_type
    if "json" not in kind:
        tokens = answer.text.replace("\n", ",").split(",")
        return _floats([token for token in tokens if token.strip()])
    pieces = answer.text.splitlines() if "lines" in kind else [answer.text]
    return _floats([number for piece in pieces for number in _scores(strict_json(piece))])


def strict_json(text: str) -> Any:
    """Parse JSON without the extensions NaN and Infinity."""

    def refuse(token: str) -> None:
        raise UnreadableError(f"{token} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnreadableError(f"not JSON: {error}") from error


def _scores(value: Any) -> list[Any]:
    """The numbers in a JSON answer, whatever it is wrapped in."""
    if isinstance(value, list):
        return [number for item in value for number in _scores(item)]
    if isinstance(value, dict):
        if len(value) == 1:
            return _scores(next(iter(value.values())))
        for key in SCORE_KEYS:
            if key in value:
                return _scores(value[key])
        raise UnreadableError(f"no score among {sorted(value)}")
    return [value]


def _floats(tokens: list[Any]) -> Floats:
    try:
        return np.asarray([np.float32(token) for token in tokens], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"not a number: {error}") from error
