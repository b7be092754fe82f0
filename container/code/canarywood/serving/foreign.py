"""The schema of a model that came without ours: what XGBoost itself keeps of its columns."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from canarywood.schema import cells
from canarywood.schema.definition import Column, Schema, plain
from canarywood.serving.native import NativeBooster

CATEGORY = "c"  # XGBoost's type of a feature that holds category codes


def schema_of(booster: NativeBooster) -> Schema:
    """Numbers in order; a category where the model has one, refused where it is unknown.

    XGBoost itself reads a code that is negative, fractional or beyond the training's as some
    category or other, and answers.
    """
    schema = plain(booster.features, booster.names)
    if CATEGORY not in booster.types:
        return schema
    model = booster.model_json()["learner"]["gradient_booster"]
    model = model.get("model") or model["gbtree"]["model"]  # dart has its trees one level down
    inputs = tuple(
        Column(column.name, "category", categories=_categories(model, index))
        if kind == CATEGORY
        else column
        for index, (column, kind) in enumerate(zip(schema.inputs, booster.types, strict=True))
    )
    return replace(schema, inputs=inputs, unknown_category="error")


def _categories(model: dict[str, Any], feature: int) -> tuple[str, ...]:
    """Texts in code order: as stored (XGBoost >= 3.1, of a data frame), else the codes 0 to n."""
    stored = (model.get("cats") or {}).get("enc") or []
    values = stored[feature]["values"] if feature < len(stored) else []
    offsets = stored[feature].get("offsets") if values else None
    if offsets:
        joined = bytes(value % 256 for value in values)
        return tuple(joined[start:end].decode() for start, end in pairwise(offsets))
    if values:
        nothing = cells.Missing.of(())
        return tuple(cells.text_of(value, nothing) or "" for value in values)
    codes = [code for tree in model["trees"] for code in _codes(tree, feature)]
    return tuple(str(code) for code in range(max(codes, default=-1) + 1))


def _codes(tree: dict[str, Any], feature: int) -> list[int]:
    """The codes that the splits of a tree know of a feature."""
    found: list[int] = []
    pieces = zip(
        tree["categories_nodes"],
        tree["categories_segments"],
        tree["categories_sizes"],
        strict=True,
    )
    for node, start, size in pieces:
        if tree["split_indices"][node] == feature:
            found += tree["categories"][start : start + size]
    return found
