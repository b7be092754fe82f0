"""How one cell is read: the rules that training files and requests share.

Standard library only. A number is what NUMBER matches and nothing else: Python and numpy also
read `1_000`, full-width digits and `nan(7)`, which other tools do not, so text is matched first.
The same pattern runs here and in Arrow's engine (RE2), where whole columns are read.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from canarywood.errors import BodyError, RequestError, RowsError

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
INFINITY = r"[+-]?(?i:inf|infinity)"
BLANKS = " \t"
DELIMITERS = ",;\t|"
FLOAT32_MAX = 3.4028234663852886e38

_is_number = re.compile(NUMBER).fullmatch
# ASCII: to a case-blind Unicode pattern the dotless Turkish i is an i too
_is_infinity = re.compile(INFINITY, re.ASCII).fullmatch
_is_whole = re.compile(r"([+-]?[0-9]+)\.0+").fullmatch
_quoted = re.compile('"[^"]*"')


@dataclass(frozen=True)
class Missing:
    """What stands for "no value", besides the empty cell.

    Attributes:
        texts: as they stand in a cell of text.
        numbers: those of the texts that are numbers: -999 is missing in every spelling, also
            where a JSON body or a Parquet column holds it as a number.
    """

    texts: frozenset[str]
    numbers: frozenset[float]

    @classmethod
    def of(cls, tokens: Iterable[str]) -> Missing:
        """From the tokens of a schema."""
        texts = frozenset(tokens)
        numbers = {float(text) for text in texts if is_number(text)}
        return cls(
            texts | {_without_zeros(text) for text in texts},
            frozenset(numbers | {_float32(number) for number in numbers}),
        )


def delimiter(line: str) -> str:
    """The separator of a CSV text, by its first line: the first of `,` `;` tab `|` that occurs.

    What stands in quotes separates nothing.
    """
    bare = _quoted.sub("", line) if '"' in line else line
    return next((mark for mark in DELIMITERS if mark in bare), ",")


def is_number(text: str) -> bool:
    """Whether a stripped text is a number, infinity included."""
    return _is_number(text) is not None or _is_infinity(text) is not None


def number(value: object, missing: Missing) -> float:
    """A cell as float64: NaN where it is missing.

    Args:
        value: text of a CSV cell, or a JSON value.
        missing: what stands for "no value"; the empty text always does.

    Raises:
        BodyError: `number`, where the cell is not a number.
        RowsError: `non_finite`, where float32 cannot hold it.
    """
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not text or text in missing.texts:
            return math.nan
        if not is_number(text):
            raise BodyError(f"{shown(value)} is not a number", code="number")
        result = float(text)
    elif value is None:
        return math.nan
    elif isinstance(value, (int, float)):
        try:
            result = float(value)
        except OverflowError:
            result = math.inf
    else:
        raise BodyError(f"{shown(value)} is not a number", code="number")
    if result in missing.numbers:
        return math.nan
    if abs(result) > FLOAT32_MAX and not _fits_float32(result):
        raise non_finite(value)
    return result


def non_finite(value: object) -> RequestError:
    """The error for a number that float32 cannot hold."""
    return RowsError(
        f"{shown(value)} is not a finite 32-bit number; leave the cell empty if it is missing",
        code="non_finite",
    )


def text_of(value: object, missing: Missing) -> str | None:
    """A cell of a category or a time as text: None where it is missing.

    One spelling for one value, whatever it came in: 7, 7.0, "7" and "7.0" (as pandas writes a
    whole number in a column with gaps) are "7"; true is "true".
    """
    text = _without_zeros(value.strip(BLANKS)) if isinstance(value, str) else _spelt(value)
    return None if not text or text in missing.texts else text


def _without_zeros(text: str) -> str:
    found = _is_whole(text) if text.endswith("0") else None
    return found[1] if found else text


def _spelt(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (float, Decimal)):
        number = float(value)
        if math.isnan(number):
            return None
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise BodyError(f"{shown(value)} is not a text", code="category")


def moment(text: str | None, *, keep_zone: bool = False) -> datetime | None:
    """A time text (ISO 8601, with a blank or T, time of day optional).

    The parts of a time (its hour, its weekday) are those that are written; only a comparison
    of two times needs the zone.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BodyError(
            f"{shown(text)} is not a time; write it like 2013-04-01 or 2013-04-01T06:00:00",
            code="time",
        ) from None
    return found if keep_zone else found.replace(tzinfo=None)


def shown(value: object) -> str:
    """A value for an error message: quoted, never longer than a line."""
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    # cut before and after: a text may be megabytes long, and quoting makes it longer
    text = repr(value[:61] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fits_float32(value: float) -> bool:
    """Whether a number above the largest float32 still rounds down to it (half an ulp)."""
    return abs(value) < FLOAT32_MAX + 2.0**103


def _float32(value: float) -> float:
    """The number as a column of float32 holds it."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return value
