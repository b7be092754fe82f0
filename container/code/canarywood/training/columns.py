"""What a column of a training table is for, beside being a feature: label, weight, group, ...

A column has a role because a hyperparameter names it (`weight_column`), or because of its own
name: `_label` and `_weight` as preprocess writes them, `base_margin`, and, where the objective
asks for them, `qid` and the two label bounds. A column with a role is never a feature.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from canarywood.errors import DataError, HyperparameterError, RequestError
from canarywood.schema.definition import MISSING_TOKENS, Column, plain
from canarywood.schema.files import source_of
from canarywood.schema.table import LABEL, WEIGHT, TableReader, located
from canarywood.training.phrases import did_you_mean
from canarywood.training.rows import BASE_MARGIN, LOWER, QID, UPPER

LABELS = "label"
ROLES = (LABELS, "weight", QID, BASE_MARGIN, LOWER, UPPER, "fold")
_OWN_NAMES = {LABELS: LABEL, "weight": WEIGHT, BASE_MARGIN: BASE_MARGIN}


@dataclass(frozen=True)
class Roles:
    """Names of the columns with a role, as far as there are any."""

    names: Mapping[str, tuple[str, ...]]

    @classmethod
    def find(
        cls, table_names: Sequence[str], asked: Mapping[str, tuple[str, ...]], objective: str
    ) -> Roles:
        """The roles in a table.

        Args:
            asked: column names by role, from the hyperparameters.

        Raises:
            HyperparameterError: a column that is asked for is not there.
        """
        own = dict(_OWN_NAMES)
        if objective.startswith("rank:"):
            own[QID] = QID
        if objective == "survival:aft":
            own |= {LOWER: LOWER, UPPER: UPPER}
        found: dict[str, tuple[str, ...]] = {}
        for role in ROLES:
            for name in asked.get(role, ()):
                if name not in table_names:
                    hint = did_you_mean(name, table_names)
                    raise HyperparameterError(f"there is no column {name!r} for {role}{hint}")
            if role in asked:
                found[role] = asked[role]
            elif own.get(role) in table_names:
                found[role] = (own[role],)
        return cls(found)

    def one(self, role: str) -> str | None:
        """The column of a role; None where there is none."""
        return next(iter(self.names.get(role, ())), None)

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns to predict, where they are named."""
        return self.names.get(LABELS, ())

    @property
    def all(self) -> frozenset[str]:
        """Every column that is no feature."""
        return frozenset(name for names in self.names.values() for name in names)


def extras(
    table: pa.Table, roles: Roles, missing: Sequence[str] = MISSING_TOKENS
) -> dict[str, NDArray[Any]]:
    """The arrays of a table beside features, labels and weights."""
    found: dict[str, NDArray[Any]] = {}
    if name := roles.one(QID):
        found[QID] = groups(table, name)
    if name := roles.one(BASE_MARGIN):
        margins = numbers(table, name, missing)
        _refuse(table, name, np.isnan(margins), "is missing")
        found[BASE_MARGIN] = margins.astype(np.float32)
    lower, upper = roles.one(LOWER), roles.one(UPPER)
    if (lower is None) != (upper is None):
        raise DataError(f"{LOWER} and {UPPER} go together; the table has one of them")
    if lower and upper:
        found |= _bounds(table, lower, upper, missing)
    return found


def groups(table: pa.Table, name: str) -> NDArray[np.uint32]:
    """The number of each row's group, in the order in which groups appear; text or numbers."""
    column = table.column(name).combine_chunks()
    _refuse(table, name, np.asarray(column.is_null()), "is missing")
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = np.asarray(encoded.indices)
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place].astype(np.uint32)


def numbers(
    table: pa.Table, name: str, missing: Sequence[str] = MISSING_TOKENS
) -> NDArray[np.float64]:
    """One column as float64, NaN where missing; DataError with file and row."""
    reader = TableReader(dataclasses.replace(plain(1, (name,)), missing=tuple(missing)))
    try:
        return np.asarray(reader.column(table, Column(name)), dtype=np.float64)
    except RequestError as error:
        raise located(error, table) from error


def keys(table: pa.Table, name: str, *, ordered: bool) -> NDArray[Any]:
    """What cross-validation splits by: the text of a group; where ordered, values that sort."""
    column = table.column(name)
    _refuse(table, name, np.asarray(column.combine_chunks().is_null()), "is missing")
    if not ordered:
        return np.asarray(column.cast(pa.string()).to_pylist(), dtype=np.str_)
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        try:
            return numbers(table, name, ())
        except DataError:  # dates as text: the ISO form sorts
            pass
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    return values.astype(str) if values.dtype == object else values


def _bounds(
    table: pa.Table, lower: str, upper: str, missing: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Label bounds; an upper bound that is missing, or `inf`, is still to come."""
    low = numbers(table, lower, missing)
    high = numbers(table, upper, (*missing, "inf"))
    high = np.where(np.isnan(high), np.inf, high)
    _refuse(table, lower, ~(low >= 0), "must be 0 or more")
    _refuse(table, upper, high < low, f"must not be less than {lower}")
    return {LOWER: low.astype(np.float32), UPPER: high.astype(np.float32)}


def _refuse(table: pa.Table, name: str, wrong: NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        raise DataError(f"{source_of(table, row)}, column {name}: the value {what}")
