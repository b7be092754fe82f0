"""Preparation as a whole: small tables in, a schema and warnings out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from canarywood.errors import DataError, SettingsError
from canarywood.preparation.pipeline import prepare
from canarywood.preparation.spec import DataSpec
from canarywood.schema.definition import Column, Derived, Target
from canarywood.schema.table import LABEL, WEIGHT
from tests.container.preparation.world import ROWS, prepared, refused

# ---- the schema


def test_kinds_are_found_out_and_categories_come_from_the_training_rows_alone() -> None:
    colors = ["red"] * 40 + ["blue"] * 19 + ["violet"]
    times = [f"2013-01-01T00:{i:02}:00" for i in range(ROWS)]
    keys = {
        "split": {"by": "time", "column": "at", "validation": 0.1, "test": 0.1},
        "kinds": {"at": "time"},
    }
    found = prepared(
        keys, {"color": colors, "at": times, "truth": [i % 3 > 0 for i in range(ROWS)]}
    )
    schema = found.schema
    assert [column.kind for column in schema.inputs] == ["number", "category", "time", "category"]
    assert schema.features == ("number", "color", "truth")
    assert schema.column("color").categories == ("blue", "red")
    assert schema.column("truth").categories == ("false", "true")
    assert (schema.column("number").low, schema.column("number").high) == (0, 47 / 4)
    assert schema.target == Target("y", "binary", classes=("no", "yes"))
    assert found.facts["test"]["unknown_categories"] == {"color": 1}
    assert found.parts["test"].column("color").to_pylist()[-1] == "violet"


def test_what_the_user_says_of_a_column_is_kept() -> None:
    keys = {
        "columns": {
            "color": {"categories": ["red", "green", "blue"], "kind": "category"},
            "number": {"minimum": 0, "maximum": 100, "feature": False},
        },
        "derived": {"root": {"op": "log1p", "of": "number"}},
        "unknown_category": "error",
        "absent_column": "error",
        "missing": ["-"],
        "slices": ["color"],
        "name": "toy",
    }
    schema = prepared(keys).schema
    assert schema.inputs[0].categories == ("red", "green", "blue")
    assert (schema.inputs[1].minimum, schema.inputs[1].maximum) == (0, 100)
    assert schema.features == ("color", "root")
    assert schema.derived == (Derived("root", "log1p", ("number",)),)
    assert (schema.unknown_category, schema.absent_column) == ("error", "error")
    assert (schema.missing, schema.slices, schema.name) == (("-",), ("color",), "toy")


def test_numbers_as_categories_are_ordered_by_value() -> None:
    codes = [str(i % 11) for i in range(ROWS)]
    schema = prepared({"kinds": {"code": "category"}}, {"code": codes}).schema
    assert schema.column("code").categories == tuple(map(str, range(11)))


def test_columns_named_like_pythons_own_are_columns() -> None:
    names = ("items", "class", "__init__", "self", "columns", "schema")
    found = prepared(None, {name: [str(i % 7) for i in range(ROWS)] for name in names})
    assert found.schema.features == ("number", "color", *names)


def test_a_lookup_and_a_join_bring_columns() -> None:
    keys = {
        "joins": [{"table": "shops", "on": ["color"], "columns": {"rent": "number"}}],
        "derived": {
            "hue": {"op": "lookup", "of": "color", "table": "hues", "key": "c", "value": "h"},
            "both": {"op": "sum", "of": ["hue", "rent"]},
        },
    }
    found = prepared(
        keys,
        shops={"color": ["red", "blue"], "rent": ["1", "2"]},
        hues={"c": ["red", "green"], "h": [0.5, 120]},
    )
    schema = found.schema
    assert schema.input_names == ("number", "color", "rent")
    assert schema.features == ("number", "color", "rent", "hue", "both")
    assert schema.derived[0].table == {"red": 0.5, "green": 120.0}
    assert found.facts["joins"] == {"shops": {"rows": 60, "matched": 40}}
    by_color = {
        row["color"]: row["rent"] for part in found.parts.values() for row in part.to_pylist()
    }
    assert by_color == {"red": 1, "blue": 2, "green": None}


# ---- the target


@pytest.mark.parametrize(
    ("target", "values", "expected", "first"),
    [
        ("y", ["no", "yes"], Target("y", "binary", classes=("no", "yes")), [0, 1]),
        ("y", ["1", "0"], Target("y", "binary", classes=("0", "1")), [1, 0]),
        ("y", ["a", "b", "c"], Target("y", "multiclass", classes=("a", "b", "c")), [0, 1, 2]),
        (
            {"column": "y", "classes": ["yes", "no"]},
            ["no", "yes"],
            Target("y", "binary", classes=("yes", "no")),
            [1, 0],
        ),
        (
            {"column": "y", "positive": "no"},
            ["no", "yes"],
            Target("y", "binary", classes=("yes", "no")),
            [1, 0],
        ),
        (
            {"column": "y", "positive": 0},
            ["0", "1"],
            Target("y", "binary", classes=("1", "0")),
            [1, 0],
        ),
        (
            {"column": "y", "above": 2, "classes": ["low", "high"]},
            ["1", "2", "3"],
            Target("y", "binary", 2, ("low", "high")),
            [0, 0, 1],
        ),
        (
            {"column": "y", "task": "regression"},
            ["1", "2", "3"],
            Target("y", "regression"),
            [1, 2, 3],
        ),
        (
            {"column": "y", "task": "multiclass"},
            ["0.5", "1.5", "2.5"],
            Target("y", "multiclass", classes=("0.5", "1.5", "2.5")),
            [0, 1, 2],
        ),
        ("y", ["0.5", "1.5"], Target("y", "regression"), [0.5, 1.5]),
    ],
)
def test_the_target_is_what_is_said_or_what_the_column_holds(
    target: Any, values: list[str], expected: Target, first: list[float]
) -> None:
    cells = (values * ROWS)[:ROWS]
    keys = {"target": target, "split": {"validation": 0, "test": 0}}
    found = prepared(keys, {"y": cells})
    assert found.schema.target == expected
    assert found.parts["train"].column(LABEL).to_pylist()[: len(first)] == first


@pytest.mark.parametrize(
    ("keys", "values", "said"),
    [
        ({}, ["no"], "target y has 1 value in all rows"),
        ({}, [""], "target y has 0 value in all rows"),
        ({"target": "why"}, ["no", "yes"], "no column 'why'"),
        ({"target": "Y"}, ["no", "yes"], r"data.target.column: the data has no column 'Y'"),
        ({"target": {"column": "y", "above": 99}}, ["1", "2"], "all training rows have the same"),
        (
            {"target": {"column": "y", "task": "regression"}},
            ["5"],
            "all training rows have the sam",
        ),
        (
            {"target": {"column": "y", "task": "regression"}},
            ["a", "1"],
            "column y: 'a' is not a nu",
        ),
        ({"target": {"column": "y", "task": "binary"}}, ["a", "b", "c"], "3 different texts; two"),
        ({"target": {"column": "y", "classes": ["a"]}}, ["a", "b"], "two or more different ones"),
        ({"target": {"column": "y", "classes": ["a", "a"]}}, ["a"], "two or more different ones"),
        ({"target": {"column": "y", "classes": ["a", "b"]}}, ["a", "b", "c"], "'c' is not a categ"),
        (
            {"target": {"column": "y", "classes": ["a", "b"], "task": "regression"}},
            ["a", "b"],
            "regression does not go with 2 classes",
        ),
        (
            {"target": {"column": "y", "above": 1, "task": "multiclass"}},
            ["1", "2"],
            "makes a binary",
        ),
        ({"target": {"column": "y", "above": 1, "classes": ["a"]}}, ["1", "2"], "two are needed"),
        ({"target": {"column": "y", "positive": "c"}}, ["a", "b"], "'c' is not one of two values"),
        ({"target": {"column": "y", "positive": "a"}}, ["a", "b", "c"], "'a' is not one of two"),
        (
            {"target": {"column": "y", "positive": "a", "classes": ["a", "b"]}},
            ["a", "b"],
            "the last of data.target.classes",
        ),
        ({"split": {"stratify": True}}, ["0.5", "1.5"], "a regression has no classes to keep"),
    ],
)
def test_a_target_that_cannot_be_is_refused(
    keys: dict[str, Any], values: list[str], said: str
) -> None:
    refused(said, keys, {"y": (values * ROWS)[:ROWS]})


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    found = prepared(None, {"y": ["no", "yes", ""] * 20})
    assert found.facts["without_label"] == 20
    assert sum(part.num_rows for part in found.parts.values()) == 40


# ---- what is asked for and cannot be


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"columns": ["number", "y"]}, "y is the target, so it cannot be a column of a request"),
        ({"columns": ["number", "color"], "weight": "color"}, "color is the weight"),
        ({"columns": ["number"], "exclude": ["number"]}, "number is in data.exclude"),
        ({"columns": ["nmber"]}, "data.columns: .* 'nmber'; did you mean 'number'"),
        ({"exclude": ["colour"]}, "no column 'colour'; did you mean 'color'"),
        ({"kinds": {"colour": "category"}}, "no column 'colour'"),
        ({"slices": ["colour"]}, "no column 'colour'"),
        ({"weight": "weigth"}, "data.weight: the data has no column 'weigth'"),
        ({"split": {"by": "group", "column": "shop"}}, "data.split.column: .* 'shop'"),
        ({"exclude": ["number", "color"]}, "no feature is left"),
        ({"kinds": {"color": "number"}}, "column color: 'red' is not a number|row 1, column color"),
        ({"joins": [{"table": "t", "on": "color", "columns": ["v"]}]}, "table 't' is not among"),
        (
            {"derived": {"d": {"op": "sun", "of": "number"}}},
            r"op: no operation 'sun'; did you mean",
        ),
        (
            {"derived": {"d": {"op": "zzz", "of": "number"}}},
            r"no operation 'zzz'; there are weekday",
        ),
        ({"derived": {"d": {"op": "ratio", "of": "number"}}}, "ratio takes 2, not 1$"),
        (
            {"derived": {"d": {"op": "weekday", "of": "number"}}},
            "weekday takes 3, not 1; for a time: time_weekday$",
        ),
        (
            {"derived": {"d": {"op": "weekday", "of": ["color"] * 3}}},
            "color is a category, weekday takes a number; for a time: time_weekday$",
        ),
        (
            {"derived": {"d": {"op": "day", "of": "number"}}},
            "no operation 'day'; did you mean 'time_day'",
        ),
        ({"derived": {"d": {"op": "sum", "of": "number"}}}, "sum takes 2 or more, not 1"),
        (
            {"derived": {"d": {"op": "log1p", "of": "color"}}},
            "color is a category, log1p takes a n",
        ),
        ({"derived": {"d": {"op": "log1p", "of": "y"}}}, "'y' is no input column"),
        ({"derived": {"number": {"op": "log1p", "of": "number"}}}, "has this name already"),
        ({"derived": {"d": {"op": "lookup", "of": "color"}}}, "lookup needs table, key and value"),
        (
            {"derived": {"d": {"op": "python", "of": "number", "function": "nope"}}},
            "lacks the func",
        ),
    ],
)
def test_what_the_data_do_not_have_is_refused(keys: dict[str, Any], said: str) -> None:
    refused(said, keys)


def test_a_join_without_any_match_is_refused() -> None:
    keys = {"joins": [{"table": "t", "on": "color", "columns": ["v"]}]}
    refused("no row has a match on color", keys, t={"color": ["RED"], "v": [1]})


def test_an_identifier_is_refused_and_an_empty_column_named() -> None:
    spec = DataSpec.from_json({"target": "y"})
    table = {"id": [f"id{i}" for i in range(3000)], "y": ["no", "yes"] * 1500}
    with pytest.raises(DataError, match=r"column id has 2,\d+ different texts .* exclude it"):
        prepare(spec, {"data": pa.table(table)})
    found = prepared(None, {"nothing": [""] * ROWS, "none": pa.nulls(ROWS)})
    assert "column nothing is empty in all training rows" in found.warnings
    assert "column none is empty in all training rows" in found.warnings
    refused(
        "column empty is empty in the training rows; exclude it",
        {"kinds": {"empty": "category"}},
        {"empty": ["NA"] * ROWS},
    )


def test_the_faults_of_all_columns_are_told_at_once() -> None:
    odd = [f"{i}" for i in range(ROWS)]
    more = {"age": [*odd[:-20], *["?!"] * 20], "tall": ["x"] * ROWS, "void": [""] * ROWS}
    with pytest.raises(DataError) as caught:
        prepared({"kinds": {"tall": "number", "void": "category"}}, more)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "different texts are numbers, '?!' is not; add it to `missing`" in lines[0]
    assert lines[1].endswith("column tall: 'x' is not a number")
    assert lines[2] == "column void is empty in the training rows; exclude it"


@pytest.mark.parametrize("name", [LABEL, WEIGHT, "_row"])
def test_names_of_our_own_files_are_refused(name: str) -> None:
    refused(f"column {name}: the files of preprocess use this name", None, {name: ["1"] * ROWS})


def test_a_column_of_lists_hurts_only_where_it_is_asked_for() -> None:
    lists = {"lists": [[i] for i in range(ROWS)]}
    refused("column lists: a column of type list", None, lists)
    assert prepared({"exclude": ["lists"]}, lists).schema.features == ("number", "color")


# ---- warnings


def test_an_index_is_named_or_left_out() -> None:
    counting = [str(i) for i in range(ROWS)]
    found = prepared(None, {"n": counting, "": counting, "__index_level_0__": counting})
    assert found.schema.features == ("number", "color", "n")
    assert "column n counts the rows, like an index; exclude it" in found.warnings
    assert "column '' is left out: an index, not data" in found.warnings
    assert "column '__index_level_0__' is left out: an index, not data" in found.warnings


def test_a_category_that_names_single_things_is_named() -> None:
    keys = {
        "split": {"by": "group", "column": "shop", "validation": 0.2, "test": 0.2},
        "kinds": {"shop": "category"},
    }
    found = prepared(keys, {"shop": [f"shop {i // 3}" for i in range(ROWS)]})
    said = "column shop: 12 of 12 test rows hold a category that training never saw"
    assert any(warning.startswith(said) for warning in found.warnings)


def test_a_leak_is_named_also_where_it_is_no_feature() -> None:
    leak = [("0", "9")[i % 2] for i in range(ROWS)]
    found = prepared({"exclude": ["after"]}, {"after": leak})
    assert (found.strengths[0].column, found.strengths[0].value) == ("after", 1)
    assert not found.strengths[0].used
    assert found.warnings[0].startswith(
        "leakage: after alone gives auc 1.000 (is no feature, keep it so)"
    )
    named = {item.column for item in found.strengths}
    assert named == {"number", "color", "after"}
    loud = prepared({"leakage": {"threshold": 0}}, {"after": leak})
    assert all(item.suspect for item in loud.strengths)


def test_errors_of_settings_and_of_data_are_told_apart() -> None:
    with pytest.raises(SettingsError):
        prepared({"columns": ["y"]})
    with pytest.raises(DataError):
        prepared(None, {"y": ["no"] * ROWS})
    assert Column("x") == Column("x", "number")
