from __future__ import annotations

import io
import os
import signal

import numpy as np
import xgboost as xgb

from canarywood.training.session import RoundLog, Termination


def test_a_round_is_a_line_with_tabs_and_five_digits() -> None:
    stream = io.StringIO()
    log = RoundLog(stream)

    log.after_iteration(xgb.Booster(), 7, {"train": {"auc": [0.5, 0.7512349], "error": [1, 2]}})

    assert stream.getvalue() == "[7]\ttrain-auc:0.75123\ttrain-error:2.00000\n"
    assert log.scores(0) == {"train-auc": 0.5, "train-error": 1.0}
    assert log.scores(5) == {}


def test_the_signal_ends_training_after_its_round_and_is_given_back() -> None:
    former = signal.getsignal(signal.SIGTERM)
    data = xgb.DMatrix(np.arange(8.0).reshape(4, 2), label=[0, 1, 0, 1])

    class Ask(xgb.callback.TrainingCallback):  # type: ignore[misc]  # no types
        def after_iteration(self, _model: xgb.Booster, epoch: int, _log: object) -> bool:
            if epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return False

    with Termination() as termination:
        booster = xgb.train({}, data, 10, callbacks=[Ask(), termination])

    assert termination.requested
    assert booster.num_boosted_rounds() == 3
    assert signal.getsignal(signal.SIGTERM) is former


def test_a_disabled_termination_leaves_the_signal_alone() -> None:
    former = signal.getsignal(signal.SIGTERM)

    with Termination(enabled=False):
        assert signal.getsignal(signal.SIGTERM) is former
