"""T-03, T-04: a killed training job goes on from its checkpoints to the same model."""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from conformance.case import case
from conformance.given import MODEL_FILE
from conformance.subject import Needs
from conformance.training import JOB_S, Job, Result, collect, make_job, train
from conformance.trial import Trial

CHECKPOINTS = "AWS, Use checkpoints in SageMaker; Managed spot training"
KEPT = 5
SAMPLED = {"num_round": "90", "subsample": "0.7", "colsample_bytree": "0.7", "seed": "3"}
DART = {"num_round": "50", "booster": "dart", "rate_drop": "0.2", "subsample": "0.8"}
UPLOADING = ".sagemaker-uploading"


def _job(trial: Trial, name: str, parameters: Mapping[str, str]) -> Job:
    job = make_job(trial.folder(name), {"max_depth": "5", "nthread": "1", **parameters}, rows=4000)
    folder = job.base / "checkpoints"
    folder.mkdir()
    is_image = Needs.IMAGE in trial.subject.offers
    place = "/opt/ml/checkpoints" if is_image else str(folder)
    job.config("checkpointconfig", {"LocalPath": place})
    return job


def _digest(job: Job) -> str:
    path = job.base / "model" / MODEL_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "no model"


def _killed(trial: Trial, job: Job, at: int) -> bool:
    """Start the job and kill it once the log shows this round; False where it was quicker."""
    running = trial.subject.run("train", job.base)
    try:
        end = time.monotonic() + JOB_S
        while f"[{at}]" not in running.logs() and time.monotonic() < end:
            if running.wait(0.01) is not None:
                break
        alive = running.wait(0) is None
        running.send(signal.SIGKILL)
        running.wait(10)
        if not alive:
            trial.note(f"ended before round {at}: {collect(job, running, 0)}")
        return alive
    finally:
        running.close()


def _again(trial: Trial, job: Job) -> Result:
    """As the platform starts it again: the checkpoints are there, the model's folder is empty."""
    for folder in (job.base / "model", job.base / "output" / "data"):
        shutil.rmtree(folder)
        folder.mkdir()
    return train(trial, job)


def _files(job: Job) -> list[Path]:
    """The checkpoints, oldest first."""
    found = [path for path in (job.base / "checkpoints").rglob("*")
             if path.is_file() and ".sagemaker-" not in path.name]  # fmt: skip
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def _first_round(result: Result) -> int:
    found = re.search(r"\[(\d+)\]\t?", result.logs)
    return int(found[1]) if found else -1


@case("T-03", source=CHECKPOINTS, needs=Needs.TRAIN)
def resumed(trial: Trial) -> None:
    """A job killed at any of ten rounds goes on, and ends with the same bytes of the model."""
    random = np.random.default_rng(9)
    for name, parameters in (("sampled", SAMPLED), ("dart", DART)):
        whole = _job(trial, f"{name}-whole", parameters)
        result = train(trial, whole)
        if not trial.should(result.code == 0, f"{name}: a model expected: {result}"):
            continue
        wanted = _digest(whole)
        last = int(parameters["num_round"]) - 5
        for at in sorted(int(at) for at in random.choice(np.arange(3, last), 5, replace=False)):
            job = _job(trial, f"{name}-{at}", parameters)
            _killed(trial, job, at)
            kept = len(_files(job))
            result = _again(trial, job)
            found = _digest(job)
            trial.must(result.code == 0, f"{name}, killed at round {at}: {result}")
            trial.must(found == wanted, f"{name}, killed at {at}: {found[:12]}, not {wanted[:12]}")
            begun = _first_round(result)
            trial.should(kept or at < 20, f"{name}: no checkpoint at round {at}")
            # no round at all: the signal came when the last checkpoint held every round
            trial.should(begun != 0 or not kept, f"{name}, killed at {at}: began again at 0")
            trial.note(f"{name} killed at {at}, went on at {begun}: {found[:12]}")


@case("T-04", source=CHECKPOINTS, needs=Needs.TRAIN)
def damaged(trial: Trial) -> None:
    """A cut checkpoint falls back to the one before; none is deleted on its way to S3."""
    whole = _job(trial, "whole", SAMPLED)
    result = train(trial, whole)
    if not trial.should(result.code == 0, f"a model expected: {result}"):
        return
    trial.should(len(_files(whole)) <= KEPT, f"{len(_files(whole))} checkpoints were kept")
    job = _job(trial, "cut", SAMPLED)
    _killed(trial, job, 55)
    files = _files(job)
    if not trial.should(len(files) >= 2, f"{len(files)} checkpoints at round 55"):
        return
    oldest, newest = files[0], files[-1]
    oldest.with_name(oldest.name + UPLOADING).write_bytes(b"")
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    result = _again(trial, job)
    trial.must(result.code == 0, f"with a cut checkpoint: {result}")
    trial.must(_digest(job) == _digest(whole), "another model than the uninterrupted job's")
    trial.must(oldest.exists(), f"{oldest.name} was deleted while it was uploaded")
    trial.should(_first_round(result) > 0, "it began again at round 0")
