"""k-fold cross-validation: one model a fold, each measured on rows that it never saw.

The rows of `train` and `validation` are split together, as SageMaker's own image does; that image
measures every fold on all rows. Early stopping looks at the held-out rows, so with it their
metrics are a little too good, as everywhere.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from canarywood.logs import fields
from canarywood.schema.definition import Schema
from canarywood.training import metrics
from canarywood.training.channels import Channels
from canarywood.training.fit import Fitted, fit
from canarywood.training.folds import Folds, Positions
from canarywood.training.hyperparameters import Hyperparameters
from canarywood.training.matrices import plain_matrix
from canarywood.training.rows import Rows, concatenate
from canarywood.training.session import Termination

PREDICTIONS_FILE = "predictions.csv"
FOLDS_FILE = "folds.csv"
OUT_OF_FOLD = "out_of_fold"

log = logging.getLogger(__name__)


@dataclass
class CrossValidated:
    """The models of all folds, and what they said about the rows they had not seen.

    Attributes:
        margins: for each round: (rows,) or (rows, outputs), NaN where a row was never held out.
        fold_of: for each round: (rows,), -1 where a row was never held out.
        metrics: means over the folds, and `out_of_fold-auc`: of all held-out rows together.
    """

    rows: Rows
    models: list[Fitted] = field(default_factory=list)
    margins: list[NDArray[np.float32]] = field(default_factory=list)
    fold_of: list[NDArray[np.int64]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False


def cross_validate(
    found: Channels,
    given: Hyperparameters,
    folds: Folds,
    termination: Termination,
    *,
    checkpoints: Path | None = None,
) -> CrossValidated:
    """Train a model for each fold; write SageMaker's lines.

    After SIGTERM the models of the finished folds are returned, or the one that was under way.
    """
    rows = concatenate(found.train, found.validation) if found.validation else found.train
    rows = rows.by_group()
    objective = given.booster["objective"]
    pairs = folds.split(rows, classes=objective.startswith(("binary:", "multi:")))
    result = CrossValidated(rows)
    for number, (kept, held) in enumerate(pairs):
        log.info(
            "fold",
            extra=fields(fold=number % folds.count + 1, rows=len(kept), held_out=len(held)),
        )
        part = Channels(found.schema, rows.take(kept), rows.take(held))
        folder = checkpoints / f"fold-{number}" if checkpoints else None
        fitted = fit(part, given, termination, checkpoints=folder)
        if termination.requested:
            result.interrupted = True
            result.models = result.models or [fitted]
            break
        result.models.append(fitted)
        _record(result, number, folds.count, held, _margins(fitted, part, found.schema))
        if (number + 1) % folds.count == 0:
            _write_means(result.models[-folds.count :], given)
    if folds.rounds > 1 and not result.interrupted:
        _write_means(result.models, given)
    result.metrics = _means(result.models)
    if not result.interrupted:
        result.metrics |= _together(result, given, found.schema)
        log.info("out of fold", extra=fields(metrics=result.metrics))
    return result


def _margins(fitted: Fitted, part: Channels, schema: Schema) -> NDArray[np.float32]:
    """Margins of the held-out rows."""
    assert part.validation is not None  # noqa: S101 - the held-out rows
    data = plain_matrix(part.validation, schema)
    margins: NDArray[np.float32] = fitted.booster.predict(data, output_margin=True)
    return margins


def _record(
    result: CrossValidated,
    number: int,
    count: int,
    held: Positions,
    margins: NDArray[np.float32],
) -> None:
    if number % count == 0:
        shape = (len(result.rows), *margins.shape[1:])
        result.margins.append(np.full(shape, np.nan, dtype=np.float32))
        result.fold_of.append(np.full(len(result.rows), -1, dtype=np.int64))
    result.margins[-1][held] = margins
    result.fold_of[-1][held] = number % count


def _means(models: Sequence[Fitted]) -> dict[str, float]:
    """The mean of each metric over the models; of those where it is defined in all of them."""
    first, *others = (model.metrics for model in models)
    return {
        name: float(np.mean([value, *(other[name] for other in others)]))
        for name, value in first.items()
        if all(name in other for other in others)
    }


def _write_means(
    models: Sequence[Fitted], given: Hyperparameters, stream: TextIO | None = None
) -> None:
    """SageMaker's line behind each round of folds: `[100]<TAB>train-auc:..<TAB>validation-auc:..`,
    metric by metric.
    """
    means = _means(models)
    names = dict.fromkeys(name.partition("-")[2] for name in means)
    shown = (
        f"\t{data}-{name}:{means[f'{data}-{name}']:.5f}"
        for name in names
        for data in ("train", "validation")
        if f"{data}-{name}" in means
    )
    (stream or sys.stdout).write(f"[{given.num_round}]{''.join(shown)}\n")
    (stream or sys.stdout).flush()


def _together(result: CrossValidated, given: Hyperparameters, schema: Schema) -> dict[str, float]:
    """Every metric of all held-out rows at once, the mean over rounds."""
    rounds = []
    for margins in result.margins:
        there = np.flatnonzero(_is_known(margins))
        booster, data = _speaker(result.rows.take(there), margins[there], given.booster, schema)
        pairs = (item.rpartition(":") for item in booster.eval(data, OUT_OF_FOLD).split("\t")[1:])
        found = {name: float(value) for name, _, value in pairs}
        if given.own_metrics:
            own = metrics.evaluate(given.own_metrics, booster, data, np.asarray)
            found |= {f"{OUT_OF_FOLD}-{name}": value for name, value in own.items()}
        rounds.append(found)
    return {
        name: float(np.mean([scores[name] for scores in rounds]))
        for name in rounds[0]
        if all(np.isfinite(scores[name]) for scores in rounds)
    }


def _speaker(
    rows: Rows, margins: NDArray[np.float32], parameters: Mapping[str, Any], schema: Schema
) -> tuple[xgb.Booster, xgb.DMatrix]:
    """A booster without trees, which says what the margins say: metrics and predictions of
    XGBoost itself.
    """
    told = {**rows.extras, "base_margin": margins}
    data = plain_matrix(dataclasses.replace(rows, extras=told), schema)
    unused = ("monotone_constraints", "interaction_constraints")
    return xgb.Booster({n: v for n, v in parameters.items() if n not in unused}, [data]), data


def _is_known(margins: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a row was ever held out."""
    return np.asarray(np.isfinite(margins.reshape(len(margins), -1)).all(axis=1))


def write_predictions(
    result: CrossValidated, given: Hyperparameters, schema: Schema, folder: Path
) -> None:
    """Write what each row was predicted to be by the models that had not seen it.

    predictions.csv, as SageMaker's own image writes it, without header: the label; for classes the
    probability (of class 1, or of the answer) and the answer; else the prediction. folds.csv: the
    fold in which a row was held out, one column a round, -1 where it never was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rounds = [_scores(result.rows, m, given.booster, schema) for m in result.margins]
    mean = np.asarray(np.mean(rounds, axis=0, dtype=np.float32))
    objective = given.booster["objective"]
    found: list[NDArray[Any]] = [result.rows.labels.reshape(len(result.rows), -1), mean]
    if objective.startswith("multi:"):
        found[1:] = [mean.max(axis=1, keepdims=True), mean.argmax(axis=1, keepdims=True)]
    elif objective.startswith("binary:"):
        found.append(np.asarray(mean > 0.5))
    table = np.hstack(found).astype(np.float32)
    table[np.isnan(mean).any(axis=1), 1:] = np.nan
    with (folder / PREDICTIONS_FILE).open("w", encoding="utf-8") as stream:
        for row in table:
            cells = (np.format_float_positional(value, trim="-") for value in row)
            stream.write(",".join(cells) + "\n")
    np.savetxt(folder / FOLDS_FILE, np.column_stack(result.fold_of), fmt="%d", delimiter=",")


def _scores(
    rows: Rows, margins: NDArray[np.float32], parameters: Mapping[str, Any], schema: Schema
) -> NDArray[np.float32]:
    """Probabilities for classes, else the prediction: (rows, outputs), NaN where not known."""
    there = np.flatnonzero(_is_known(margins))
    likely = {"multi:softmax": "multi:softprob", "binary:logitraw": "binary:logistic"}
    objective = parameters["objective"]
    asked = {**parameters, "objective": likely.get(objective, objective)}
    booster, data = _speaker(rows.take(there), margins[there], asked, schema)
    found = booster.predict(data).reshape(len(there), -1)
    result = np.full((len(rows), found.shape[1]), np.nan, dtype=np.float32)
    result[there] = found
    return result
