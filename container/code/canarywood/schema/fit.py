"""Fitting a schema: what is not said of a column is found out from the training rows alone."""

from __future__ import annotations

import json
import re
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
# Where so many of the different texts are of one sort, the others are likely slips.
NEARLY_ALL = 0.9
TEXTS_NAMED = 3
TEXTS_LOOKED_AT = 1000

_is_bare_in_yaml = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_has_comma = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?"  # 1,234.50
    r"|[0-9]+(?:\.[0-9]{3})*,[0-9]+)"  # 1.234,50
).fullmatch
_is_day_and_month = re.compile(
    r"[0-9]{1,4}([/.-])[0-9]{1,2}\1[0-9]{1,4}"
    r"(?:[ T,]+[0-9]{1,2}[:.][0-9]{2}(?:[:.][0-9]{2})?(?:\.[0-9]+)?(?: ?[AaPp][Mm])?)?"
).fullmatch


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
        DataError: numbers with some odd texts among them, or so many texts that they are no
            category.
    """
    kind = values.type
    if pa.types.is_temporal(kind):
        return "time"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    texts = _distinct(values, name, missing)
    if all(map(cells.is_number, texts)):
        return "number"
    _refuse_nearly_numbers(texts, name)
    if len(texts) > MOST_CATEGORIES:
        raise DataError(_too_many(texts, name))
    return "category"


def _refuse_nearly_numbers(texts: Sequence[str], name: str) -> None:
    """One odd text must not silently turn a column of numbers into a category."""
    commas = [text for text in texts if _has_comma(text)]
    odd = [text for text in texts if not cells.is_number(text) and not _has_comma(text)]
    numbers = len(texts) - len(odd)
    if numbers < NEARLY_ALL * len(texts):
        return
    advice = []
    if odd:
        verb, them = ("is", "it") if len(odd) == 1 else ("are", "them")
        advice.append(
            f"{numbers:,} of {len(texts):,} different texts are numbers, "
            f"{_named(odd)} {verb} not; add {them} to `missing`"
        )
    if commas:
        verb = "has a comma" if len(commas) == 1 else "have commas"
        advice.append(f"{_named(commas)} {verb}; write numbers like 1234.50 in the files")
    raise DataError(f"column {name}: {'; '.join(advice)}, or declare {_declare(name, 'category')}")


def _too_many(texts: Sequence[str], name: str) -> str:
    """What to do with a column of so many different texts: it is a time, or tells rows apart."""
    example = f"({cells.shown(texts[0])}, ...)"
    some = texts[:: -(-len(texts) // TEXTS_LOOKED_AT)]
    times = sum(map(_is_time, some))
    if times >= NEARLY_ALL * len(some):
        return (
            f"column {name} looks like a time {example}; declare {_declare(name, 'time')}, and "
            "derive features such as time_hour or time_weekday from it"
        )
    if times + sum(_is_day_and_month(text) is not None for text in some) >= NEARLY_ALL * len(some):
        return (
            f"column {name} looks like a time {example}, but a time must be written in ISO 8601, "
            "like 2013-04-01 or 2013-04-01T06:00:00; rewrite it in the files and declare "
            f"{_declare(name, 'time')}, or exclude it"
        )
    return (
        f"column {name} has {len(texts):,} different texts {example}: an identifier tells rows "
        "apart and says nothing; exclude it, or if it is a category declare "
        f"{_declare(name, 'category')}"
    )


def _is_time(text: str) -> bool:
    try:
        cells.moment(text)
    except RequestError:
        return False
    return True


def _named(texts: Sequence[str]) -> str:
    """The first few of them."""
    more = len(texts) - TEXTS_NAMED
    shown = ", ".join(map(cells.shown, texts[:TEXTS_NAMED]))
    return f"{shown} and {more:,} more" if more > 0 else shown


def _declare(name: str, kind: Kind) -> str:
    """What to write into project.yml, as YAML that can be copied."""
    bare = _is_bare_in_yaml(name) and name.lower() not in YAML_WORDS
    return f"`kinds: {{{name if bare else json.dumps(name, ensure_ascii=False)}: {kind}}}`"


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
