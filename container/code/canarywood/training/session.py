"""What happens during training: a line for each round, early stopping, an orderly end on SIGTERM.

All of it is callbacks, so that the user's `train` function stays a plain call of XGBoost.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, TextIO

import xgboost as xgb

Log = Mapping[str, Mapping[str, Sequence[float]]]


class RoundLog(xgb.callback.TrainingCallback):  # type: ignore[misc]  # no types
    """Writes `[0]<TAB>train-auc:0.50000<TAB>validation-auc:0.50000` after each round.

    CloudWatch shows the TAB as `#011`, and the metric definitions of SageMaker's own image look
    for just that: `.*\\[[0-9]+\\].*#011validation-auc:(\\S+)`.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream or sys.stdout
        self._log: Log = {}

    def after_iteration(self, _model: xgb.Booster, epoch: int, evals_log: Log) -> bool:
        """Write the line, at once."""
        self._log = evals_log
        scores = (
            f"\t{data}-{metric}:{values[-1]:.5f}"
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        )
        self._stream.write(f"[{epoch}]{''.join(scores)}\n")
        self._stream.flush()
        return False

    def scores(self, iteration: int) -> dict[str, float]:
        """Every metric after one round: `validation-auc` -> 0.67; without NaN."""
        return {
            f"{data}-{metric}": float(values[iteration])
            for data, metrics in self._log.items()
            for metric, values in metrics.items()
            if iteration < len(values) and math.isfinite(values[iteration])
        }


class Termination(xgb.callback.TrainingCallback):  # type: ignore[misc]  # no types
    """Ends training after the round in which SIGTERM came: SageMaker kills 120 seconds later.

    A context manager, which takes the signal and gives it back. The signal comes when a job is
    stopped by hand, at MaxRuntimeInSeconds, and before a spot instance is taken away.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        super().__init__()
        self.requested = False
        self._enabled = enabled
        self._former: Any = None

    def __enter__(self) -> Termination:
        if self._enabled:
            self._former = signal.signal(signal.SIGTERM, self._request)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if self._enabled:
            signal.signal(signal.SIGTERM, self._former)

    def before_iteration(self, *_: object) -> bool:
        """Do not begin a round after the signal."""
        return self.requested

    def after_iteration(self, *_: object) -> bool:
        """Stop after the round in which the signal came."""
        return self.requested

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


class KeepBest(xgb.callback.TrainingCallback):  # type: ignore[misc]  # no types
    """Keeps the model as it was in its best round; stands behind EarlyStopping.

    For boosters that cannot be cut afterwards: gblinear has no rounds to drop, and dart changes
    the weight of earlier trees in later rounds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._best: bytearray | None = None

    def after_iteration(self, model: xgb.Booster, epoch: int, _evals_log: Log) -> bool:
        """Copy the model where EarlyStopping has just called this round the best."""
        if model.attr("best_iteration") == str(epoch):
            self._best = model.save_raw("ubj")
        return False

    def after_training(self, model: xgb.Booster) -> xgb.Booster:
        """Put the best model back."""
        if self._best is not None:
            model.load_model(self._best)
        return model


def early_stopping(rounds: int, parameters: Mapping[str, Any]) -> list[Any]:
    """Callbacks that stop on the last metric of `validation` and leave the best model.

    The model that is left ends with its best round, so that every program that loads it predicts
    alike, whether it knows `best_iteration` or not.
    """
    drops = any(parameters.get(name) for name in ("rate_drop", "one_drop"))  # 3.4: with gbtree too
    can_cut = parameters.get("booster", "gbtree") == "gbtree" and not drops
    stop = xgb.callback.EarlyStopping(rounds=rounds, data_name="validation", save_best=can_cut)
    return [stop] if can_cut else [stop, KeepBest()]
