"""Preparation as a whole: small tables in, parts, a schema and warnings out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood.errors import CanarywoodError, DataError, SettingsError
from canarywood.preparation.pipeline import Prepared, prepare
from canarywood.preparation.spec import DataSpec
from canarywood.schema.definition import Column, Derived, Target
from canarywood.schema.table import LABEL, WEIGHT, encode, labels, weights

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
        ({"derived": {"d": {"op": "ratio", "of": "number"}}}, "ratio takes 2, not 1"),
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


# ---- the parts


def test_parts_are_distinct_and_together_all_rows() -> None:
    numbers = [[row["number"] for row in part.to_pylist()] for part in prepared().parts.values()]
    train, validation, test = map(set, numbers)
    assert [len(part) for part in numbers] == [42, 9, 9]
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert train | validation | test == {i / 4 for i in range(ROWS)}


def test_rows_that_stand_in_two_parts_are_counted() -> None:
    found = prepared(None, {"number": ["1"] * ROWS, "color": ["red"] * ROWS})
    assert found.facts["test_rows_also_in_train"] == 9
    assert found.facts["validation_rows_also_in_train"] == 9
    assert prepared().facts["test_rows_also_in_train"] == 0


def test_the_same_seed_gives_the_same_parts_and_another_others() -> None:
    first, again = prepared(), prepared()
    other = prepared({"split": {"seed": 1}})
    assert first.parts["test"].equals(again.parts["test"])
    assert not first.parts["test"].equals(other.parts["test"])


def test_weights_and_slices_go_with_the_rows() -> None:
    more = {"w": [str(i) for i in range(ROWS)], "city": [f" town {i % 2} " for i in range(ROWS)]}
    found = prepared({"weight": "w", "exclude": ["city"], "slices": ["city", "color"]}, more)
    assert found.schema.features == ("number", "color")
    for part in found.parts.values():
        for row in part.to_pylist():
            assert row[WEIGHT] == row["number"] * 4
            assert row["city"] == f"town {row[WEIGHT] % 2:g}"
        assert part.column_names == ["number", "color", "city", WEIGHT, LABEL]
    refused("column w: a weight must be 0 or more", {"weight": "w"}, {"w": ["-1"] * ROWS})


def test_a_bad_cell_is_named_by_its_row_in_the_file(tmp_path: Any) -> None:
    from canarywood.schema.table import read_tables

    lines = [f"{i},{i % 2}" for i in range(ROWS)]
    lines[0], lines[41] = "5,", "oops,1"  # the first row has no label and is left out
    (tmp_path / "a.csv").write_text("n,y\n" + "\n".join(lines) + "\n")
    spec = DataSpec.from_json({"target": "y", "kinds": {"n": "number"}})
    for seed in range(4):  # in whichever part the row is
        keys = DataSpec.from_json(
            {"target": "y", "kinds": {"n": "number"}, "split": {"seed": seed}}
        )
        with pytest.raises(DataError, match=r"a\.csv, row 42, column n: 'oops' is not a number"):
            prepare(keys, {"data": read_tables(tmp_path)})
    assert spec.target.column == "y"


numbers = st.one_of(
    st.floats(-1e6, 1e6).map(repr), st.sampled_from(["", "NA", "-0", "+.5", " 7 ", "1e-50"])
)
colors = st.sampled_from(["red", " red", "7", "7.0", "", "?", "NA ", "-999"])
times = st.sampled_from(["2013-04-01", "2013-04-01T06:00:00Z", "", "NA", " 2013-05-01 07:00 "])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, colors, times), min_size=20, max_size=40))
def test_the_files_of_preprocess_read_as_the_raw_rows_do(
    rows: list[tuple[str, str, str]],
) -> None:
    table = pa.table(
        {
            "n": [row[0] for row in rows],
            "c": [row[1] for row in rows],
            "t": [row[2] for row in rows],
            "k": ["fixed"] * len(rows),
            "y": [str(i % 2) for i in range(len(rows))],
            "w": [str(i) for i in range(len(rows))],
        }
    )
    spec = DataSpec.from_json(
        {
            "target": "y",
            "weight": "w",
            "columns": {
                "n": "number",
                "c": {"kind": "category", "categories": ["red", 7]},
                "t": "time",
                "k": "category",
            },
            "derived": {
                "hour": {"op": "time_hour", "of": "t"},
                "gap": {"op": "is_missing", "of": "c"},
            },
            "split": {"validation": 0, "test": 0},
            "missing": ["NA", "?", -999],
        }
    )
    found = prepare(spec, {"data": table})
    schema, clean = found.schema, found.parts["train"]
    raw = encode(table, schema)
    assert encode(clean, schema).view(np.uint32).tolist() == raw.view(np.uint32).tolist()
    assert labels(clean, schema).tolist() == labels(table, schema).tolist()
    assert (weights(clean, schema) == weights(table, schema)).all()  # type: ignore[union-attr]  # both are there
    again = prepare_again(clean)
    assert encode(again, schema).view(np.uint32).tolist() == raw.view(np.uint32).tolist()


def prepare_again(clean: pa.Table) -> pa.Table:
    """The cells as text, as if the files of preprocess were written to CSV and read again."""
    return pa.table(
        {
            name: ["" if v is None else str(v) for v in clean.column(name).to_pylist()]
            for name in clean.column_names
        }
    )


def test_errors_of_settings_and_of_data_are_told_apart() -> None:
    with pytest.raises(SettingsError):
        prepared({"columns": ["y"]})
    with pytest.raises(DataError):
        prepared(None, {"y": ["no"] * ROWS})
    assert Column("x") == Column("x", "number")
