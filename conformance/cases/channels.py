"""T-09, T-11.parquet, T-12: parameters of every kind, categories, and pipes."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import xgboost

from conformance.bodies import csv
from conformance.case import case
from conformance.formats import PARQUET, RECORDIO, arrow_table, parquet, parquet_of, recordio
from conformance.given import Floats
from conformance.subject import Needs, Start
from conformance.training import WIDTH, Job, make_job, oracle, same_model, train
from conformance.trial import Trial

PARAMETERS = "XGBoost, Parameters; AWS, XGBoost hyperparameters"
PIPE_S = 120.0
NAMES = ["label", *(f"c{number}" for number in range(WIDTH))]
ACCEPTED: dict[str, dict[str, str]] = {
    "device": {"device": "cpu"},
    "quantile_alpha": {"objective": "reg:quantileerror", "quantile_alpha": "0.3"},
    "multi_strategy": {"multi_strategy": "one_output_per_tree"},
    "enable_categorical": {"enable_categorical": "true"},
    "max_cat_to_onehot": {"max_cat_to_onehot": "5", "max_cat_threshold": "32"},
    "monotone_constraints": {"monotone_constraints": "(1,-1,0,0)"},
    "max_cached_hist_node": {"max_cached_hist_node": "4096"},
    "multiclass auc": {"objective": "multi:softprob", "num_class": "2", "eval_metric": "auc"},
}


@case("T-09", source=PARAMETERS, needs=Needs.TRAIN)
def every_parameter(trial: Trial) -> None:
    """Parameters of today's XGBoost are accepted and obeyed."""
    for name, parameters in ACCEPTED.items():
        folder = trial.folder(name.replace(" ", "-"))
        job = make_job(folder, {"num_round": "4", **parameters})
        result = train(trial, job)
        if not trial.should(result.code == 0, f"{name}: a model expected: {result}"):
            continue
        if name != "multiclass auc":  # another shape of answers
            typed = {key: value for key, value in parameters.items() if key != "enable_categorical"}
            same_model(trial, result, oracle(job, typed, 4), job)


@case("T-11.parquet", needs=Needs.TRAIN)
def categories(trial: Trial) -> None:
    """Categories of Parquet files are kept: a request names them by their texts."""
    job = make_job(trial.folder("job"), {"num_round": "6"})
    towns = np.asarray(["Rome", "Oslo", "Bern", "Lima"])
    random = np.random.default_rng(50)
    for name, table in (("train", job.train), ("validation", job.validation)):
        code = random.integers(0, 4, len(table))
        table[:, 1] = code
        table[:, 0] = (np.isin(code, (1, 3)) ^ (table[:, 2] > 0.3)).astype(np.float32)
        columns = {n: table[:, i] for i, n in enumerate(NAMES)} | {"c0": towns[code]}
        (job.channel(name) / "data.csv").unlink()
        content = parquet_of(arrow_table(columns))
        (job.channel(name) / "part-0.parquet").write_bytes(content)
    job.content_type(PARQUET)
    result = train(trial, job)
    if not trial.should(result.code == 0, f"a model expected: {result}"):
        return
    kinds = result.booster.feature_types if result.booster else None
    trial.should(kinds and kinds[0] == "c", f"feature types {kinds}")
    rows = job.validation[:40, 1:]
    wanted = _categorical_oracle(job, rows)
    lines = [f"{towns[int(row[0])]},{','.join(map(str, row[1:]))}\n" for row in rows]
    with trial.started(Start(job.base / "model")) as server:
        trial.answers(trial.post("".join(lines).encode(), server=server), wanted, optional=True)


def _categorical_oracle(job: Job, rows: Floats) -> Floats:
    kinds = ["c", *(["float"] * (WIDTH - 1))]

    def matrix(table: Floats, label: Floats | None = None) -> xgboost.DMatrix:
        return xgboost.DMatrix(table, label, feature_types=kinds, enable_categorical=True)

    data = matrix(job.train[:, 1:], job.train[:, 0])
    booster = xgboost.train({"objective": "binary:logistic"}, data, 6)
    found: Floats = booster.predict(matrix(rows))
    return found


# ---- pipes


@contextlib.contextmanager
def _pipes(job: Job, encode: Callable[[Floats], bytes]) -> Iterator[None]:
    """A FIFO for each channel, written as soon as somebody reads it."""
    stop = threading.Event()
    writers = []
    for name, table in (("train", job.train), ("validation", job.validation)):
        (job.channel(name) / "data.csv").unlink()
        job.channel(name).rmdir()
        pipe = job.base / "input" / "data" / f"{name}_0"
        os.mkfifo(pipe, 0o666)
        writers.append(threading.Thread(target=_feed, args=(pipe, encode(table), stop)))
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def _feed(pipe: Path, content: bytes, stop: threading.Event) -> None:
    """Write once a reader is there; a reader that goes away early is no error."""
    end = time.monotonic() + PIPE_S
    while not stop.is_set() and time.monotonic() < end:
        try:
            target = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return
            time.sleep(0.02)
            continue
        with contextlib.suppress(BrokenPipeError), os.fdopen(target, "wb") as stream:
            os.set_blocking(target, True)
            stream.write(content)
        return


def _pipe_config(job: Job, kind: str) -> None:
    one: Mapping[str, str] = {
        "ContentType": kind,
        "TrainingInputMode": "Pipe",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    job.config("inputdataconfig", {"train": one, "validation": one})


@case(
    "T-12",
    source="AWS, How SageMaker provides training information: Pipe mode",
    needs=Needs.TRAIN,
)
def pipe_mode(trial: Trial) -> None:
    """Pipe mode trains the same model as File mode: CSV, Parquet, recordio-protobuf."""
    forms: dict[str, tuple[str, Callable[[Floats], bytes]]] = {
        "csv": ("text/csv", csv),
        "parquet": (PARQUET, lambda table: parquet(table, NAMES)),
        "recordio": (RECORDIO, lambda table: recordio(table[:, 1:], table[:, 0])),
    }
    for name, (kind, encode) in forms.items():
        job = make_job(trial.folder(name), {"num_round": "6"})
        _pipe_config(job, kind)
        with _pipes(job, encode):
            result = train(trial, job)
        if trial.should(result.code == 0, f"{name}: a model expected: {result}"):
            same_model(trial, result, oracle(job, {}, 6), job)
