"""schema.json: written, read, and refused where it cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from canarywood.errors import ArtifactError
from canarywood.schema.definition import MISSING_TOKENS, Column, Derived, Schema, Target, plain

FULL = Schema(
    name="full",
    target=Target("y", "binary", above=15, classes=("low", "high")),
    inputs=(
        Column("size", minimum=0, maximum=9, low=1, high=2, missing_rate=0.5),
        Column("color", "category", categories=("blue", "red")),
        Column("at", "time"),
    ),
    features=("color", "size", "hour", "hue"),
    derived=(
        Derived("hour", "time_hour", ("at",)),
        Derived("hue", "lookup", ("color",), table={"red": 0.5}),
        Derived("mine", "python", ("size", "hour"), function="mix"),
    ),
    weight="w",
    missing=("-",),
    unknown_category="error",
    absent_column="error",
    index_base=1,
    slices=("color",),
)


@pytest.mark.parametrize("schema", [FULL, plain(3), plain(2, ("a", "b"))], ids=lambda s: s.name)
def test_what_is_written_is_read(tmp_path: Path, schema: Schema) -> None:
    schema.write(tmp_path / "schema.json")
    assert Schema.read(tmp_path / "schema.json") == schema


def test_defaults_are_not_written_but_for_the_missing_tokens() -> None:
    assert plain(1, ("a",)).to_json() == {
        "format": 1, "target": None, "name": "model", "inputs": [{"name": "a"}], "features": ["a"],
        "missing": list(MISSING_TOKENS),
    }  # fmt: skip


def test_types_and_columns_are_known_by_name() -> None:
    assert FULL.feature_types == ["c", "q", "q", "q"]
    assert FULL.input_names == ("size", "color", "at")
    assert FULL.column("at").kind == "time"
    with pytest.raises(KeyError):
        FULL.column("hour")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "has format 2, this image reads format 1"),
        ({"format": None}, "has format None"),
        ({"inputs": None}, "is not a schema"),
        ({"inputs": ["a"]}, "is not a schema"),
        ({"inputs": [{"nam": "a"}]}, "is not a schema"),
        ({"inputs": [{"name": "a"}, {"name": "a"}]}, "different names"),
        ({"inputs": [{"name": 5}], "features": [5]}, "different names"),
        ({"inputs": [{"name": "a", "kind": "text"}]}, "column a has kind 'text'"),
        ({"features": ["b"]}, "feature 'b' is no number and no category"),
        ({"features": []}, "features must be different columns"),
        ({"features": ["a", "a"]}, "features must be different columns"),
        ({"inputs": [{"name": "a", "kind": "time"}]}, "feature 'a' is no number and no category"),
        ({"derived": [{"name": "d", "op": "log1p", "of": ["b"]}]}, "derived column d is made of b"),
        ({"derived": [{"name": "a", "op": "log1p", "of": ["a"]}]}, "derived column a is made of a"),
        ({"unknown_category": "drop"}, "no rule"),
        ({"later": True}, "is not a schema"),
    ],
)
def test_a_schema_that_cannot_work_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({**plain(1, ("a",)).to_json(), **change}))
    with pytest.raises(ArtifactError, match=said):
        Schema.read(path)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", "[" * 100_000])
def test_a_damaged_file_is_an_artifact_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(content)
    with pytest.raises(ArtifactError, match=r"schema\.json"):
        Schema.read(path)
