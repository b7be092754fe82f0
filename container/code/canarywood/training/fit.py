"""One booster: from rows and hyperparameters through the user's `train` to a fitted model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from canarywood import steps
from canarywood.cpus import available_cpus
from canarywood.errors import AlgorithmError, DataError, HyperparameterError, UserError
from canarywood.training import constraints, matrices, metrics
from canarywood.training.channels import Channels
from canarywood.training.checkpoints import CheckpointFolder
from canarywood.training.hyperparameters import Hyperparameters
from canarywood.training.phrases import data_fault, last_words
from canarywood.training.session import RoundLog, Session, Termination, Watch, early_stopping

# Hyperparameters that a job may change and still go on from its checkpoint.
_FREE = ("nthread", "n_jobs", "verbosity", "device", "validate_parameters")


@dataclass(frozen=True)
class Fitted:
    """A booster, and how it came about.

    Attributes:
        metrics: of the model that is kept, `validation-auc` -> 0.67.
        resumed: rounds of the checkpoint that training went on from; 0 for none.
    """

    booster: xgb.Booster
    metrics: Mapping[str, float]
    best_iteration: int | None
    resumed: int = 0

    @property
    def rounds(self) -> int:
        """Boosting rounds in the booster."""
        return int(self.booster.num_boosted_rounds())


def fit(
    found: Channels,
    given: Hyperparameters,
    termination: Termination,
    *,
    checkpoints: Path | None = None,
) -> Fitted:
    """Train one booster.

    Args:
        checkpoints: folder to keep checkpoints in, and to go on from.

    Raises:
        UserError: hyperparameters, data, the user's train or a checkpoint are at fault.
        AlgorithmError: XGBoost failed for a reason that we do not know.
    """
    parameters = constraints.resolve(given.booster, found.schema.features)
    threads = parameters.get("n_jobs") or parameters.setdefault("nthread", available_cpus())
    folder = None
    if checkpoints is not None:
        parameters["seed_per_iteration"] = True  # a round's draws depend on its number alone
        job = _job(found, given, parameters)
        folder = CheckpointFolder(checkpoints, job, given.checkpoint_interval)
    early = None
    if given.early_stopping_rounds:
        _check_early_stopping(found, given)
        early = early_stopping(given.early_stopping_rounds, parameters, given.stopping_metric)
    train = steps.load("train", "train")
    try:
        matrix, validation = matrices.build(found, parameters, threads)
        watch = Watch(
            termination,
            RoundLog(),
            order=given.metrics,
            measure=_Measure(given.own_metrics, matrix, validation) if given.own_metrics else None,
            early=early,
            folder=folder,
        )
        session = Session(watch, folder.newest(at_most=given.num_round) if folder else None)
        left = given.num_round - session.rounds_done
        booster = train(matrix, validation, parameters, left, [session])
    except xgb.core.XGBoostError as error:
        fault = data_fault(str(error))
        if fault:
            raise DataError(fault) from error
        raise AlgorithmError(f"XGBoost: {last_words(str(error))}") from error
    _check_booster(booster, termination)
    best = booster.attr("best_iteration")
    last = booster.num_boosted_rounds() - 1 if best is None else int(best)
    return Fitted(
        booster,
        session.scores(last),
        None if best is None else int(best),
        session.rounds_done,
    )


@dataclass(frozen=True)
class _Measure:
    """The metrics that XGBoost does not have, on both matrices."""

    names: tuple[str, ...]
    train: xgb.DMatrix
    validation: xgb.DMatrix | None

    def __call__(self, booster: xgb.Booster) -> dict[str, dict[str, float]]:
        result = {"train": metrics.evaluate(self.names, booster, self.train, _total)}
        if self.validation is not None:
            result["validation"] = metrics.evaluate(self.names, booster, self.validation, _total)
        return result


def _total(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over all hosts."""
    summed = xgb.collective.allreduce(values, xgb.collective.Op.SUM)
    return np.asarray(summed).reshape(values.shape)


def _job(found: Channels, given: Hyperparameters, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What two jobs must share so that one can go on from the other's checkpoint."""
    return {
        **{name: value for name, value in parameters.items() if name not in _FREE},
        "early_stopping_rounds": given.early_stopping_rounds,
        "eval_metric": list(given.metrics),
        "checkpoint_interval": given.checkpoint_interval,
        "features": list(found.schema.features),
        "train data": found.train.digest(),
        "validation data": found.validation.digest() if found.validation else None,
        "xgboost version": xgb.__version__,
    }


def _check_early_stopping(found: Channels, given: Hyperparameters) -> None:
    if found.validation is None:
        raise HyperparameterError(
            "early_stopping_rounds needs a channel validation to measure on; add one"
        )
    if given.booster.get("disable_default_eval_metric") and not given.metrics:
        raise HyperparameterError(
            "early_stopping_rounds needs a metric; give eval_metric, as in auc, or leave out "
            "disable_default_eval_metric"
        )


def _check_booster(booster: Any, termination: Termination) -> None:
    if not isinstance(booster, xgb.Booster):
        raise steps.StepError(
            f"model/train.py: train(...) must return an xgboost.Booster, not {booster!r:.60}"
        )
    if termination.requested and booster.num_boosted_rounds() == 0:
        raise UserError("the job was stopped before its first round ended; there is no model")
