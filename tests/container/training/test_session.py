from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from canarywood.training.checkpoints import Checkpoint, CheckpointFolder
from canarywood.training.session import EarlyStopping, RoundLog, Session, Termination, Watch
from tests.container import deprecations

DATA = xgb.DMatrix(np.arange(8.0).reshape(4, 2), label=[0, 1, 0, 1])


def test_a_round_is_a_line_with_tabs_and_five_digits() -> None:
    stream = io.StringIO()

    RoundLog(stream).write(7, {"train": {"auc": 0.7512349, "error": 2}, "validation": {"auc": 1}})

    assert stream.getvalue() == (
        "[7]\ttrain-auc:0.75123\ttrain-error:2.00000\tvalidation-auc:1.00000\n"
    )


def test_metrics_stand_in_the_order_asked_for_and_the_default_before_them() -> None:
    stream = io.StringIO()
    watch = Watch(
        Termination(enabled=False),
        RoundLog(stream),
        order=("b", "auc"),
        measure=lambda _: {"train": {"b": 2.0}},
    )
    session = Session(watch)

    session.after_iteration(xgb.Booster(), 0, {"train": {"logloss": [0.5], "auc": [1.0]}})

    assert stream.getvalue() == "[0]\ttrain-logloss:0.50000\ttrain-b:2.00000\ttrain-auc:1.00000\n"
    assert session.scores(0) == {"train-logloss": 0.5, "train-b": 2.0, "train-auc": 1.0}
    assert session.scores(5) == {}


def test_the_signal_ends_training_after_its_round_and_is_given_back() -> None:
    former = signal.getsignal(signal.SIGTERM)

    class Ask(xgb.callback.TrainingCallback):  # type: ignore[misc]  # no types
        def after_iteration(self, _model: xgb.Booster, epoch: int, _log: object) -> bool:
            if epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return False

    with Termination() as termination:
        session = Session(Watch(termination, RoundLog(io.StringIO())))
        booster = xgb.train({}, DATA, 10, callbacks=[Ask(), session])

    assert termination.requested
    assert booster.num_boosted_rounds() == 3
    assert signal.getsignal(signal.SIGTERM) is former


def test_a_disabled_termination_leaves_the_signal_alone() -> None:
    former = signal.getsignal(signal.SIGTERM)

    with Termination(enabled=False):
        assert signal.getsignal(signal.SIGTERM) is former


def rounds_until_stop(metric: str, values: list[float], rounds: int) -> tuple[int, int | None]:
    """The rounds that were trained, and the best one."""
    early = EarlyStopping(rounds)
    booster = xgb.Booster()
    for number in range(len(values)):
        history = {"validation": {metric: values[: number + 1]}}
        if early.stops(number, history, booster):
            return number + 1, early.best_round
    return len(values), early.best_round


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("auc", [0.5, 0.7, 0.6, 0.7, 0.9], (4, 1)),
        ("f1_macro", [0.5, 0.7, 0.6, 0.6, 0.9], (4, 1)),
        ("logloss", [0.5, 0.7, 0.6, 0.4], (3, 0)),
        ("mape", [0.5, 0.4, 0.3, 0.2], (4, 3)),
        ("mse", [3, 2, 4, 5, 1], (4, 1)),
        ("auc", [float("nan"), 0.5, 0.6, 0.7], (4, 3)),
        ("auc", [float("nan")] * 5, (3, 0)),
    ],
)
def test_early_stopping_knows_which_way_a_metric_is_better(
    metric: str, values: list[float], expected: tuple[int, int]
) -> None:
    assert rounds_until_stop(metric, values, 2) == expected


def test_early_stopping_looks_at_the_metric_it_was_given() -> None:
    early = EarlyStopping(1, metric="auc")
    history = {"validation": {"auc": [0.9, 0.8], "logloss": [0.5, 0.4]}}

    assert not early.stops(0, history, xgb.Booster())
    assert early.stops(1, history, xgb.Booster())


ROWS = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
LABELS = (ROWS[:, 0] + np.random.default_rng(1).normal(size=400) > 0).astype(int)
JOB = {"name": "job"}


def train(
    folder: Path,
    parameters: dict[str, Any],
    *,
    stop_after: int | None = None,
    early: EarlyStopping | None = None,
) -> tuple[xgb.Booster, list[str]]:
    """Train 24 rounds, or go on to 24; a checkpoint every 5; the booster and its lines."""
    given = {
        "objective": "binary:logistic",
        "seed": 3,
        "seed_per_iteration": True,
        "nthread": 1,
        **parameters,
    }
    data = xgb.DMatrix(ROWS[:300], label=LABELS[:300])
    other = xgb.DMatrix(ROWS[300:], label=LABELS[300:])
    store = CheckpointFolder(folder, JOB, interval=5)
    stream = io.StringIO()
    watch = Watch(Termination(enabled=False), RoundLog(stream), early=early, folder=store)
    session = Session(watch, store.newest())

    class Kill(xgb.callback.TrainingCallback):  # type: ignore[misc]  # no types
        def before_iteration(self, _model: xgb.Booster, epoch: int, _log: object) -> bool:
            return stop_after is not None and session.rounds_done + epoch >= stop_after

    booster = xgb.train(
        given,
        data,
        24 - session.rounds_done,
        evals=[(data, "train"), (other, "validation")],
        callbacks=[Kill(), session],
        verbose_eval=False,
    )
    return booster, stream.getvalue().splitlines()


@deprecations.of_boosters
@pytest.mark.parametrize(
    "parameters",
    [
        {"subsample": 0.6},
        {"colsample_bytree": 0.6, "colsample_bylevel": 0.6, "colsample_bynode": 0.6},
        {"booster": "dart", "rate_drop": 0.3, "subsample": 0.6},
        {"num_parallel_tree": 3, "subsample": 0.5, "colsample_bynode": 0.5},
        {"tree_method": "exact", "subsample": 0.5, "colsample_bylevel": 0.5},
        {"tree_method": "approx", "subsample": 0.5},
        {"booster": "gblinear", "updater": "coord_descent", "feature_selector": "shuffle"},
        {"objective": "multi:softprob", "num_class": 2, "subsample": 0.5},
    ],
)
@pytest.mark.parametrize("stop_after", [5, 8, 23])
def test_a_job_that_goes_on_gives_the_bytes_of_one_that_was_never_stopped(
    tmp_path: Path, parameters: dict[str, Any], stop_after: int
) -> None:
    whole, lines = train(tmp_path / "whole", parameters)

    _, first = train(tmp_path / "cut", parameters, stop_after=stop_after)
    rest, second = train(tmp_path / "cut", parameters)

    assert rest.save_raw("ubj") == whole.save_raw("ubj")
    resumed = stop_after // 5 * 5
    assert first[:resumed] + second == lines


@deprecations.of_boosters
@pytest.mark.parametrize("booster", ["gbtree", "dart"])
@pytest.mark.parametrize("stop_after", [6, 11])
def test_early_stopping_goes_on_where_it_was(tmp_path: Path, booster: str, stop_after: int) -> None:
    parameters = {"eta": 1.0, "booster": booster, "subsample": 0.7}

    def early() -> EarlyStopping:
        return EarlyStopping(9, can_cut=booster == "gbtree")

    whole, lines = train(tmp_path / "whole", parameters, early=early())
    train(tmp_path / "cut", parameters, stop_after=stop_after, early=early())
    rest, _ = train(tmp_path / "cut", parameters, early=early())

    assert len(lines) < 24
    assert whole.attr("best_iteration") == str(whole.num_boosted_rounds() - 1)
    assert rest.save_raw("ubj") == whole.save_raw("ubj")


def test_a_job_that_had_ended_trains_no_further_round(tmp_path: Path) -> None:
    store = CheckpointFolder(tmp_path, JOB, interval=5)
    whole, _ = train(tmp_path, {})
    store.write(Checkpoint(24, JOB, bytes(whole.save_raw("ubj"))))

    again, lines = train(tmp_path, {})

    assert lines == []
    assert again.save_raw("ubj") == whole.save_raw("ubj")


def test_parameters_that_the_users_train_changed_hold_behind_a_checkpoint(tmp_path: Path) -> None:
    """The booster is asked for its parameters, not the hyperparameters of the job."""
    store = CheckpointFolder(tmp_path, JOB, interval=2)
    session = Session(Watch(Termination(enabled=False), RoundLog(io.StringIO()), folder=store))
    data = xgb.DMatrix(ROWS, label=LABELS)

    booster = xgb.train({"max_depth": 1}, data, 6, callbacks=[session])

    depth_one = [text.count("leaf=") for text in booster.get_dump()]
    assert depth_one == [2] * 6
