"""evaluation.json: what is written, what is read, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from canarywood import reports
from canarywood.errors import DataError

NAN = math.nan


def test_a_metric_has_a_value_and_a_deviation():
    report = reports.build("binary", {"auc": 0.9}, {"auc": 0.01})
    assert report == {
        "version": 0.0,
        "binary_classification_metrics": {"auc": {"value": 0.9, "standard_deviation": 0.01}},
    }


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("binary", "binary_classification_metrics"),
        ("multiclass", "multiclass_classification_metrics"),
        ("regression", "regression_metrics"),
    ],
)
def test_each_task_has_the_group_that_model_monitor_names(task, kind):
    report = reports.build(task, {"x": 1.0}, {})
    assert list(report) == ["version", kind]
    assert reports.task(report) == task


def test_undefined_becomes_null_and_an_unknown_deviation_the_text_nan(tmp_path: Path):
    path = tmp_path / "evaluation" / "evaluation.json"
    reports.write(path, reports.build("binary", {"auc": NAN, "f1": 0.5}, {"f1": NAN}))

    def refuse(token: str) -> None:
        raise AssertionError(token)

    found = json.loads(path.read_text(), parse_constant=refuse)["binary_classification_metrics"]
    assert found == {
        "auc": {"value": None, "standard_deviation": "NaN"},
        "f1": {"value": 0.5, "standard_deviation": "NaN"},
    }


def test_what_was_written_is_read_back(tmp_path: Path):
    report = reports.build(
        "regression",
        {"rmse": 2.25},
        {"rmse": 0.125},
        facts={"dataset": {"item_count": 10}},
        tables={"curve": {"x": [0.0, 1.0]}},
    )
    reports.write(tmp_path / "evaluation.json", report)
    found = reports.read(tmp_path / "evaluation.json")
    assert found == report
    assert reports.metric(found, "rmse") == 2.25
    assert reports.deviation(found, "rmse") == 0.125
    assert reports.values(found) == {"rmse": 2.25}


def test_an_undefined_metric_never_passes_as_a_number():
    report = reports.build("binary", {"auc": NAN}, {})
    with pytest.raises(DataError, match="auc is undefined on these test rows"):
        reports.metric(report, "auc")


def test_a_wrong_name_is_answered_with_the_near_one():
    report = reports.build("multiclass", {"weighted_f1": 0.5, "accuracy": 0.6}, {})
    with pytest.raises(DataError, match="did you mean weighted_f1"):
        reports.metric(report, "wieghted_f1")
    with pytest.raises(DataError, match="It has: weighted_f1, accuracy"):
        reports.metric(report, "zzz")


def test_a_table_is_no_metric():
    report = reports.build("binary", {"auc": 0.5}, {}, tables={"confusion_matrix": {"0": {"0": 1}}})
    with pytest.raises(DataError, match="no metric confusion_matrix"):
        reports.metric(report, "confusion_matrix")


def test_the_deviation_may_stand_beside_the_metrics():
    report = reports.check(
        {"regression_metrics": {"mse": {"value": 4.9}, "standard_deviation": {"value": 2.2}}}
    )
    assert reports.metric(report, "mse") == 4.9
    assert reports.deviation(report, "mse") is None


def test_model_monitors_own_text_nan_is_an_unknown_deviation():
    report = reports.check(
        {"binary_classification_metrics": {"auc": {"value": 1.0, "standard_deviation": "NaN"}}}
    )
    assert reports.deviation(report, "auc") is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "JSON object"),
        ({}, "exactly one of"),
        ({"regression_metrics": {"a": {}}, "binary_classification_metrics": {}}, "exactly one of"),
        ({"regression_metrics": {}}, "object of metrics"),
        ({"regression_metrics": {"mse": 4}}, "mse must be an object"),
        ({"regression_metrics": {"mse": {"value": "4"}}}, "mse: value must be a number"),
        ({"regression_metrics": {"mse": {"value": True}}}, "mse: value must be a number"),
    ],
)
def test_what_is_no_report_is_refused_in_a_sentence(value, sentence, tmp_path: Path):
    with pytest.raises(DataError, match=sentence):
        reports.check(value)
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"evaluation\.json: .*" + sentence):
        reports.read(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"evaluation\.json is not there"):
        reports.read(tmp_path / "evaluation.json")
