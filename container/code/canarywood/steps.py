"""The only door from our code to the user's: functions of `model/`, by name, at run time.

Standard library only. The user's files are imported when a command asks for them and not
before, so that serving does not load what training needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from canarywood.errors import UserError

PACKAGE = "model"

Step = Callable[..., Any]


class StepError(UserError):
    """A file of the user's lacks a function, or cannot be imported."""


def find(module: str, name: str) -> Step | None:
    """The user's function `model/<module>.py:<name>`, or None where the file has none.

    Raises StepError where the file is missing or fails on import.
    """
    try:
        found = importlib.import_module(f"{PACKAGE}.{module}")
    except ModuleNotFoundError as error:
        raise StepError(f"model/{module}.py cannot be imported: {error}") from error
    except Exception as error:
        raise StepError(f"model/{module}.py fails on import: {error!r}") from error
    step = getattr(found, name, None)
    if step is not None and not callable(step):
        raise StepError(f"model/{module}.py: {name} is not a function")
    return step


def load(module: str, name: str) -> Step:
    """Like find, but the function must be there; StepError says which file lacks what."""
    step = find(module, name)
    if step is None:
        raise StepError(f"model/{module}.py lacks the function {name}(...)")
    return step
