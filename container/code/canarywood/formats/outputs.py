"""Selectable outputs: from predictions and margins to the columns that a request asks for.

The keys are those of SageMaker's own XGBoost image. A key that an objective has no value for is
null in every row; it is no error, because one pipeline may ask many models for the same keys.
Needs numpy.

    objective                     predicted_score  predicted_label, labels,  probability,
                                                   raw_score, raw_scores     probabilities
    binary:logistic                                x                         x
    multi:softprob                                 x                         x
    binary:logitraw, binary:hinge                  x
    multi:softmax                                  x
    every other                   x

- `predicted_score`: the prediction.
- `predicted_label`: the class, by its name where the schema names the classes, else by its
  number. Class 1 where the probability is above 0.5 (logistic) or the margin above 0; the
  greatest probability (softprob) or margin (softmax), the first of equals.
- `labels`: all classes.
- `probability`: of class 1 (logistic), or of the predicted class. `probabilities`: of each class.
- `raw_score`: the margin of class 1, or of the predicted class. `raw_scores`: the margin of each
  class; for two classes -m and m, the log-odds of each.

A model of several targets or quantiles has one more dimension in each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import SettingsError

SCORE = "predicted_score"
LABEL, LABELS = "predicted_label", "labels"
PROBABILITY, PROBABILITIES = "probability", "probabilities"
RAW_SCORE, RAW_SCORES = "raw_score", "raw_scores"
KEYS = (SCORE, LABEL, LABELS, PROBABILITY, PROBABILITIES, RAW_SCORE, RAW_SCORES)

_OF_LABELS = (LABEL, LABELS, RAW_SCORE, RAW_SCORES)
_OF_PROBABILITIES = (LABEL, LABELS, PROBABILITY, PROBABILITIES, RAW_SCORE, RAW_SCORES)
# Objectives of classification; every other, also a user's own, has a score.
VALID_KEYS = {
    "binary:logistic": _OF_PROBABILITIES,
    "binary:logitraw": _OF_LABELS,
    "binary:hinge": _OF_LABELS,
    "multi:softmax": _OF_LABELS,
    "multi:softprob": _OF_PROBABILITIES,
}

Numbers = NDArray[Any]
Makers = dict[str, Callable[[], Numbers]]


@dataclass(frozen=True)
class Column:
    """One output of all rows.

    Attributes:
        values: (rows, ...) numbers or, for names of classes, objects; None where the key has no
            value for the objective.
        parts: names of the values in the last dimension, where they are not a plain list: in
            JSON they are an object.
    """

    name: str
    values: Numbers | None
    parts: tuple[str, ...] = ()


def valid_keys(objective: str) -> tuple[str, ...]:
    """The keys that have a value for an objective."""
    return VALID_KEYS.get(objective, (SCORE,))


def keys(text: str, objective: str) -> tuple[str, ...]:
    """The keys of a setting, `predicted_label,probability`; empty where none are selected.

    Raises:
        SettingsError: a key is unknown or there twice.
    """
    found = tuple(key.strip() for key in text.split(",")) if text.strip() else ()
    unknown = [key for key in found if key not in KEYS]
    if unknown:
        raise SettingsError(
            f"{', '.join(map(repr, unknown))}: no such output; for {objective} choose from "
            f"{', '.join(valid_keys(objective))}"
        )
    if len(set(found)) < len(found):
        raise SettingsError(f"an output is selected twice in {text!r}")
    return found


def needs_margins(selected: Sequence[str], objective: str) -> bool:
    """Whether the columns of these keys are made of margins, not of predictions alone."""
    by_margin = {RAW_SCORE, RAW_SCORES}
    if objective == "multi:softmax":
        by_margin.add(LABELS)  # its predictions do not tell how many classes there are
    return objective in VALID_KEYS and not by_margin.isdisjoint(selected)


def columns(
    selected: Sequence[str],
    *,
    objective: str,
    predictions: Numbers,
    margins: Numbers | None = None,
    classes: Sequence[str] = (),
) -> list[Column]:
    """The selected columns.

    Args:
        selected: some of KEYS.
        objective: XGBoost's name of it.
        predictions: what XGBoost predicts, (rows,) or (rows, outputs); for multi:softmax the
            number of the class.
        margins: what it predicts with output_margin, (rows,) or (rows, outputs); only where
            `needs_margins`.
        classes: their names in the order of their numbers; empty where they have none.
    """
    valid = valid_keys(objective)
    if valid == (SCORE,):
        makers: Makers = {SCORE: lambda: predictions}
    elif objective.startswith("multi:"):
        makers = _Classes(objective, predictions, margins, classes).makers()
    else:
        makers = _TwoClasses(objective, predictions, margins, classes).makers()
    return [Column(key, makers[key]() if key in valid else None) for key in selected]


@dataclass(frozen=True)
class _TwoClasses:
    """binary:logistic, binary:logitraw, binary:hinge."""

    objective: str
    predictions: Numbers
    margins: Numbers | None
    classes: Sequence[str]

    def makers(self) -> Makers:
        return {
            LABEL: self._label,
            LABELS: lambda: _constant(_names(np.arange(2), self.classes), self.predictions.shape),
            PROBABILITY: lambda: self.predictions,
            # rounded once: 1 - p in float64 is exact for a float32
            PROBABILITIES: lambda: _pairs(
                1.0 - self.predictions.astype(np.float64), self.predictions
            ),
            RAW_SCORE: self._margin,
            RAW_SCORES: lambda: _pairs(-self._margin(), self._margin()),
        }

    def _label(self) -> Numbers:
        # hinge predicts 0 or 1, logitraw a margin
        cut = 0.0 if self.objective == "binary:logitraw" else 0.5
        return _names((self.predictions > cut).astype(np.int64), self.classes)

    def _margin(self) -> Numbers:
        return _given(self.margins)


@dataclass(frozen=True)
class _Classes:
    """multi:softprob, multi:softmax."""

    objective: str
    predictions: Numbers
    margins: Numbers | None
    classes: Sequence[str]

    def makers(self) -> Makers:
        return {
            LABEL: lambda: _names(self._winner(), self.classes),
            LABELS: self._labels,
            PROBABILITY: lambda: _of_class(self.predictions, self._winner()),
            PROBABILITIES: lambda: self.predictions,
            RAW_SCORE: lambda: _of_class(_given(self.margins), self._winner()),
            RAW_SCORES: lambda: _given(self.margins),
        }

    def _winner(self) -> NDArray[np.int64]:
        if self.objective == "multi:softprob":
            winner: NDArray[np.int64] = self.predictions.argmax(axis=1)
            return winner
        return self.predictions.astype(np.int64)

    def _labels(self) -> Numbers:
        if self.objective == "multi:softprob":
            count = self.predictions.shape[1]
        else:
            count = _given(self.margins).shape[1]
        return _constant(_names(np.arange(count), self.classes), self.predictions.shape[:1])


def _names(numbers: NDArray[np.int64], classes: Sequence[str]) -> Numbers:
    """Numbers of classes by name, where the classes have names."""
    if not classes:
        return numbers
    return np.array(classes, dtype=object)[numbers]


def _constant(row: Numbers, shape: tuple[int, ...]) -> Numbers:
    return np.broadcast_to(row, (*shape, len(row)))


def _pairs(zero: Numbers, one: Numbers) -> Numbers:
    """What belongs to class 0 and class 1, in a last dimension."""
    return np.stack([zero.astype(one.dtype), one], axis=-1)


def _of_class(table: Numbers, winner: NDArray[np.int64]) -> Numbers:
    return np.take_along_axis(table, winner[:, None], axis=1)[:, 0]


def _given(margins: Numbers | None) -> Numbers:
    if margins is None:
        raise ValueError("these outputs are made of margins; see needs_margins")
    return margins
