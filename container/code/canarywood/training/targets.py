"""What the objective asks of labels: their range, groups for ranking, bounds for survival."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import DataError
from canarywood.schema.definition import Target
from canarywood.training.rows import LOWER, QID, UPPER, Floats


def target(label: str, parameters: Mapping[str, Any]) -> Target:
    """What is predicted, by the objective."""
    objective = parameters["objective"]
    if objective.startswith("binary:"):
        return Target(label, "binary", above=0.5)
    if objective.startswith("multi:"):
        classes = tuple(str(i) for i in range(parameters["num_class"]))
        return Target(label, "multiclass", classes=classes)
    return Target(label, "regression")


def check(found: Floats, parameters: Mapping[str, Any], place: Callable[[int], str]) -> None:
    """What XGBoost refuses without a row, or takes though it makes no sense.

    Args:
        place: where a row (from 1) came from.

    Raises:
        DataError: a label is missing or out of range.
    """
    objective = parameters["objective"]
    wrong = ~np.isfinite(found)
    allowed = "is missing"
    if not wrong.any():
        if objective.startswith("multi:"):
            classes = parameters["num_class"]
            wrong = (found < 0) | (found >= classes) | (found != np.floor(found))
            allowed = f"must be a whole number from 0 to {classes - 1} for {objective}"
        elif objective.startswith("binary:"):
            wrong = (found < 0) | (found > 1)
            allowed = f"must lie between 0 and 1 for {objective}"
        elif objective.startswith("rank:"):
            wrong = found < 0
            allowed = f"must be 0 or more for {objective}"
    if wrong.any():
        row, *_ = np.argwhere(wrong)[0]
        label = found[tuple(np.argwhere(wrong)[0])]
        value = "" if np.isnan(label) else f" {label:g}"
        raise DataError(f"{place(int(row) + 1)}: the label{value} {allowed}")


def complete(extras: dict[str, NDArray[Any]], labels: Floats, objective: str) -> None:
    """Add what the objective needs and the labels tell; say what they do not tell.

    Raises:
        DataError: ranking without groups, survival of several targets.
    """
    if objective.startswith("rank:") and QID not in extras:
        raise DataError(
            f"{objective} ranks within groups: name their column qid, or give qid_column "
            "(in text/libsvm: qid:<number> behind the label)"
        )
    if objective == "survival:aft" and LOWER not in extras:
        if labels.ndim != 1:
            raise DataError(f"{objective} takes one label column, or its two bounds")
        extras |= {LOWER: labels, UPPER: labels}  # every event was seen
