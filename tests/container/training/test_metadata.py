"""What we tell a tuning job holds in a training."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from canarywood.training import hyperparameters, metadata, trial
from canarywood.training.hyperparameters import check
from canarywood.training.metadata import PARAMETERS, Parameter
from tests.container.commands.jobs import CODE

OURS = {*hyperparameters.OUR_NAMES, "_kfold", "_num_cv_round", "_tuning_objective_metric"}
NEEDED = {
    "num_class": {"objective": "multi:softprob"},
    "rate_drop": {"booster": "dart"},
    "skip_drop": {"booster": "dart"},
    "tweedie_variance_power": {"objective": "reg:tweedie"},
    "scale_pos_weight": {"objective": "binary:logistic"},
}


def test_every_hyperparameter_is_one_of_xgboosts_or_ours() -> None:
    known = {*trial.known_names(), *OURS}

    assert {item.name for item in PARAMETERS} <= known


@pytest.mark.parametrize("item", PARAMETERS, ids=lambda item: item.name)
def test_both_ends_of_a_range_and_the_default_are_taken(item: Parameter) -> None:
    texts = [*item.values, *([item.default] if item.default else [])]
    if item.low_high:
        texts += [f"{end:g}" for end in item.low_high]
        if item.kind == "Integer":
            texts[-2:] = [str(int(end)) for end in item.low_high]

    for text in texts:
        assert check({**NEEDED.get(item.name, {}), item.name: text})


def test_defaults_are_those_of_xgboost() -> None:
    stated = {item.name: item.default for item in PARAMETERS if item.default}

    with_defaults = check({name: stated[name] for name in ("eta", "max_depth", "lambda", "gamma")})
    assert with_defaults.booster == {
        "eta": 0.3,
        "max_depth": 6,
        "lambda": 1,
        "gamma": 0,
        "objective": "reg:squarederror",
    }
    assert stated["num_round"] == str(hyperparameters.DEFAULT_ROUNDS)
    assert stated["checkpoint_interval"] == str(hyperparameters.DEFAULT_INTERVAL)


def test_the_regular_expressions_find_a_line_of_training() -> None:
    line = "[7]#011train-auc:0.9#011train-f1:0.8#011validation-auc:0.71234#011validation-f1:0.6"
    found = {
        item["Name"]: match[1].split("#")[0]
        for item in metadata.metric_definitions()
        if (match := re.match(item["Regex"], line))
    }

    assert found == {"validation:auc": "0.71234", "validation:f1": "0.6"}


def test_the_platforms_limits_are_kept() -> None:
    definitions = metadata.metric_definitions()

    assert len(definitions) <= metadata.MOST_METRICS
    assert all(len(item["Regex"]) <= 500 for item in definitions)
    assert len(PARAMETERS) <= 100


def test_every_metric_has_its_direction() -> None:
    found = {item["MetricName"]: item["Type"] for item in metadata.tuning_objectives()}

    assert found["validation:auc"] == found["validation:f1_macro"] == "Maximize"
    assert found["validation:logloss"] == found["validation:mape"] == "Minimize"
    assert found["validation:mse"] == "Minimize"
    assert len(found) == len(metadata.metric_definitions())


def test_the_command_prints_the_specification_as_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "canarywood.training.metadata"],
        env={"PYTHONPATH": str(CODE)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)

    by_name = {item["Name"]: item for item in found["SupportedHyperParameters"]}
    assert by_name["eta"] == {
        "Name": "eta",
        "Description": "Learning rate.",
        "Type": "Continuous",
        "Range": {"ContinuousParameterRangeSpecification": {"MinValue": "0", "MaxValue": "1"}},
        "IsTunable": True,
        "IsRequired": False,
        "DefaultValue": "0.3",
    }
    seed = by_name["seed"]["Range"]["IntegerParameterRangeSpecification"]
    assert seed == {"MinValue": "0", "MaxValue": "2147483647"}
    values = by_name["objective"]["Range"]["CategoricalParameterRangeSpecification"]["Values"]
    assert {"binary:logistic", "rank:ndcg", "survival:aft"} <= set(values)
    assert [item["Name"] for item in found["TrainingChannels"]] == ["train", "validation"]
