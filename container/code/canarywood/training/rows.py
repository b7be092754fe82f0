"""One channel, read: arrays under the names that XGBoost's DMatrix gives them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import DataError

QID = "qid"
BASE_MARGIN = "base_margin"
LOWER, UPPER = "label_lower_bound", "label_upper_bound"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Rows with what is known of each.

    Attributes:
        features: float32 (rows, features), NaN where missing.
        labels: float32 (rows,), or (rows, targets) where several columns are predicted.
        weights: float32 (rows,), or None.
        extras: qid, base_margin, label_lower_bound, label_upper_bound: what there is of them.
        fold_key: (rows,), what cross-validation splits by; None where rows stand for themselves.
    """

    features: Floats
    labels: Floats
    weights: Floats | None
    content_type: str
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    fold_key: NDArray[Any] | None = None

    def __len__(self) -> int:
        """Rows."""
        return len(self.features)

    def take(self, picked: NDArray[np.intp]) -> Rows:
        """Some of the rows, by position."""
        return dataclasses.replace(
            self,
            features=self.features[picked],
            labels=self.labels[picked],
            weights=None if self.weights is None else self.weights[picked],
            extras={name: values[picked] for name, values in self.extras.items()},
            fold_key=None if self.fold_key is None else self.fold_key[picked],
        )

    def by_group(self) -> Rows:
        """The rows in the order of their groups, as XGBoost wants them; else as they are."""
        groups = self.extras.get(QID)
        if groups is None or bool((groups[1:] >= groups[:-1]).all()):
            return self
        return self.take(np.argsort(groups, kind="stable"))

    def for_matrix(self) -> dict[str, Any]:
        """Labels, weights and the rest, as arguments of a DMatrix."""
        return {"label": self.labels, "weight": self._matrix_weights(), **self.extras}

    def digest(self) -> str:
        """The same for the same rows."""
        found = hashlib.blake2b(digest_size=16)
        for name, array in (
            ("features", self.features),
            ("labels", self.labels),
            ("weights", self.weights),
            *sorted(self.extras.items()),
        ):
            found.update(name.encode())
            if array is not None:
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    def _matrix_weights(self) -> Floats | None:
        """One weight a row; where there are groups, one a group, because XGBoost ranks groups."""
        groups = self.extras.get(QID)
        if groups is None or self.weights is None:
            return self.weights
        first = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
        counts = np.diff(np.append(first, len(groups)))
        by_group: Floats = self.weights[first]
        odd = np.flatnonzero(np.repeat(by_group, counts) != self.weights)
        if len(odd):
            raise DataError(
                f"group {groups[odd[0]]} has rows of different weights; "
                "in ranking a weight is of a whole group"
            )
        return by_group


def concatenate(one: Rows, other: Rows) -> Rows:
    """The rows of both, which must know the same things."""
    if set(one.extras) != set(other.extras) or (one.weights is None) != (other.weights is None):
        raise DataError("train and validation must have the same columns to be split together")

    def join(first: Any, second: Any) -> Any:
        return None if first is None else np.concatenate([first, second])

    extras = {name: join(values, other.extras[name]) for name, values in one.extras.items()}
    if QID in extras:  # groups are numbered in each channel from 0
        extras[QID][len(one) :] += one.extras[QID].max() + 1
    return Rows(
        join(one.features, other.features),
        join(one.labels, other.labels),
        join(one.weights, other.weights),
        one.content_type,
        extras,
        join(one.fold_key, other.fold_key),
    )
