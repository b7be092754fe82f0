"""One booster: from rows and hyperparameters through the user's `train` to a fitted model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xgboost as xgb

from canarywood import steps
from canarywood.cpus import available_cpus
from canarywood.errors import AlgorithmError, DataError, HyperparameterError, UserError
from canarywood.training import constraints, matrices, metrics
from canarywood.training.channels import Channels
from canarywood.training.checkpoints import Checkpoint, CheckpointFolder
from canarywood.training.hosts import ALONE, Hosts
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
    hosts: Hosts = ALONE,
) -> Fitted:
    """Train one booster.

    Args:
        checkpoints: folder to keep checkpoints in, and to go on from.
        hosts: that train it together.

    Raises:
        UserError: hyperparameters, data, the user's train or a checkpoint are at fault.
        AlgorithmError: XGBoost failed for a reason that we do not know.
    """
    parameters = constraints.resolve(given.booster, found.schema.features)
    threads = parameters.get("n_jobs") or parameters.setdefault("nthread", available_cpus())
    folder = None
    if checkpoints is not None:
        parameters["seed_per_iteration"] = True  # a round's draws depend on its number alone
        job = _job(found, given, parameters) | {"hosts": hosts.count}
        folder = CheckpointFolder(checkpoints, job, given.checkpoint_interval, hosts.rank)
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
            measure=_Measure(given.own_metrics, matrix, validation, hosts.summed)
            if given.own_metrics
            else None,
            early=early,
            folder=folder,
            hosts=hosts,
        )
        session = Session(watch, _start(folder, given.num_round, hosts))
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
    total: metrics.Total

    def __call__(self, booster: xgb.Booster) -> dict[str, dict[str, float]]:
        result = {"train": metrics.evaluate(self.names, booster, self.train, self.total)}
        if self.validation is not None:
            result["validation"] = metrics.evaluate(
                self.names, booster, self.validation, self.total
            )
        return result


def _start(folder: CheckpointFolder | None, num_round: int, hosts: Hosts) -> Checkpoint | None:
    """The checkpoint to go on from: the newest that every host has."""
    if folder is None:
        return None
    found = folder.newest(at_most=num_round)
    while True:
        rounds = hosts.gathered(found.rounds if found else 0)
        if min(rounds) == max(rounds):
            return found
        found = folder.newest(at_most=min(rounds)) if min(rounds) else None


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
