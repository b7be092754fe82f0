"""D-20, D-23.folds: archives that hold more than one file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xgboost

from conformance.bodies import csv
from conformance.case import case
from conformance.given import MODEL_FILE, Floats
from conformance.subject import Needs, Start, SubjectError
from conformance.trial import Trial, is_close

FOLDS = 5
ROUNDS = 15


@case("D-20", needs=Needs.START, source="AWS, Deploy models: the archive may hold other files")
def other_files(trial: Trial) -> None:
    """Files beside the model are not taken for models: metrics, a preprocessor, a report."""
    given = trial.given
    folder = given.write(trial.folder("model") / "files")
    (folder / "metrics.json").write_text(json.dumps({"auc": 0.9}), encoding="utf-8")
    (folder / "preprocessor.joblib").write_bytes(b"\x80\x04K\x01.")
    (folder / "report.html").write_text("<p>good</p>", encoding="utf-8")
    (folder / "code").mkdir()
    (folder / "code" / "requirements.txt").write_text("\n", encoding="utf-8")
    with trial.started(Start(folder)) as server:
        answer = trial.post(csv(given.rows), server=server)
        trial.answers(answer, given.predict(given.rows))


def _fold_models(folder: Path, objective: str) -> tuple[list[xgboost.Booster], Floats]:
    """Models of five folds in one folder, and rows that none of them has seen."""
    random = np.random.default_rng(41)
    data = random.standard_normal((500, 4), dtype=np.float32)
    noise = random.standard_normal(500, dtype=np.float32)
    label = np.digitize(data[:, 0] + 0.8 * noise, (-0.5, 0.5)).astype(np.float32)
    if objective.startswith("binary:"):
        label = (label > 0).astype(np.float32)
    parameters = {"objective": objective, "max_depth": 3}
    if objective.startswith("multi:"):
        parameters["num_class"] = 3
    folder.mkdir(parents=True)
    boosters = []
    for fold in range(FOLDS):
        kept = np.arange(500) % FOLDS != fold
        matrix = xgboost.DMatrix(data[kept], label[kept])
        boosters.append(xgboost.train(parameters, matrix, ROUNDS))
        (folder / f"{MODEL_FILE}-{fold}").write_bytes(boosters[-1].save_raw("ubj"))
    return boosters, random.standard_normal((200, 4), dtype=np.float32)


def _predictions(boosters: list[xgboost.Booster], rows: Floats) -> Floats:
    return np.stack([booster.predict(xgboost.DMatrix(rows)) for booster in boosters])


@case(
    "D-23.folds",
    needs=Needs.START,
    source="AWS, XGBoost container: k-fold models and SAGEMAKER_INFERENCE_ENSEMBLE",
)
def ensemble(trial: Trial) -> None:
    """Five fold models answer with their mean, of classes with their vote; by switch the first."""
    try:
        _ensembles(trial)
    except SubjectError as error:  # the archive holds no file of the one usual name
        trial.should(False, str(error))


def _ensembles(trial: Trial) -> None:
    folder = trial.folder("mean") / "files"
    boosters, rows = _fold_models(folder, "binary:logistic")
    single = _predictions(boosters, rows)
    mean = single.mean(axis=0, dtype=np.float64).astype(np.float32)
    with trial.started(Start(folder)) as server:
        answer = trial.post(csv(rows), server=server)
        if answer.status == 200 and is_close(answer, single[0]):
            trial.should(False, "only the first of five models answers")
        else:
            trial.answers(answer, mean, optional=True)
    first = {"SAGEMAKER_INFERENCE_ENSEMBLE": "false"}
    with trial.started(Start(folder, first)) as server:
        answer = trial.post(csv(rows), server=server)
        trial.answers(answer, single[0], optional=True)
    folder = trial.folder("vote") / "files"
    boosters, rows = _fold_models(folder, "multi:softmax")
    votes = _predictions(boosters, rows).astype(int)
    winners = [int(np.bincount(row, minlength=3).argmax()) for row in votes.T]
    with trial.started(Start(folder)) as server:
        answer = trial.post(csv(rows), server=server)
        trial.answers(answer, np.asarray(winners, dtype=np.float32), optional=True)
