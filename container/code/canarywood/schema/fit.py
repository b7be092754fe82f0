"""Fitting a schema: what is not said of a column is found out from the training rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from canarywood.errors import DataError, RequestError
from canarywood.schema import cells
from canarywood.schema.definition import Column, Kind, Schema, Target, Task
from canarywood.schema.table import TableReader, distinct_texts

# A text column with more values than this is an identifier or prose, not a category.
MOST_CATEGORIES = 1000
# A number with at most this many whole values may be a class; with more it is an amount.
MOST_CLASSES = 20


@dataclass(frozen=True)
class Wish:
    """What the user says of a column; None and () mean: find out."""

    name: str
    kind: Kind | None = None
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def fit_column(table: pa.Table, wish: Wish, missing: Sequence[str]) -> Column:
    """Describe one input column from the training rows.

    Raises:
        DataError: no kind fits; the message says what to declare.
    """
    values = table.column(wish.name)
    kind = wish.kind or infer_kind(values, wish.name, missing)
    categories = wish.categories
    if kind == "category" and not categories:
        categories = tuple(_in_order(_distinct(values, wish.name, missing)))
        if not categories:
            raise DataError(f"column {wish.name} is empty in the training rows; exclude it")
    column = Column(wish.name, kind, categories, wish.minimum, wish.maximum)
    probe = TableReader(Schema("probe", None, (column,), (), missing=tuple(missing)))
    found = probe.readable(table, column)
    if kind == "number":
        absent = np.isnan(found)
        low, high = (
            (float(np.nanmin(found)), float(np.nanmax(found))) if not absent.all() else (None, None)
        )
    else:
        absent = np.array([value is None for value in found.tolist()], dtype=bool)
        low = high = None
    rate = round(float(absent.mean()), 6) if len(absent) else 0.0
    return Column(wish.name, kind, categories, wish.minimum, wish.maximum, low, high, rate)


def infer_kind(values: pa.ChunkedArray, name: str, missing: Sequence[str]) -> Kind:
    """The kind of a column that nobody described.

    Raises:
        DataError: text with so many values that it is no category.
    """
    kind = values.type
    if pa.types.is_temporal(kind):
        return "time"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    texts = _distinct(values, name, missing)
    if all(map(cells.is_number, texts)):
        return "number"
    if len(texts) > MOST_CATEGORIES:
        raise DataError(
            f"column {name} has {len(texts):,} different texts ({cells.shown(texts[0])}, ...): "
            "an identifier tells rows apart and says nothing; exclude it, or declare "
            f"`{name}: category` if it is one"
        )
    return "category"


def fit_target(
    values: pa.ChunkedArray, column: str, missing: Sequence[str], task: Task | None = None
) -> Target:
    """The target with its classes, and its task where that is not given.

    Raises:
        DataError: one class alone, too many, or not those of the task.
    """
    if task == "regression":
        return Target(column, "regression")
    texts = _distinct(values, column, missing)
    if len(texts) < 2:
        raise DataError(f"target {column} has {len(texts)} value in all rows; nothing to learn")
    if task is None and all(map(cells.is_number, texts)):
        numbers = [float(text) for text in texts]
        if len(texts) > MOST_CLASSES or any(not number.is_integer() for number in numbers):
            return Target(column, "regression")
    if len(texts) > MOST_CATEGORIES or (task == "binary" and len(texts) > 2):
        wanted = "two are wanted" if task == "binary" else "a class is wanted, or a number"
        raise DataError(f"target {column} has {len(texts):,} different texts; {wanted}")
    classes = tuple(_in_order(texts))
    return Target(column, task or ("binary" if len(classes) == 2 else "multiclass"), None, classes)


def _distinct(values: pa.ChunkedArray, name: str, missing: Sequence[str]) -> list[str]:
    try:
        return distinct_texts(values, cells.Missing.of(missing))
    except RequestError as error:
        raise DataError(f"column {name}: {error.detail}") from error


def _in_order(texts: Sequence[str]) -> list[str]:
    """Numbers by value, else texts by alphabet: the order must not depend on that of the rows."""
    if all(map(cells.is_number, texts)):
        return sorted(texts, key=lambda text: (float(text), text))
    return sorted(texts)


def index_like(values: pa.ChunkedArray) -> bool:
    """Whether a column merely counts the rows: whole numbers, each exactly one more."""
    try:
        numbers = values.cast(pa.float64())
    except pa.ArrowException:
        return False
    if len(numbers) < 3 or numbers.null_count:
        return False
    steps = pc.pairwise_diff(numbers.combine_chunks(), period=1)[1:]
    return bool(pc.all(pc.equal(steps, 1.0)).as_py())
