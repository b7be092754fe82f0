"""What happens during training: metric lines, early stopping, checkpoints, an orderly end.

All of it is one callback, so that the user's `train` function stays a plain call of XGBoost. That
call counts its rounds from 0 also when a job goes on from a checkpoint; here every round has its
true number.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any, TextIO

import xgboost as xgb

from canarywood.training import metrics
from canarywood.training.boosters import ContinuedBooster, renew
from canarywood.training.checkpoints import Checkpoint, CheckpointFolder, History
from canarywood.training.hosts import ALONE, Hosts

Log = Mapping[str, Mapping[str, Sequence[float]]]


class RoundLog:
    """Writes `[0]<TAB>train-auc:0.50000<TAB>validation-auc:0.50000` after each round.

    CloudWatch shows the TAB as `#011`, and the metric definitions of SageMaker's own image look
    for just that: `.*\\[[0-9]+\\].*#011validation-auc:(\\S+)`.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def write(self, number: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        """Write the line, at once: scores by data and metric."""
        shown = (
            f"\t{data}-{metric}:{value:.5f}"
            for data, found in scores.items()
            for metric, value in found.items()
        )
        self._stream.write(f"[{number}]{''.join(shown)}\n")
        self._stream.flush()


class Termination:
    """Whether SIGTERM has come: SageMaker kills 120 seconds later.

    A context manager, which takes the signal and gives it back. The signal comes when a job is
    stopped by hand, at MaxRuntimeInSeconds, and before a spot instance is taken away.
    """

    def __init__(self, *, enabled: bool = True) -> None:
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

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


@dataclass
class EarlyStopping:
    """Finds the best round by one metric of `validation`, and says when to stop looking.

    Attributes:
        metric: the last one of the round's line where None.
        can_cut: whether the best model can be cut out of the last one. If not, it is kept:
            gblinear has no rounds to drop, and dart changes earlier trees in later rounds.
        best: bytes of the best model, where it is kept.
    """

    rounds: int
    metric: str | None = None
    can_cut: bool = True
    best: bytes | None = None
    best_round: int | None = None
    _best_score: float = math.nan

    def replay(self, history: Log) -> None:
        """Take over the rounds of a checkpoint."""
        for number in range(len(self._values(history))):
            self._improves(number, history)

    def stops(self, number: int, history: Log, model: xgb.Booster) -> bool:
        """Look at a round; True where the best one is too long ago."""
        if self._improves(number, history):
            model.set_attr(best_iteration=str(number), best_score=str(self._best_score))
            self.best = None if self.can_cut else bytes(model.save_raw("ubj"))
        return self.best_round is not None and number - self.best_round >= self.rounds

    def best_model(self, model: xgb.Booster) -> xgb.Booster:
        """The model of the best round. It ends with that round, so that every program that loads
        it predicts alike, whether it knows `best_iteration` or not.
        """
        if self.best_round is None:
            return model
        if self.best is not None:
            model.load_model(bytearray(self.best))
            return model
        cut = model[: self.best_round + 1] if self.can_cut else model
        cut.set_attr(best_iteration=str(self.best_round), best_score=str(self._best_score))
        return cut

    def _improves(self, number: int, history: Log) -> bool:
        score = self._values(history)[number]
        if self.best_round is None:
            better = True
        elif math.isnan(self._best_score):
            better = not math.isnan(score)
        elif metrics.rises(self._name(history)):
            better = score > self._best_score
        else:
            better = score < self._best_score
        if better:
            self.best_round, self._best_score = number, float(score)
        return better

    def _values(self, history: Log) -> Sequence[float]:
        return history.get("validation", {}).get(self._name(history), ())

    def _name(self, history: Log) -> str:
        names = list(history.get("validation", {}))
        if self.metric is not None and self.metric in names:
            return self.metric
        return names[-1] if names else ""


Measure = Callable[[xgb.Booster], Mapping[str, Mapping[str, float]]]


@dataclass
class Watch:
    """What a session watches, and what it does about it.

    Attributes:
        order: metrics in the order of the line; others stand before them.
        measure: further metrics by data and name, which XGBoost does not have.
        folder: where checkpoints go; None for none.
    """

    termination: Termination
    log: RoundLog = field(default_factory=RoundLog)
    order: Sequence[str] = ()
    measure: Measure | None = None
    early: EarlyStopping | None = None
    folder: CheckpointFolder | None = None
    hosts: Hosts = ALONE

    def wants_to_stop(self) -> bool:
        """Whether SIGTERM has come to any host: they stop behind the same round."""
        return self.hosts.any(self.termination.requested)


class Session(xgb.callback.TrainingCallback):  # type: ignore[misc]  # no types
    """The callback that the user's `train` hands on to XGBoost."""

    def __init__(self, watch: Watch, start: Checkpoint | None = None) -> None:
        super().__init__()
        self._watch = watch
        self._start = start
        self.history: History = {} if start is None else start.history
        if start is not None and watch.early is not None:
            watch.early.replay(self.history)
            watch.early.best = start.best

    @property
    def rounds_done(self) -> int:
        """Rounds of the checkpoint that training goes on from."""
        return self._start.rounds if self._start else 0

    def before_training(self, model: xgb.Booster) -> xgb.Booster:
        """Put the checkpoint's booster in place."""
        if self._start is None:
            return model
        return ContinuedBooster(model, self._start.model, self._start.rounds)

    def before_iteration(self, *_: object) -> bool:
        """Do not begin a round after the signal."""
        return self._watch.wants_to_stop()

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Log) -> bool:
        """Write the line; stop; keep a checkpoint."""
        watch, number = self._watch, epoch + self.rounds_done
        self._take(model, evals_log)
        if watch.hosts.is_first:
            watch.log.write(number, self._latest())
        if watch.early and watch.early.stops(number, self.history, model):
            return True
        if watch.wants_to_stop():
            return True
        if watch.folder and (number + 1) % watch.folder.interval == 0:
            self._keep(model, number + 1, watch.folder)
        return False

    def after_training(self, model: xgb.Booster) -> xgb.Booster:
        """Go back to the best round."""
        return self._watch.early.best_model(model) if self._watch.early else model

    def scores(self, number: int) -> dict[str, float]:
        """Every metric after one round: `validation-auc` -> 0.67; without NaN."""
        return {
            f"{data}-{metric}": float(values[number])
            for data, found in self.history.items()
            for metric, values in found.items()
            if number < len(values) and math.isfinite(values[number])
        }

    def _take(self, model: xgb.Booster, evals_log: Log) -> None:
        """The last value of each metric, XGBoost's and ours, in the order asked for."""
        scores = {
            data: {name: float(values[-1]) for name, values in found.items()}
            for data, found in evals_log.items()
        }
        if self._watch.measure:
            for data, found in self._watch.measure(model).items():
                scores.setdefault(data, {}).update(found)
        order = list(self._watch.order)
        for data, found in scores.items():
            history = self.history.setdefault(data, {})
            for name in sorted(found, key=lambda n: order.index(n) if n in order else -1):
                history.setdefault(name, []).append(found[name])

    def _latest(self) -> dict[str, dict[str, float]]:
        return {
            data: {name: values[-1] for name, values in found.items()}
            for data, found in self.history.items()
        }

    def _keep(self, model: xgb.Booster, rounds: int, folder: CheckpointFolder) -> None:
        best = self._watch.early.best if self._watch.early else None
        folder.write(Checkpoint(rounds, folder.job, renew(model), best, self.history))


def early_stopping(
    rounds: int, parameters: Mapping[str, Any], metric: str | None = None
) -> EarlyStopping:
    """Early stopping for a booster with these parameters."""
    drops = any(parameters.get(name) for name in ("rate_drop", "one_drop"))  # 3.4: with gbtree too
    can_cut = parameters.get("booster", "gbtree") == "gbtree" and not drops
    return EarlyStopping(rounds, metric, can_cut)
