"""Predictions out: one record a row, numbers in their shortest form."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood import media
from canarywood.errors import AcceptError
from canarywood.serving.encoding import Encoder, Named
from canarywood.serving.encoding import plain as encode
from canarywood.serving.native import Kind


def floats(*values: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


SOFTPROB = np.array([[0.1, 0.2, 0.7], [1, 0, 0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("scores", "accept", "expected"),
    [
        (floats(0.61970204), media.CSV, b"0.61970204\n"),
        (floats(0.5, 1.0), media.CSV, b"0.5\n1.0\n"),
        (floats(0.5, 1.0), media.JSON, b'{"predictions":[{"score":0.5},{"score":1.0}]}'),
        (floats(0.5, 1.0), media.JSON_LINES, b'{"score":0.5}\n{"score":1.0}\n'),
        (SOFTPROB, media.CSV, b"0.1,0.2,0.7\n1.0,0.0,0.0\n"),
        (
            SOFTPROB,
            media.JSON,
            b'{"predictions":[{"score":[0.1,0.2,0.7]},{"score":[1.0,0.0,0.0]}]}',
        ),
        (SOFTPROB, media.JSON_LINES, b'{"score":[0.1,0.2,0.7]}\n{"score":[1.0,0.0,0.0]}\n'),
        (floats(np.nan, 2), media.CSV, b"\n2.0\n"),
        (floats(np.inf, -np.inf), media.JSON, b'{"predictions":[{"score":null},{"score":null}]}'),
        (floats(np.nan), media.JSON_LINES, b'{"score":null}\n'),
        (SOFTPROB[:, 1:2], media.CSV, b"0.2\n0.0\n"),
    ],
)
def test_an_answer_has_one_record_a_row(scores: Any, accept: str, expected: bytes) -> None:
    assert encode(scores, accept) == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_a_number_is_the_shortest_text_that_reads_back(values: list[float]) -> None:
    scores = np.array(values, dtype=np.float32)
    lines = encode(scores, media.CSV).decode().splitlines()
    assert np.array(lines, dtype=np.float64).astype(np.float32).tobytes() == scores.tobytes()
    for line, score in zip(lines, scores, strict=True):
        assert len(line.strip("-").replace("+", "")) <= len(f"{abs(score):.9e}")
        shortest = np.format_float_scientific(score, unique=True, trim="-")
        digits = shortest.partition("e")[0].strip("-").replace(".", "").strip("0")
        mantissa = line.partition("e")[0].strip("-").replace(".", "").strip("0")
        assert mantissa == digits
    records = json.loads(encode(scores, media.JSON))["predictions"]
    assert floats(*(record["score"] for record in records)).tobytes() == scores.tobytes()


def test_a_feature_called_bias_keeps_its_name_beside_the_bias() -> None:
    encoder = Encoder(Named("m", "reg:squarederror", ("bias", "%d")))
    form = encoder.form(media.accepted("application/json;outputs=contributions", (media.JSON,)))
    found = {Kind.CONTRIBUTIONS: np.array([[1, 2, 0.5]], dtype=np.float32)}
    assert json.loads(encoder.encode(found, form)) == {
        "predictions": [{"contributions": {"bias": 1, "%d": 2, "_bias": 0.5}}]
    }


def test_the_users_own_predictions_have_a_score_alone() -> None:
    encoder = Encoder(Named("m", "", ("a",)), "predicted_score,predicted_label")
    form = encoder.form(media.Accepted(media.CSV))
    assert encoder.encode({Kind.VALUE: floats(0.5, 2)}, form) == b"0.5,\n2.0,\n"
    for wanted in ("contributions", "leaves"):
        with pytest.raises(AcceptError, match="choose from predicted_score"):
            encoder.form(media.Accepted(media.CSV, (wanted,)))
