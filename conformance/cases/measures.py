"""T-01, T-02: metrics and cross-validation that tell the truth."""

from __future__ import annotations

import re

import numpy as np
import xgboost
from numpy.typing import NDArray

from conformance.bodies import csv
from conformance.case import case
from conformance.given import MODEL_FILE, Floats
from conformance.subject import Needs
from conformance.training import Job, make_job, oracle, train
from conformance.trial import Trial

METRICS = "AWS, Tune an XGBoost model: metrics computed by the algorithm; scikit-learn's formulas"
FOLDS = "AWS, XGBoost hyperparameters: _kfold (framework's container)"
ROUNDS = 8
PRINTED = 6e-6  # five digits behind the point
KFOLD = 5
LOW, HIGH = 0.40, 0.60  # four sigma around 0.5 for the AUC of 600 rows of noise

Numbers = NDArray[np.float64]


def _by_hand(truth: Floats, answers: Floats) -> dict[str, float]:
    """The formulas of scikit-learn, at the threshold 0.5."""
    hits = [float(np.sum((truth == c) & (answers == c))) for c in (0, 1)]
    there = [float(np.sum(truth == c)) for c in (0, 1)]
    said = [float(np.sum(answers == c)) for c in (0, 1)]
    recall = [hits[c] / there[c] for c in (0, 1)]
    f1 = [2 * hits[c] / (there[c] + said[c]) for c in (0, 1)]
    accuracy = sum(hits) / len(truth)
    return {
        "accuracy": accuracy,
        "error": 1 - accuracy,
        "precision": hits[1] / said[1],
        "recall": recall[1],
        "balanced_accuracy": sum(recall) / 2,
        "f1": sum(f1) / 2,  # the algorithm's documentation: the macro average
    }


@case("T-01", source=METRICS, needs=Needs.TRAIN)
def metrics(trial: Trial) -> None:
    """error, accuracy, f1, precision, recall, balanced_accuracy are those of scikit-learn."""
    names = ["error", "accuracy", "f1", "precision", "recall", "balanced_accuracy"]
    for name in names:
        job = make_job(trial.folder(name), {"num_round": str(ROUNDS), "eval_metric": name})
        for channel, table in (("train", job.train), ("validation", job.validation)):
            table[:, 0] = (table[:, 1] - table[:, 2] > 1.2).astype(np.float32)  # one of five
            table[::9, 0] = 1 - table[::9, 0]
            (job.channel(channel) / "data.csv").write_bytes(csv(table))
        result = train(trial, job)
        if not trial.should(result.code == 0, f"{name}: a model expected: {result}"):
            continue
        booster = oracle(job, {}, ROUNDS).booster
        for channel, table in (("train", job.train), ("validation", job.validation)):
            answers = (booster.predict(xgboost.DMatrix(table[:, 1:])) > 0.5).astype(np.float32)
            wanted = _by_hand(table[:, 0], answers)[name]
            found = re.findall(rf"\[{ROUNDS - 1}\].*\b{channel}-{name}:(\S+)", result.logs)
            if trial.should(found, f"{channel}-{name} is not in the log"):
                same = abs(float(found[-1]) - wanted) <= PRINTED
                trial.must(same, f"{channel}-{name} is {found[-1]}, by hand {wanted:.6f}")


def auc(truth: Floats, scores: Floats) -> float:
    """The share of pairs in the right order, ties counting half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[place]
    positive = truth > 0.5
    n = float(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))


def _noise_job(trial: Trial) -> Job:
    sent = {"num_round": "30", "_kfold": str(KFOLD), "eval_metric": "auc", "eta": "0.3"}
    job = make_job(trial.folder("job"), sent, rows=600)
    job.train[:, 0] = np.random.default_rng(77).permutation(np.arange(600) % 2)
    (job.channel("train") / "data.csv").write_bytes(csv(job.train))
    (job.channel("validation") / "data.csv").unlink()
    job.channel("validation").rmdir()
    job.content_type("text/csv", ("train",))
    return job


@case("T-02", source=FOLDS, needs=Needs.TRAIN)
def noise(trial: Trial) -> None:
    """Cross-validation of labels that are noise finds an AUC near 0.5, that of unseen rows."""
    job = _noise_job(trial)
    result = train(trial, job)
    if not trial.should(result.code == 0, f"a good end expected: {result}"):
        return
    told = [float(text) for text in re.findall(r"validation-auc:(\S+)", result.logs)]
    if not trial.should(told, f"validation-auc is not in the log: {result}"):
        return
    trial.must(LOW <= told[-1] <= HIGH, f"an AUC of {told[-1]} for labels that are noise")
    scores = _held_out(trial, job)
    if scores is None:
        return
    every = auc(job.train[:, 0], scores)
    trial.must(LOW <= every <= HIGH, f"predictions.csv holds an AUC of {every:.4f} for noise")
    folds = _folds(job, scores)
    if not trial.should(folds is not None, "predictions.csv is not of the models kept"):
        return
    assert folds is not None  # noqa: S101 - for mypy
    found = [auc(job.train[folds == f, 0], scores[folds == f]) for f in range(KFOLD)]
    mean = float(np.mean(found))
    trial.must(abs(mean - told[-1]) <= 1e-5 + PRINTED, f"{told[-1]} told, {mean:.6f} by hand")


def _held_out(trial: Trial, job: Job) -> Floats | None:
    """The second column of predictions.csv, where its first is the truth."""
    path = job.base / "output" / "data" / "predictions.csv"
    if not trial.should(path.exists(), "no output/data/predictions.csv"):
        return None
    table = np.genfromtxt(path, delimiter=",", dtype=np.float32)
    right = table.ndim == 2 and len(table) == len(job.train)
    if not trial.should(right, f"600 rows expected in predictions.csv, shape {table.shape}"):
        return None
    same = np.array_equal(table[:, 0], job.train[:, 0])
    if not trial.should(same, "the first column of predictions.csv is not the label"):
        return None
    found: Floats = table[:, 1]
    return found


def _folds(job: Job, scores: Floats) -> NDArray[np.int64] | None:
    """The model that predicted each row, by what the kept models say of it."""
    said = []
    data = xgboost.DMatrix(job.train[:, 1:])
    for fold in range(KFOLD):
        path = job.base / "model" / f"{MODEL_FILE}-{fold}"
        if not path.exists():
            return None
        booster = xgboost.Booster()
        booster.load_model(bytearray(path.read_bytes()))
        booster.feature_names = None
        said.append(booster.predict(data))
    distance = np.abs(np.stack(said) - scores)
    if float(distance.min(axis=0).max()) > 1e-6:
        return None
    return np.asarray(distance.argmin(axis=0))
