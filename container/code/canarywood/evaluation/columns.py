"""What the test rows hold, column by column, against what the training rows held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from canarywood.schema.definition import Column, Schema

MISSING_JUMP = 0.05  # a missing rate that moves by more is worth a word
OUTSIDE_SHARE = 0.05  # so is a share of numbers that training never saw the like of


@dataclass(frozen=True)
class ColumnFacts:
    """One input column in training and in the test rows.

    Attributes:
        missing_now: share of missing cells in the test rows, unknown categories left out.
        outside: share of test numbers below the smallest or above the largest of training.
        unknown: test cells with a category that training never saw.
    """

    column: Column
    is_feature: bool
    missing_now: float | None
    outside: float | None
    unknown: int

    @property
    def is_noteworthy(self) -> bool:
        """Whether the test rows differ from training enough to be looked at."""
        moved = self.missing_now is not None and (
            abs(self.missing_now - self.column.missing_rate) > MISSING_JUMP
        )
        return moved or self.unknown > 0 or (self.outside or 0.0) > OUTSIDE_SHARE


def column_facts(
    schema: Schema, features: NDArray[np.float32], unknown: Mapping[str, int]
) -> list[ColumnFacts]:
    """Facts of every input column; what is no feature has none of the test rows.

    Args:
        features: the test rows as the model gets them, shape (rows, features).
        unknown: cells of unknown categories by column.
    """
    position = {name: i for i, name in enumerate(schema.features)}
    found = []
    for column in schema.inputs:
        values = features[:, position[column.name]] if column.name in position else None
        strange = unknown.get(column.name, 0)
        found.append(
            ColumnFacts(
                column=column,
                is_feature=values is not None,
                missing_now=None if values is None else _missing(values, strange),
                outside=None if values is None else _outside(values, column),
                unknown=strange,
            )
        )
    return found


def _missing(values: NDArray[np.float32], unknown: int) -> float:
    return (int(np.isnan(values).sum()) - unknown) / len(values)


def _outside(values: NDArray[np.float32], column: Column) -> float | None:
    if column.kind != "number" or column.low is None or column.high is None:
        return None
    present = values[~np.isnan(values)]
    if not len(present):
        return None
    low, high = np.float32(column.low), np.float32(column.high)
    return float(((present < low) | (present > high)).mean())
