"""`train`: from the channels and hyperparameters of a training job to a model artifact."""

from __future__ import annotations

import json
import logging
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xgboost as xgb

import canarywood
from canarywood import logs, steps
from canarywood.artifact import MODEL_FILE, SCHEMA_FILE, Manifest
from canarywood.contract import Layout
from canarywood.cpus import available_cpus
from canarywood.errors import AlgorithmError, DataError, HyperparameterError, UserError
from canarywood.logs import fields
from canarywood.schema.definition import Schema
from canarywood.training import channels, constraints, hyperparameters, matrices
from canarywood.training.channels import Channels, Rows
from canarywood.training.hyperparameters import Hyperparameters
from canarywood.training.phrases import data_fault, last_words
from canarywood.training.session import RoundLog, Termination, early_stopping

log = logging.getLogger(__name__)


def run(layout: Layout) -> int:
    """Read, check, train, save; returns the exit code.

    Raises:
        UserError: hyperparameters or data are at fault.
        AlgorithmError: XGBoost failed for a reason that we do not know.
    """
    logs.configure(logging.INFO)
    _check_hosts(layout)
    schema = channels.read_schema(layout)
    given = hyperparameters.check(layout.hyperparameters(), schema.target if schema else None)
    for note in given.notes:
        log.warning("hyperparameter", extra=fields(note=note))
    with Termination(enabled=given.save_model_on_termination) as termination, _warnings_logged():
        found = channels.read(layout, given, schema)
        _log_read("train", found.train)
        if found.validation:
            _log_read("validation", found.validation)
        rounds = RoundLog()
        booster = _train(found, given, rounds, termination)
        _check_booster(booster, termination)
        manifest = _manifest(booster, found.schema, given, rounds)
        _save(layout, booster, found.schema, manifest)
    log.info(
        "model written",
        extra=fields(
            rounds=manifest.rounds,
            best_iteration=manifest.best_iteration,
            stopped_by_signal=termination.requested,
            metrics=manifest.metrics,
            bytes=(layout.model / MODEL_FILE).stat().st_size,
        ),
    )
    return 0


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """XGBoost's warnings as events; Python's own form spreads them over three lines."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        log.warning("xgboost", extra=fields(warning=last_words(str(message))))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _check_hosts(layout: Layout) -> None:
    hosts = layout.resource_config().get("hosts", [])
    if len(hosts) > 1:
        raise UserError(
            f"training on {len(hosts)} hosts is not supported yet; set the instance count to 1"
        )


def _log_read(channel: str, rows: Rows) -> None:
    log.info(
        "channel read",
        extra=fields(
            channel=channel,
            rows=rows.features.shape[0],
            columns=rows.features.shape[1],
            content_type=rows.content_type,
            weighted=rows.weights is not None,
        ),
    )


def _train(
    found: Channels, given: Hyperparameters, rounds: RoundLog, termination: Termination
) -> Any:
    """Call the user's train; errors of XGBoost become ours."""
    parameters = constraints.resolve(given.booster, found.schema.features)
    threads = parameters.get("n_jobs") or parameters.setdefault("nthread", available_cpus())
    callbacks: list[Any] = [rounds]
    if given.early_stopping_rounds:
        _check_early_stopping(found, parameters)
        callbacks += early_stopping(given.early_stopping_rounds, parameters)
    train = steps.load("train", "train")
    try:
        matrix, validation = matrices.build(found, parameters, threads)
        return train(matrix, validation, parameters, given.num_round, [*callbacks, termination])
    except xgb.core.XGBoostError as error:
        fault = data_fault(str(error))
        if fault:
            raise DataError(fault) from error
        raise AlgorithmError(f"XGBoost: {last_words(str(error))}") from error


def _check_early_stopping(found: Channels, parameters: dict[str, Any]) -> None:
    if found.validation is None:
        raise HyperparameterError(
            "early_stopping_rounds needs a channel validation to measure on; add one"
        )
    if parameters.get("disable_default_eval_metric") and not parameters.get("eval_metric"):
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


def _manifest(
    booster: xgb.Booster, schema: Schema, given: Hyperparameters, rounds: RoundLog
) -> Manifest:
    """What the model is, and what made it."""
    best = booster.attr("best_iteration")
    kept = booster.num_boosted_rounds()
    learner = json.loads(booster.save_config())["learner"]
    settings = {"num_round": given.num_round, "early_stopping_rounds": given.early_stopping_rounds}
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        canarywood=canarywood.__version__,
        xgboost=xgb.__version__,
        python=platform.python_version(),
        objective=learner["learner_train_param"]["objective"],
        rounds=kept,
        features=booster.num_features(),
        outputs=_outputs(booster, schema),
        best_iteration=None if best is None else int(best),
        hyperparameters={**given.booster, **settings},
        metrics=rounds.scores(kept - 1 if best is None else int(best)),
    )


def _outputs(booster: xgb.Booster, schema: Schema) -> int:
    """Numbers that a row is answered with."""
    row = xgb.DMatrix(
        np.full((1, len(schema.features)), np.nan, dtype=np.float32),
        feature_names=list(schema.features),
        feature_types=schema.feature_types,
        enable_categorical=True,
    )
    return int(booster.predict(row).size)


def _save(layout: Layout, booster: xgb.Booster, schema: Schema, manifest: Manifest) -> None:
    layout.model.mkdir(parents=True, exist_ok=True)
    (layout.model / MODEL_FILE).write_bytes(booster.save_raw("ubj"))
    schema.write(layout.model / SCHEMA_FILE)
    manifest.write(layout.model)
