"""`train`: from the channels and hyperparameters of a training job to a model artifact."""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xgboost as xgb

import canarywood
from canarywood import logs
from canarywood.artifact import MODEL_FILE, SCHEMA_FILE, Manifest
from canarywood.contract import Layout
from canarywood.errors import PlatformError, UserError
from canarywood.logs import fields
from canarywood.schema.definition import Schema
from canarywood.training import channels, hyperparameters, script
from canarywood.training.channels import Channels
from canarywood.training.cross_validation import cross_validate, write_predictions
from canarywood.training.fit import Fitted, fit
from canarywood.training.folds import Folds
from canarywood.training.hosts import Hosts, together
from canarywood.training.hyperparameters import Hyperparameters
from canarywood.training.phrases import last_words
from canarywood.training.rows import Rows
from canarywood.training.session import Termination
from canarywood.training.sources import Sources

log = logging.getLogger(__name__)


def run(layout: Layout) -> int:
    """Read, check, train, save; or run the script that the job brings. Returns the exit code.

    Raises:
        UserError: hyperparameters or data are at fault.
        AlgorithmError: XGBoost failed for a reason that we do not know.
        PlatformError: a host is not found, the model cannot be written.
    """
    logs.configure(logging.INFO)
    if users_script := script.find(layout):
        return script.run(layout, users_script)
    schema = channels.read_schema(layout)
    given = hyperparameters.check(layout.hyperparameters(), schema.target if schema else None)
    for note in given.notes:
        log.warning("hyperparameter", extra=fields(note=note))
    with Termination(enabled=given.save_model_on_termination) as termination, _warnings_logged():
        with (
            Sources(layout) as sources,
            together(layout.resource_config(), lambda: channels.has_rows(sources)) as hosts,
        ):
            if hosts is None:
                log.info("no rows", extra=fields(note="this host has no rows; the others train"))
                return 0
            if given.folds and hosts.count > 1:
                raise UserError("_kfold runs on one host; set the instance count to 1")
            found = channels.read(sources, given, schema, hosts)
            made = _train(layout, found, given, termination, hosts)
        if hosts.is_first:
            _save(layout, made, _manifest(made, found.schema, given, layout), found.schema)
    log.info(
        "model written" if hosts.is_first else "model left to the first host",
        extra=fields(
            rounds=made.first.rounds,
            best_iteration=made.best_iteration,
            resumed_after=made.first.resumed,
            stopped_by_signal=termination.requested,
            metrics=made.metrics,
        ),
    )
    return 0


def _train(
    layout: Layout,
    found: Channels,
    given: Hyperparameters,
    termination: Termination,
    hosts: Hosts,
) -> _Made:
    """One model, or one for each fold."""
    _log_read("train", found.train)
    if found.validation:
        _log_read("validation", found.validation)
    if given.folds:
        return _train_folds(layout, found, given, given.folds, termination)
    fitted = fit(found, given, termination, checkpoints=layout.checkpoints(), hosts=hosts)
    return _Made({MODEL_FILE: fitted}, fitted.metrics)


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """XGBoost's warnings as events; Python's own form spreads them over three lines."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        log.warning("xgboost", extra=fields(warning=last_words(str(message))))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


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


@dataclass(frozen=True)
class _Made:
    """The models of a job by file name, and what to say of them together."""

    models: Mapping[str, Fitted]
    metrics: Mapping[str, float]

    @property
    def first(self) -> Fitted:
        """The only model, or that of the first fold."""
        return next(iter(self.models.values()))

    @property
    def best_iteration(self) -> int | None:
        """The best round, where there is one model and it was looked for."""
        return self.first.best_iteration if len(self.models) == 1 else None


def _train_folds(
    layout: Layout, found: Channels, given: Hyperparameters, folds: Folds, termination: Termination
) -> _Made:
    """One model a fold, all at the root, where AWS's own image looks for an ensemble too."""
    result = cross_validate(found, given, folds, termination, checkpoints=layout.checkpoints())
    if not result.interrupted:
        write_predictions(result, given, found.schema, layout.output_data)
    models = {f"{MODEL_FILE}-{number}": model for number, model in enumerate(result.models)}
    return _Made(models, result.metrics)


def _manifest(made: _Made, schema: Schema, given: Hyperparameters, layout: Layout) -> Manifest:
    """What the model is, and what made it."""
    first = made.first
    learner = json.loads(first.booster.save_config())["learner"]
    settings: dict[str, Any] = {
        "num_round": given.num_round,
        "early_stopping_rounds": given.early_stopping_rounds,
    }
    if given.metrics:
        settings["eval_metric"] = list(given.metrics)
    if layout.checkpoints() is not None:
        settings["checkpoint_interval"] = given.checkpoint_interval
    if given.folds:
        settings["folds"] = dataclasses.asdict(given.folds)
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        canarywood=canarywood.__version__,
        xgboost=xgb.__version__,
        python=platform.python_version(),
        objective=learner["learner_train_param"]["objective"],
        rounds=max(model.rounds for model in made.models.values()),
        features=first.booster.num_features(),
        outputs=_outputs(first.booster, schema),
        best_iteration=made.best_iteration,
        models=tuple(made.models),
        hyperparameters={**given.booster, **settings},
        metrics=dict(made.metrics),
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


def _save(layout: Layout, made: _Made, manifest: Manifest, schema: Schema) -> None:
    try:
        layout.model.mkdir(parents=True, exist_ok=True)
        for name, fitted in made.models.items():
            (layout.model / name).write_bytes(fitted.booster.save_raw("ubj"))
        schema.write(layout.model / SCHEMA_FILE)
        manifest.write(layout.model)
    except OSError as error:
        raise PlatformError(f"the model cannot be written: {error}") from error
