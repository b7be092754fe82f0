"""The number cells of some rows, all columns at once: the short way, and the exact one.

Text that is JSON's idea of a number is parsed as one JSON array; what is odd (`+1`, `.5`, a
blank) and what is wrong goes cell by cell through `canarywood.schema.cells`, which also finds
the words for an error. Both give the same float64. Needs numpy and orjson.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, cycle
from operator import itemgetter
from types import NoneType
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from canarywood.errors import RequestError, RowsError
from canarywood.schema import cells
from canarywood.schema.definition import Column

Numbers = NDArray[np.float64]
Row = Sequence[object]

_NUMBERS = {int, float, NoneType}
_TEXTS = {str, NoneType}


class NumberReader:
    """Reads the number columns of rows.

    Args:
        columns: those of the schema that are numbers, by their position in a row.
    """

    def __init__(self, columns: dict[int, Column], missing: cells.Missing) -> None:
        self._columns = list(columns.values())
        self._missing = missing
        self._pick = _picker(list(columns))
        self._absent: frozenset[object] = missing.texts | {"", None}
        self._null_is_missing = "null" in missing.texts
        self._tokens = np.array(sorted(missing.numbers), dtype=np.float64)
        bounds = {bound for c in self._columns for bound in (c.minimum, c.maximum)}
        self._has_bounds = bounds != {None}
        largest = cells.FLOAT32_MAX
        self._low = np.array([_or(c.minimum, -largest) for c in self._columns], dtype=np.float64)
        self._high = np.array([_or(c.maximum, largest) for c in self._columns], dtype=np.float64)

    def read(self, rows: Sequence[Row]) -> Numbers:
        """The number cells of rows, (rows, number columns), NaN = missing.

        Raises:
            BodyError: `number`; RowsError: `non_finite`, `range`; with row and column.
        """
        if not self._columns:
            return np.empty((len(rows), 0))
        flat = list(chain.from_iterable(map(self._pick, rows)))
        found = self.at_once(flat)
        return self._cell_by_cell(flat) if found is None else found

    def at_once(self, flat: list[Any]) -> Numbers | None:
        """Cells, row after row, as (rows, number columns); None where any needs a closer look."""
        kinds = set(map(type, flat))
        if kinds <= _TEXTS:
            parsed = self._parsed(flat)
            if parsed is None:
                return None
            flat = parsed
        elif not kinds <= _NUMBERS:
            return None
        return self.of_json(flat)

    def of_json(self, flat: list[Any] | Numbers) -> Numbers | None:
        """JSON numbers and nulls, row after row; None where one is not in the range."""
        try:
            numbers = np.array(flat, dtype=np.float64).reshape(-1, len(self._columns))
        except OverflowError:  # an integer beyond float64
            return None
        if self._tokens.size:
            numbers[np.isin(numbers, self._tokens)] = np.nan
        return None if self._leaves_range(numbers) else numbers

    def _leaves_range(self, numbers: Numbers) -> bool:
        if self._has_bounds:
            return bool((numbers < self._low).any() or (numbers > self._high).any())
        # passes over NaN
        return bool(np.fmax.reduce(np.abs(numbers), axis=None, initial=0.0) > cells.FLOAT32_MAX)

    def _parsed(self, texts: Sequence[str | None]) -> list[Any] | None:
        """Texts as JSON numbers; None where one of them is not, or is several."""
        if not self._null_is_missing and any("null" in text for text in texts if text):
            return None
        absent = self._absent
        words = ",".join(["null" if text in absent else text for text in texts])  # type: ignore[misc]  # None is in absent
        if "\n" in words or "\r" in words:
            return None  # blanks to JSON, not to us
        try:
            found: list[Any] = orjson.loads(f"[{words}]")
        except orjson.JSONDecodeError:
            return None
        if len(found) != len(texts) or not set(map(type, found)) <= _NUMBERS:
            return None
        return found

    def _cell_by_cell(self, flat: Sequence[object]) -> Numbers:
        result: list[float] = []
        columns = cycle(self._columns)
        try:
            for value, column in zip(flat, columns, strict=False):
                result.append(in_range(column, cells.number(value, self._missing)))
        except RequestError as error:
            row, position = divmod(len(result), len(self._columns))
            error.row, error.column = row + 1, self._columns[position].name
            raise
        return np.array(result, dtype=np.float64).reshape(-1, len(self._columns))


def in_range(column: Column, value: float) -> float:
    """The value, or RowsError `range` where it leaves the column's declared range."""
    low = _or(column.minimum, -np.inf)
    high = _or(column.maximum, np.inf)
    if value < low or value > high:
        raise RowsError(f"{value!r} is outside {low:g} to {high:g}", code="range")
    return value


def _or(bound: float | None, default: float) -> float:
    return default if bound is None else bound


def _picker(positions: Sequence[int]) -> Callable[[Row], Sequence[object]]:
    """A function that takes the cells at these positions out of a row."""
    if len(positions) == 1:
        return lambda row: (row[positions[0]],)
    return itemgetter(*positions) if positions else lambda _: ()
