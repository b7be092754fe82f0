"""The text of one number: the rule of `canarywood.schema.cells`.

Standard library only. Formats lie below the schema and may not import it, so the patterns are
written twice; a test holds the two to one rule.
"""

from __future__ import annotations

import math
import re
from collections.abc import Set as AbstractSet

from canarywood.errors import BodyError, RequestError, RowsError

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
INFINITY = r"[+-]?(?i:inf|infinity)"
FLOAT32_LIMIT = 3.4028234663852886e38 + 2.0**103  # half an ulp above the largest float32

_is_number = re.compile(f"(?:{NUMBER})|(?:{INFINITY})", re.ASCII).fullmatch


def number(text: str, missing: AbstractSet[str] = frozenset()) -> float:
    """A text as float64: NaN where it is one of `missing`, unless it is a number all the same.

    Raises:
        BodyError: `number`, where the text is not a number.
        RowsError: `non_finite`, where float32 cannot hold it.
    """
    if _is_number(text) is None:
        if text in missing:
            return math.nan
        raise BodyError(f"{shown(text)} is not a number", code="number")
    value = float(text)
    if abs(value) >= FLOAT32_LIMIT:
        raise non_finite(text)
    return value


def non_finite(value: object) -> RequestError:
    """The error for a number that float32 cannot hold."""
    return RowsError(
        f"{shown(value)} is not a finite 32-bit number; leave it out if it is missing",
        code="non_finite",
    )


def shown(value: object) -> str:
    """A value for an error message: quoted, never longer than a line."""
    text = repr(value[:80] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."
