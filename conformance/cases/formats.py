"""P-01, O-03, O-11: the binary formats and the version 2 protocol."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from conformance.bodies import CSV, UnreadableError, csv, strict_json
from conformance.case import case
from conformance.client import Answer
from conformance.formats import (
    ARROW,
    ARROW_FILE,
    NPY,
    PARQUET,
    RECORDIO,
    arrow_file,
    arrow_stream,
    npy,
    parquet,
    recordio,
    records_of,
    v2,
)
from conformance.given import Floats
from conformance.subject import Needs, Start
from conformance.trial import Trial

COMMON = "AWS, Common data formats for inference"
OIP = "Open Inference Protocol, REST: inference"


def _rows(trial: Trial) -> Floats:
    rows = trial.given.rows[:9].copy()
    rows[4, 2] = rows[5, 0] = np.nan
    return rows


def _same(trial: Trial, body: bytes, kind: str, rows: Floats) -> None:
    answer = trial.post(body, kind, accept=CSV)
    trial.answers(answer, trial.given.predict(rows), optional=True)


@case("P-01.recordio", source="AWS, Common data formats for training and inference")
def recordio_in(trial: Trial) -> None:
    """recordio-protobuf bodies, dense and NaN for missing, are answered like CSV."""
    rows = _rows(trial)
    _same(trial, recordio(rows), RECORDIO, rows)


@case("P-01.parquet", given="named")
def parquet_in(trial: Trial) -> None:
    """Parquet bodies are answered like CSV, their columns by name in any order."""
    rows, names = _rows(trial), trial.given.names
    _same(trial, parquet(rows, names), PARQUET, rows)
    _same(trial, parquet(rows[:, ::-1], names[::-1]), PARQUET, rows)


@case("P-01.arrow", given="named")
def arrow_in(trial: Trial) -> None:
    """Arrow bodies, stream and file, are answered like CSV, their columns by name."""
    rows, names = _rows(trial), trial.given.names
    _same(trial, arrow_stream(rows, names), ARROW, rows)
    _same(trial, arrow_stream(rows[:, ::-1], names[::-1]), ARROW, rows)
    _same(trial, arrow_file(rows, names), ARROW_FILE, rows)


@case("P-01.npy")
def npy_in(trial: Trial) -> None:
    """npy bodies are answered like CSV: float32, float64, either byte order, Fortran order."""
    rows = _rows(trial)
    _same(trial, npy(rows), NPY, rows)
    for other in (rows.astype("<f8"), rows.astype(">f4"), np.asfortranarray(rows)):
        _same(trial, npy(other), NPY, rows)
    _same(trial, npy(rows[0]), NPY, rows[:1])


@case("P-01.v2", source=OIP)
def v2_in(trial: Trial) -> None:
    """A version 2 request with one tensor of rows is answered with one output of numbers."""
    rows = _rows(trial)
    answer = trial.post(v2(rows), "application/json", accept="application/json")
    if not trial.should(answer.status == 200, f"refused: {answer}"):
        return
    _is_v2(trial, answer, trial.given.predict(rows))


def _is_v2(trial: Trial, answer: Answer, expected: Floats) -> None:
    try:
        value: Any = strict_json(answer.text)
        output = value["outputs"][0]
        found = np.asarray(output["data"], dtype=np.float32)
        shape = [int(size) for size in output["shape"]]
        same = value.get("id") == "7"
    except (UnreadableError, KeyError, IndexError, TypeError, ValueError):
        trial.should(False, f"outputs with shape and data expected: {answer}")
        return
    trial.must(np.array_equal(found.ravel(), expected.ravel()), f"wrong numbers: {answer}")
    trial.must(np.prod(shape) == found.size, f"shape {shape} for {found.size} numbers: {answer}")
    trial.should(same, f'the request\'s id "7" expected: {answer}')


@case("P-01.v2-columns", given="named", source=OIP)
def v2_columns(trial: Trial) -> None:
    """A version 2 request may hold one tensor a column, by name."""
    rows, names = trial.given.rows[:5], trial.given.names
    tensors = [
        {
            "name": name,
            "shape": [5],
            "datatype": "FP32",
            "data": [float(str(cell)) for cell in rows[:, index]],
        }
        for index, name in reversed(list(enumerate(names)))
    ]
    body = json.dumps({"id": "7", "inputs": tensors}).encode()
    answer = trial.post(body, "application/json", accept="application/json")
    if trial.should(answer.status == 200, f"refused: {answer}"):
        _is_v2(trial, answer, trial.given.predict(rows))


def _records(trial: Trial, answer: Answer, rows: int) -> list[list[float]] | None:
    """The numbers of each record, where there is one a row."""
    if not trial.should(answer.status == 200, f"refused: {answer}"):
        return None
    if not trial.should(answer.media_type == RECORDIO, f"{RECORDIO} expected: {answer}"):
        return None
    try:
        records = records_of(answer)
    except UnreadableError as error:
        trial.must(False, f"{error}: {answer}")
        return None
    if not trial.must(len(records) == rows, f"{len(records)} records for {rows} rows: {answer}"):
        return None
    return [[value for values in record.values() for value in values] for record, _ in records]


@case("O-03.recordio", source=COMMON)
def recordio_out(trial: Trial) -> None:
    """recordio-protobuf out: one record a row, with the score."""
    rows = trial.given.rows[:5]
    found = _records(trial, trial.post(csv(rows), accept=RECORDIO), 5)
    if found is not None:
        same = np.array_equal(np.asarray(found, np.float32).ravel(), trial.given.predict(rows))
        trial.must(same, f"wrong numbers: {found}")


@case("O-03.recordio-softprob", given="softprob", source=COMMON)
def recordio_classes(trial: Trial) -> None:
    """recordio-protobuf out of a multi-class model: all scores of a row in its record."""
    rows = trial.given.rows[:5]
    found = _records(trial, trial.post(csv(rows), accept=RECORDIO), 5)
    if found is not None:
        same = np.array_equal(np.asarray(found, np.float32), trial.given.predict(rows))
        trial.must(same, f"wrong numbers: {found}")


@case("O-11", needs=Needs.START, given="softprob", source="AWS, XGBoost inference: selected keys")
def one_row_a_record(trial: Trial) -> None:
    """With selected keys, record i of recordio holds row i alone: the size grows with the rows."""
    given = trial.given
    expected = given.predict(given.rows[:64])
    start = Start(trial.model_folder, {"SAGEMAKER_INFERENCE_OUTPUT": "probabilities"})
    with trial.started(start) as server:
        sizes = {}
        for count in (1, 8, 64):
            sent = csv(given.rows[:count])
            answer = trial.post(sent, accept=RECORDIO, server=server)
            found = _records(trial, answer, count)
            if found is None:
                return
            same = np.array_equal(np.asarray(found, np.float32), expected[:count])
            trial.must(same, f"record i does not hold row i alone: {str(found)[:200]}")
            sizes[count] = len(answer.body)
    trial.must(sizes[64] <= 64 * sizes[1] * 1.1, f"bytes by rows: {sizes}")
