"""The data section: every key is checked, and a fault is named by its path."""

from __future__ import annotations

from typing import Any

import pytest

from canarywood.errors import SettingsError
from canarywood.preparation.spec import (
    ColumnSpec,
    DataSpec,
    DerivedSpec,
    JoinSpec,
    SplitSpec,
    TargetSpec,
)


def spec(**keys: Any) -> DataSpec:
    return DataSpec.from_json({"target": "y", **keys})


def test_a_target_alone_is_enough() -> None:
    assert spec() == DataSpec("model", TargetSpec("y"))
    assert spec().split == SplitSpec("random", 0.15, 0.15, seed=0)
    assert "NA" in spec().missing


def test_every_key_is_read() -> None:
    found = spec(
        name="flights",
        target={"column": "y", "above": 15, "classes": ["on time", "late"]},
        columns={
            "a": "number",
            "b": None,
            "c": {"kind": "category", "categories": [1, 2.0, "1"], "feature": False},
            "d": {"minimum": 0, "maximum": 1},
        },
        kinds={"b": "time", "d": "number"},
        exclude="x",
        joins=[{"table": "t", "on": "k", "columns": ["v"]}],
        derived={"r": {"op": "ratio", "of": ["a", "d"]}},
        split={
            "by": "time",
            "column": "at",
            "train": "2013-01-01",
            "validation": "2013-02-01",
            "test": 0.2,
            "end": "2014-01-01",
        },
        weight="w",
        slices=["c"],
        missing=["-", -999],
        unknown_category="error",
        absent_column="error",
        leakage={"threshold": 0.9},
    )
    assert found.target == TargetSpec("y", above=15, classes=("on time", "late"))
    assert found.column("a") == ColumnSpec("number")
    assert found.column("b") == ColumnSpec("time")
    assert found.column("c") == ColumnSpec("category", feature=False, categories=("1", "2"))
    assert found.column("d") == ColumnSpec("number", minimum=0, maximum=1)
    assert found.exclude == ("x",)
    assert found.joins == (JoinSpec("t", ("k",), {"v": ColumnSpec()}),)
    assert found.derived == {"r": DerivedSpec("ratio", ("a", "d"))}
    assert found.split == SplitSpec(
        "time", "2013-02-01", 0.2, "at", train="2013-01-01", end="2014-01-01"
    )
    assert (found.weight, found.slices, found.missing) == ("w", ("c",), ("-", "-999"))
    assert (found.unknown_category, found.absent_column) == ("error", "error")
    assert (found.leakage_threshold, found.name) == (0.9, "flights")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"colums": []}, r"data: no key 'colums'; did you mean 'columns'\?"),
        ({"zzz": 1}, "data: no key 'zzz'$"),
        ({"target": None}, "data.target: expected a mapping, found None"),
        ({"target": {"above": 1}}, "data.target.column is missing"),
        (
            {"target": {"column": "y", "abve": 1}},
            "data.target: no key 'abve'; did you mean 'above'",
        ),
        ({"target": {"column": "y", "above": "15"}}, "data.target.above: '15' is not a number"),
        ({"target": {"column": "y", "above": True}}, "data.target.above: True is not a number"),
        ({"target": {"column": "y", "task": "rank"}}, "data.target.task: 'rank' is not one of"),
        ({"target": {"column": "y", "classes": [[1]]}}, "data.target.classes: a list is not a te"),
        ({"columns": {"a": "numbr"}}, "data.columns.a: 'numbr' is not one of number, category, t"),
        ({"columns": {"a": {"kind": "x"}}}, "data.columns.a.kind: 'x' is not one of"),
        ({"columns": {"a": {"knd": "x"}}}, "data.columns.a: no key 'knd'; did you mean 'kind'"),
        ({"columns": {"a": {"minimum": "0"}}}, "data.columns.a.minimum: '0' is not a number"),
        (
            {"columns": {"a": {"feature": "no"}}},
            "data.columns.a.feature: 'no' is not true or false",
        ),
        ({"columns": {"a": 5}}, "data.columns.a: expected a mapping, found 5"),
        ({"columns": "a"}, "data.columns: expected a mapping"),
        ({"kinds": {"a": "text"}}, "data.kinds.a: 'text' is not one of"),
        ({"exclude": 5}, "data.exclude: expected a list of names, found 5"),
        ({"joins": {}}, "data.joins: expected a list"),
        ({"joins": [{"table": "t"}]}, r"data.joins\[0\]: on, columns must be given"),
        ({"joins": [{"tabel": "t"}]}, r"data.joins\[0\]: no key 'tabel'; did you mean 'table'"),
        ({"derived": []}, "data.derived: expected a mapping"),
        ({"derived": {"d": {"op": "sum"}}}, "data.derived.d: of must be given"),
        ({"derived": {"d": {"op": "sum", "fo": "a"}}}, "data.derived.d: no key 'fo'"),
        ({"derived": {"d": {"op": "python", "of": "a", "function": 5}}}, "data.derived.d.function"),
        ({"split": {"by": "chance"}}, "data.split.by: 'chance' is not one of random, group, time"),
        ({"split": {"by": "group"}}, "data.split.column must be given for a split by group"),
        ({"split": {"by": "time"}}, "data.split.column must be given for a split by time"),
        ({"split": {"column": "a"}}, "data.split: no key 'column'"),
        ({"split": {"test": 1}}, "data.split.test: 1 is not a share between 0 and 1"),
        ({"split": {"test": -0.1}}, "data.split.test: -0.1 is not a share"),
        ({"split": {"test": "2013-01-01"}}, "data.split.test: '2013-01-01' is not a share"),
        ({"split": {"validation": None}}, "data.split.validation: None is not a share"),
        ({"split": {"validation": True}}, "data.split.validation: True is not a share"),
        ({"split": {"by": "time", "column": "a", "test": None}}, "data.split.test: .*nor a time"),
        ({"split": {"by": "time", "column": "a", "end": 2014}}, "data.split.end: expected a text"),
        ({"split": {"seed": "abc"}}, "data.split.seed: 'abc' is not a whole number"),
        ({"split": {"seed": -1}}, "data.split.seed: -1 is not a whole number from 0"),
        ({"split": {"stratify": "yes"}}, "data.split.stratify: 'yes' is not true or false"),
        ({"weight": ["w"]}, "data.weight: expected a text"),
        ({"slices": {"a": 1}}, "data.slices: expected a list of names"),
        ({"missing": [["NA"]]}, "data.missing: a list is not a text"),
        (
            {"unknown_category": "drop"},
            "data.unknown_category: 'drop' is not one of missing, error",
        ),
        ({"absent_column": "drop"}, "data.absent_column: 'drop' is not one of missing, error"),
        ({"leakage": {"treshold": 1}}, "data.leakage: no key 'treshold'; did you mean 'threshold'"),
        ({"leakage": {"threshold": "high"}}, "data.leakage.threshold: 'high' is not a number"),
    ],
)
def test_a_fault_is_named_by_its_path(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        spec(**keys)


@pytest.mark.parametrize("value", [None, [], "y", 5])
def test_a_section_that_is_no_mapping_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="data: expected a mapping"):
        DataSpec.from_json(value)
    with pytest.raises(SettingsError, match=r"data\.target is missing"):
        DataSpec.from_json({})
