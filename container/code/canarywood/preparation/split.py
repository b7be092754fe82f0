"""Splitting rows into train, validation and test. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import DataError, RequestError
from canarywood.preparation.spec import SplitSpec
from canarywood.schema import cells

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST, OUTSIDE = 0, 1, 2, -1

Parts = NDArray[np.int8]

# Around every time that can be written
BEFORE_ALL = np.datetime64("0000-01-01", "us")
AFTER_ALL = np.datetime64("10001-01-01", "us")


def split(
    spec: SplitSpec, rows: int, *, column: Sequence[str | None] = (), labels: NDArray[Any]
) -> Parts:
    """The part of each row: TRAIN, VALIDATION, TEST, or OUTSIDE of the time window.

    Args:
        column: texts of the group or time column, one a row.
        labels: one a row, for stratification.

    Raises:
        DataError: a part would be empty though a share was asked for, or a time is unreadable.
    """
    if spec.by == "time":
        parts = _by_time(spec, column)
    elif spec.by == "group":
        parts = _by_group(spec, column)
    else:
        parts = _at_random(spec, rows, labels)
    for number, name in enumerate(PARTS):
        wanted = number == TRAIN or getattr(spec, name) != 0
        if wanted and not (parts == number).any():
            raise DataError(f"the split leaves no row for {name}; change data.split")
    return parts


def _at_random(spec: SplitSpec, rows: int, labels: NDArray[Any]) -> Parts:
    random = np.random.default_rng(spec.seed)
    parts = np.full(rows, TRAIN, dtype=np.int8)
    strata = [np.flatnonzero(labels == value) for value in np.unique(labels)]
    for members in strata if spec.stratify else [np.arange(rows)]:
        order = members[random.permutation(len(members))]
        test = round(len(order) * float(spec.test))
        validation = round(len(order) * float(spec.validation))
        parts[order[:test]] = TEST
        parts[order[test : test + validation]] = VALIDATION
    return parts


def _by_group(spec: SplitSpec, column: Sequence[str | None]) -> Parts:
    """Whole groups: all rows with one text stay together."""
    groups, members = np.unique([text or "" for text in column], return_inverse=True)
    order = np.random.default_rng(spec.seed).permutation(len(groups))
    sizes = np.bincount(members, minlength=len(groups))[order]
    before = np.cumsum(sizes) - sizes
    test = before < len(column) * float(spec.test)
    validation = ~test & (before < len(column) * (float(spec.test) + float(spec.validation)))
    part_of = np.full(len(groups), TRAIN, dtype=np.int8)
    part_of[order[test]] = TEST
    part_of[order[validation]] = VALIDATION
    return part_of[members]


def _by_time(spec: SplitSpec, column: Sequence[str | None]) -> Parts:
    """Oldest rows train, the next validate, the newest test: as in production."""
    texts, members = np.unique([text or "" for text in column], return_inverse=True)
    instants = np.array([_instant(text, spec.column) for text in texts], dtype="datetime64[us]")
    times = instants[members]
    end = AFTER_ALL if spec.end is None else _instant(spec.end, "data.split.end")
    start = BEFORE_ALL if spec.train is None else _instant(spec.train, "data.split.train")
    inside = (times >= start) & (times < end)
    if not inside.any():
        raise DataError(f"no row of column {spec.column} lies in the window of data.split")
    ordered = np.sort(times[inside])
    test = _start(spec.test, ordered, 0.0)
    share_after = spec.test if isinstance(spec.test, (int, float)) else 0.0
    validation = _start(spec.validation, ordered[ordered < test], share_after)
    parts = np.where(times >= test, TEST, np.where(times >= validation, VALIDATION, TRAIN))
    return np.where(inside, parts, OUTSIDE).astype(np.int8)


def _start(given: float | str, ordered: NDArray[Any], share_after: float) -> np.datetime64:
    """Where a part begins: the instant given, or the one that leaves the share behind it.

    Args:
        ordered: times of the rows up to the next part.
        share_after: share of all rows that the next part took.
    """
    if isinstance(given, str):
        return _instant(given, "data.split")
    if given == 0 or not len(ordered):
        return AFTER_ALL
    rows = round(len(ordered) * given / (1 - share_after))
    found: np.datetime64 = ordered[max(len(ordered) - rows, 0)]
    return found


def _instant(text: str, place: str | None) -> np.datetime64:
    """A time text as UTC; one without an offset is taken as it stands."""
    try:
        found = cells.moment(text or None, keep_zone=True)
    except RequestError as error:
        raise DataError(f"{place}: {error.detail}") from error
    if found is None:
        raise DataError(f"column {place} has an empty cell; a split by time needs every one")
    # numpy's subtraction, since Python's datetimes end in the year 9999 of every zone
    offset = found.utcoffset() or timedelta()
    return np.datetime64(found.replace(tzinfo=None), "us") - np.timedelta64(offset, "us")
