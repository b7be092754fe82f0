"""How the model is trained. Yours to change; the default is XGBoost's own training loop.

Reading, checking, logging, early stopping, checkpoints and saving are done around it. What
`callbacks` holds does the most of it, so hand it on.
"""

from __future__ import annotations

from typing import Any

import xgboost as xgb


def train(
    train: xgb.DMatrix,
    validation: xgb.DMatrix | None,
    parameters: dict[str, Any],
    num_round: int,
    callbacks: list[xgb.callback.TrainingCallback],
) -> xgb.Booster:
    """Train a booster.

    Args:
        train: the rows to learn from, with labels, weights and feature names.
        validation: rows to measure on after each round, or None.
        parameters: of XGBoost, checked.
        num_round: boosting rounds at most; fewer where the job goes on from a checkpoint.
        callbacks: ours; they write the metric lines, keep checkpoints and stop in time.
    """
    evals = [(train, "train")]
    if validation is not None:
        evals.append((validation, "validation"))
    return xgb.train(
        parameters, train, num_round, evals=evals, callbacks=callbacks, verbose_eval=False
    )
