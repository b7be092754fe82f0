"""Types for hyperparameters, which SageMaker passes as strings. Standard library only.

    "-1" -> -1    "1e-3" -> 0.001    "true" -> True    "[1,2]" -> [1, 2]    "(1,-1)" -> (1, -1)

What is none of these stays text. Digits are ASCII and carry no underscores, though Python's own
int() takes both.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any

_INT = re.compile(r"[+-]?[0-9]{1,300}", re.ASCII)
_FLOAT = re.compile(
    r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE
)
_BOOLS = {"true": True, "false": False}
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
DEEPEST = 16  # brackets within brackets; what is deeper stays text


def typed(text: str) -> Any:
    """The value that a hyperparameter's text stands for."""
    text = text.strip()
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if text.lower() in _BOOLS:
        return _BOOLS[text.lower()]
    if len(text) > 1 and text[-1] == _BRACKETS.get(text[0]):
        return _container(text)
    if len(text) > 1 and text[0] == text[-1] == '"':  # the SDK sends text as JSON
        inner = _json(text)
        return text if inner is None else typed(inner)
    return text


def is_finite(value: Any) -> bool:
    """False where the value is, or holds, NaN or an infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_finite, value))
    return True


def words(value: Any) -> list[str]:
    """A list of names out of `a`, `a,b` or a list."""
    pieces = value if isinstance(value, list | tuple) else str(value).split(",")
    return [str(piece).strip() for piece in pieces if str(piece).strip()]


def _container(text: str) -> Any:
    """A list, tuple or object; lists may be JSON, Python, or bare words."""
    if _depth(text) > DEEPEST:
        return text
    if text[0] == "{":
        found = _json(text)
        return text if found is None else found
    inner = text[1:-1].strip().rstrip(",")
    items = _json(f"[{inner}]")
    if items is None:
        items = _json(f"[{inner}]".replace("'", '"'))
    if items is None:
        if "[" in inner or "(" in inner:
            return text
        items = [typed(word.strip().strip("'\"")) for word in inner.split(",")]
    return tuple(items) if text[0] == "(" else items


def _depth(text: str) -> int:
    """How many brackets stand in each other; those in quotes count too."""
    steps = (1 if mark in _BRACKETS else -1 for mark in text if mark in "[]{}()")
    return max(accumulate(steps), default=0)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
