"""Derived columns: the closed list of operations, each row by row.

Requests and training files go through these very functions, a request as arrays of a few rows,
so a derived value cannot differ between the two. Where numpy's result could depend on the
length or the alignment of an array (transcendental functions are vectorised differently), the
operation works cell by cell.

An operation takes arrays of shape (rows,): float64 for a number (NaN = missing), objects
(str or None) for a category or a time; it returns float64, NaN where an operand is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import ArtifactError, DataError, RequestError
from canarywood.schema import cells
from canarywood.schema.definition import Derived
from canarywood.steps import load

Operand = NDArray[Any]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Operation:
    """One entry of the closed list.

    Attributes:
        takes: kinds of its columns, in order; the last may repeat where `more` is true.
        help: one line for the reference.
    """

    takes: tuple[str, ...]
    apply: Callable[..., Values]
    help: str
    more: bool = False


def _each(function: Callable[..., float]) -> Callable[..., Values]:
    """An operation that works cell by cell; None and NaN never reach the function."""

    def apply(*operands: Operand) -> Values:
        rows = zip(*(operand.tolist() for operand in operands), strict=True)
        result: list[float] = []
        try:
            for row in rows:
                result.append(math.nan if _any_missing(row) else function(*row))  # noqa: PERF401 - the length tells the row at fault
        except RequestError as error:
            error.row = len(result) + 1
            raise
        return np.array(result, dtype=np.float64)

    return apply


def _any_missing(row: Sequence[object]) -> bool:
    return any(value is None or value != value for value in row)  # NaN differs from itself


def _of_time(part: Callable[[Any], float]) -> Callable[..., Values]:
    def read(text: str) -> float:
        return float(part(cells.moment(text)))

    return _each(read)


def _weekday_of_date(year: float, month: float, day: float) -> float:
    try:
        return float(date(int(year), int(month), int(day)).weekday())
    except (ValueError, OverflowError):
        return math.nan


def _ratio(first: Values, second: Values) -> Values:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(second == 0, np.nan, first / second)


def _log1p(value: float) -> float:
    return math.log1p(value) if value > -1 else math.nan


def _is_missing(operand: Operand) -> Values:
    if operand.dtype == object:
        return np.array([float(value is None) for value in operand.tolist()], dtype=np.float64)
    return np.isnan(operand).astype(np.float64)


def _sum(*operands: Values) -> Values:
    total = operands[0]
    for operand in operands[1:]:
        total = total + operand
    return total


def _product(*operands: Values) -> Values:
    total = operands[0]
    for operand in operands[1:]:
        total = total * operand
    return total


OPERATIONS: dict[str, Operation] = {
    "weekday": Operation(
        ("number", "number", "number"),
        _each(_weekday_of_date),
        "day of the week of (year, month, day): 0 is Monday",
    ),
    "time_weekday": Operation(("time",), _of_time(lambda t: t.weekday()), "0 is Monday"),
    "time_hour": Operation(("time",), _of_time(lambda t: t.hour), "0 to 23"),
    "time_day": Operation(("time",), _of_time(lambda t: t.day), "1 to 31"),
    "time_month": Operation(("time",), _of_time(lambda t: t.month), "1 to 12"),
    "sum": Operation(("number", "number"), _sum, "sum of two or more", more=True),
    "difference": Operation(("number", "number"), lambda a, b: a - b, "first minus second"),
    "product": Operation(("number", "number"), _product, "product of two or more", more=True),
    "ratio": Operation(("number", "number"), _ratio, "first by second; missing where that is 0"),
    "log1p": Operation(("number",), _each(_log1p), "log(1 + x); missing where x <= -1"),
    "is_missing": Operation(("any",), _is_missing, "1 where the cell is missing, else 0"),
    "lookup": Operation(("category",), lambda a: a, "the number that a reference table has for it"),
    "python": Operation(("any",), lambda a: a, "a function of model/preprocess.py", more=True),
}


class Deriver:
    """Computes the derived columns of a schema."""

    def __init__(self, derived: Sequence[Derived]) -> None:
        self._steps = [(item, _function(item)) for item in derived]

    def __bool__(self) -> bool:
        return bool(self._steps)

    def extend(self, columns: dict[str, Operand]) -> None:
        """Add every derived column to `columns`, in order.

        Raises:
            RequestError: a cell that an operation cannot read, with its column.
            DataError: the user's function failed or returned something else than a column.
        """
        for item, function in self._steps:
            operands = [columns[name] for name in item.of]
            try:
                # an overflow is found later, as a number that float32 cannot hold
                with np.errstate(over="ignore", invalid="ignore"):
                    columns[item.name] = function(*operands)
            except RequestError as error:
                error.column = error.column or item.of[0]
                raise


def _function(item: Derived) -> Callable[..., Values]:
    if item.op == "lookup":
        return _lookup(item.table)
    if item.op == "python":
        return _users(item)
    if item.op not in OPERATIONS:
        raise ArtifactError(
            f"derived column {item.name}: no operation {item.op!r}; "
            "serve the model with the image that trained it"
        )
    return OPERATIONS[item.op].apply


def _lookup(table: Mapping[str, float]) -> Callable[[Operand], Values]:
    def apply(keys: Operand) -> Values:
        return np.array([table.get(key, math.nan) for key in keys.tolist()], dtype=np.float64)

    return apply


def _users(item: Derived) -> Callable[..., Values]:
    name = item.function or item.name
    function = load("preprocess", name)

    def apply(*operands: Operand) -> Values:
        for operand in operands:
            operand.flags.writeable = False  # the columns of the row are not the user's to change
        try:
            result = np.asarray(function(*operands), dtype=np.float64)
        except Exception as error:
            raise DataError(f"model/preprocess.py: {name} failed: {error!r}") from error
        if result.shape != operands[0].shape:
            raise DataError(
                f"model/preprocess.py: {name} returned shape {result.shape}; "
                f"one number a row is needed, {operands[0].shape}"
            )
        return result

    return apply
