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
from canarywood import logs
from canarywood.artifact import MODEL_FILE, SCHEMA_FILE, Manifest
from canarywood.contract import Layout
from canarywood.errors import UserError
from canarywood.logs import fields
from canarywood.schema.definition import Schema
from canarywood.training import channels, hyperparameters
from canarywood.training.channels import Rows
from canarywood.training.fit import Fitted, fit
from canarywood.training.hyperparameters import Hyperparameters
from canarywood.training.phrases import last_words
from canarywood.training.session import Termination

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
        checkpoints = layout.checkpoints()
        fitted = fit(found, given, termination, checkpoints=checkpoints)
        manifest = _manifest(fitted, found.schema, given, checkpoints is not None)
        _save(layout, fitted.booster, found.schema, manifest)
    log.info(
        "model written",
        extra=fields(
            rounds=manifest.rounds,
            best_iteration=manifest.best_iteration,
            resumed_after=fitted.resumed,
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


def _manifest(
    fitted: Fitted, schema: Schema, given: Hyperparameters, has_checkpoints: bool
) -> Manifest:
    """What the model is, and what made it."""
    learner = json.loads(fitted.booster.save_config())["learner"]
    settings: dict[str, Any] = {
        "num_round": given.num_round,
        "early_stopping_rounds": given.early_stopping_rounds,
    }
    if given.metrics:
        settings["eval_metric"] = list(given.metrics)
    if has_checkpoints:
        settings["checkpoint_interval"] = given.checkpoint_interval
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        canarywood=canarywood.__version__,
        xgboost=xgb.__version__,
        python=platform.python_version(),
        objective=learner["learner_train_param"]["objective"],
        rounds=fitted.rounds,
        features=fitted.booster.num_features(),
        outputs=_outputs(fitted.booster, schema),
        best_iteration=fitted.best_iteration,
        hyperparameters={**given.booster, **settings},
        metrics=dict(fitted.metrics),
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
