"""A training job for the subject: the folder that stands for /opt/ml, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost

from conformance.bodies import csv
from conformance.given import MODEL_FILE, Floats
from conformance.subject import Running

if TYPE_CHECKING:
    from conformance.trial import Trial

JOB_S = 300.0
STOP_JOB_S = 120.0  # AWS: SIGKILL follows SIGTERM after 120 seconds
BINARY = {"objective": "binary:logistic"}
WIDTH = 4


def table(seed: int, rows: int, noise: float = 0.5) -> Floats:
    """Label first, then WIDTH normals, as the built-in algorithm wants its CSV."""
    random = np.random.default_rng(seed)
    data = random.standard_normal((rows, WIDTH), dtype=np.float32)
    extra = random.standard_normal(rows, dtype=np.float32)
    label = (data[:, 0] - data[:, 1] + noise * extra > 0).astype(np.float32)
    return np.column_stack([label, data])


@dataclass(frozen=True)
class Job:
    """A training job that was not started yet: three JSON files and two channels."""

    base: Path
    train: Floats
    validation: Floats

    def channel(self, name: str) -> Path:
        """The folder of an input channel."""
        return self.base / "input" / "data" / name

    def config(self, name: str, value: Mapping[str, Any]) -> None:
        """Write one of the platform's three files."""
        folder = self.base / "input" / "config"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")

    def hyperparameters(self, values: Mapping[str, str]) -> None:
        """Every value is a string, as the platform sends it."""
        self.config("hyperparameters", dict(values))

    def content_type(self, name: str, channels: tuple[str, ...] = ("train", "validation")) -> None:
        """The same content type for all channels."""
        one = {
            "ContentType": name,
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
        self.config("inputdataconfig", dict.fromkeys(channels, one))


def make_job(
    base: Path, hyperparameters: Mapping[str, str], *, noise: float = 0.5, rows: int = 400
) -> Job:
    """A job on a CSV channel for training and one for validation, as the platform lays it out."""
    for folder in ("model", "output/data", "input/data/train", "input/data/validation"):
        (base / folder).mkdir(parents=True)
    job = Job(base, table(20, rows, noise), table(21, 200, noise))
    job.hyperparameters({**BINARY, **hyperparameters})
    job.content_type("text/csv")
    job.config(
        "resourceconfig",
        {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [
                {
                    "instance_group_name": "homogeneousCluster",
                    "instance_type": "ml.m5.large",
                    "hosts": ["algo-1"],
                }
            ],
            "network_interface_name": "eth0",
        },
    )
    (job.channel("train") / "data.csv").write_bytes(csv(job.train))
    (job.channel("validation") / "data.csv").write_bytes(csv(job.validation))
    return job


@dataclass(frozen=True)
class Result:
    """What a job left behind.

    Attributes:
        code: the exit code; None if it did not end in time.
        failure: the text of output/failure; empty if there is none.
        booster: the model; None if there is none.
        fault: why the model cannot be loaded, if there is one that cannot.
    """

    code: int | None
    logs: str
    failure: str
    booster: xgboost.Booster | None
    fault: str = ""

    def __str__(self) -> str:
        """One line for a report."""
        lines = self.logs.strip().splitlines() or ["nothing"]
        said = self.failure or f"log ends {lines[-1]}"
        return f"exit {self.code}, {said[:300]!r}"


@dataclass(frozen=True)
class Oracle:
    """The same job done by `xgboost.train` itself."""

    booster: xgboost.Booster
    scores: Floats
    history: dict[str, dict[str, list[float]]] = field(default_factory=dict)


def train(trial: Trial, job: Job) -> Result:
    """Run the job to its end."""
    running = trial.subject.run("train", job.base)
    try:
        code = running.wait(JOB_S)
        return collect(job, running, code)
    finally:
        running.close()


def collect(job: Job, running: Running, code: int | None) -> Result:
    """Read what a job left in its folder."""
    failure = job.base / "output" / "failure"
    text = failure.read_text(encoding="utf-8", errors="replace") if failure.exists() else ""
    model = job.base / "model" / MODEL_FILE
    if not model.exists():
        return Result(code, running.logs(), text, None)
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(model.read_bytes()))
    except (xgboost.core.XGBoostError, ValueError) as error:
        return Result(code, running.logs(), text, None, str(error).splitlines()[0])
    return Result(code, running.logs(), text, booster)


def oracle(job: Job, parameters: Mapping[str, Any], rounds: int, **more: Any) -> Oracle:
    """Train on the same rows with typed parameters."""
    data = xgboost.DMatrix(job.train[:, 1:], job.train[:, 0])
    validation = xgboost.DMatrix(job.validation[:, 1:], job.validation[:, 0])
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {**BINARY, **parameters},
        data,
        rounds,
        evals=[(data, "train"), (validation, "validation")],
        evals_result=history,
        verbose_eval=False,
        **more,
    )
    return Oracle(booster, booster.predict(validation), history)


def same_model(trial: Trial, result: Result, wanted: Oracle, job: Job) -> None:
    """The job ended well, and its model predicts what XGBoost's own predicts."""
    ended = result.code == 0 and result.booster is not None
    if not trial.must(ended, f"a model expected: {result} {result.fault}") or not result.booster:
        return
    rows = job.validation[:, 1:]
    if not trial.must(result.booster.num_features() == rows.shape[1], "wrong width of the model"):
        return
    data = xgboost.DMatrix(rows, feature_names=result.booster.feature_names)
    found = result.booster.predict(data)
    distance = float(np.max(np.abs(found - wanted.scores)))
    trial.must(distance <= 1e-2, f"predicts otherwise than XGBoost's own, by {distance:.3g}")
    trial.should(distance == 0, f"is not bit-equal to XGBoost's own, off by {distance:.3g}")
