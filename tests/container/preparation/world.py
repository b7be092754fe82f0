"""A small world that preparation is tested in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from canarywood.errors import CanarywoodError
from canarywood.preparation.pipeline import Prepared, prepare
from canarywood.preparation.spec import DataSpec

ROWS = 60
RANDOM = np.random.default_rng(3)


def columns(**more: Any) -> dict[str, Any]:
    """A world of 60 rows, each known by its own number."""
    return {
        "number": [f"{i / 4}" for i in range(ROWS)],
        "color": [("red", "blue", "green")[i % 3] for i in range(ROWS)],
        "y": [("no", "yes")[i % 2] for i in range(ROWS)],
        **more,
    }


def prepared(
    keys: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **tables: Any
) -> Prepared:
    spec = DataSpec.from_json({"target": "y", **(keys or {})})
    found = {name: pa.table(table) for name, table in tables.items()}
    return prepare(spec, {"data": pa.table(columns(**(more or {}))), **found})


def refused(
    said: str, keys: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **tables: Any
) -> None:
    with pytest.raises(CanarywoodError, match=said):
        prepared(keys, more, **tables)
