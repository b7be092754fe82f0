"""Several boosters that answer together: the models of a cross-validation. Needs numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import ArtifactError
from canarywood.serving.native import Kind, NativeBooster

VOTES = ("multi:softmax", "binary:hinge")  # objectives whose prediction is the number of a class

Floats = NDArray[np.float32]


class Predict(Protocol):
    """Predictions of a float32 matrix (rows, features)."""

    def __call__(self, rows: Floats, kind: Kind = Kind.VALUE) -> Floats:
        """(rows, ...), see NativeBooster.predict."""


def together(boosters: Sequence[NativeBooster]) -> Predict:
    """The predictions of one booster; of several: their mean, or the vote where they are classes.

    The mean is taken in float64 and rounded once. Of equal votes the smaller class wins. Margins
    and contributions are means, too; leaves stand one model behind the other.

    Raises:
        ArtifactError: the boosters are not of one training.
    """
    first = boosters[0]
    if len(boosters) == 1:
        return first.predict
    for number, other in enumerate(boosters):
        if _form(other) != _form(first):
            raise ArtifactError(
                f"model {number} of the archive has another objective or other columns than the "
                "first; they are not of one training"
            )

    def predict(rows: Floats, kind: Kind = Kind.VALUE) -> Floats:
        found = [booster.predict(rows, kind) for booster in boosters]
        if kind is Kind.LEAVES:
            return np.concatenate(found, axis=1)
        if kind is Kind.VALUE and first.objective in VOTES:
            return _vote(np.stack(found))
        mean = np.mean(np.stack(found), axis=0, dtype=np.float64)
        return np.asarray(mean, dtype=np.float32)

    return predict


def _form(booster: NativeBooster) -> tuple[object, ...]:
    return booster.objective, booster.features, booster.names, booster.types


def _vote(found: Floats) -> Floats:
    """Of (models, rows) the class that most models name."""
    classes = np.unique(found)
    votes = (found[:, :, None] == classes).sum(axis=0)
    winners: Floats = classes[votes.argmax(axis=1)] if len(classes) else found[0]
    return winners
