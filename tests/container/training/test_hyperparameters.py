from __future__ import annotations

import warnings

import numpy as np
import pytest
import xgboost as xgb

from canarywood.errors import HyperparameterError
from canarywood.schema.definition import Target
from canarywood.training import hyperparameters, metrics, phrases, trial
from canarywood.training.folds import Folds
from canarywood.training.hyperparameters import Hyperparameters, check

BINARY = Target("y", "binary")
CLASSES = Target("y", "multiclass", classes=("a", "b", "c"))
NUMBER = Target("y", "regression")


def faults(texts: dict[str, str], target: Target | None = None) -> list[str]:
    with pytest.raises(HyperparameterError) as caught:
        check(texts, target)
    return str(caught.value).splitlines()


def test_nothing_given_is_squared_error_for_a_hundred_rounds() -> None:
    assert check({}) == Hyperparameters(booster={"objective": "reg:squarederror"})
    assert check({}).num_round == 100


@pytest.mark.parametrize(
    ("target", "parameters"),
    [
        (BINARY, {"objective": "binary:logistic"}),
        (CLASSES, {"objective": "multi:softprob", "num_class": 3}),
        (NUMBER, {"objective": "reg:squarederror"}),
    ],
)
def test_the_schema_gives_the_objective(target: Target, parameters: dict[str, object]) -> None:
    assert check({}, target).booster == parameters


def test_sagemakers_own_names_are_typed_and_kept_from_xgboost() -> None:
    found = check(
        {
            "num_round": "12",
            "early_stopping_rounds": "3",
            "csv_weights": "1",
            "save_model_on_termination": "false",
            "max_depth": "4",
            "eta": "1e-1",
            "_tuning_objective_metric": "validation:auc",
            "sagemaker_program": '"train.py"',
            "_num_cv_round": "0",
            "checkpoint_interval": "7",
        }
    )

    assert found == Hyperparameters(
        booster={
            "max_depth": 4,
            "eta": 0.1,
            "objective": "reg:squarederror",
            "eval_metric": ["auc"],
        },
        num_round=12,
        early_stopping_rounds=3,
        metrics=("auc",),
        stopping_metric="auc",
        checkpoint_interval=7,
        csv_weights=True,
        save_model_on_termination=False,
    )


@pytest.mark.parametrize("name", ["num_boost_round", "n_estimators"])
def test_other_names_of_num_round_are_taken_with_a_note(name: str) -> None:
    found = check({name: "7"})

    assert found.num_round == 7
    assert found.notes == (f"{name} is taken as num_round, SageMaker's name for it",)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            {"max_detph": "3"},
            "max_detph: XGBoost has no such hyperparameter; did you mean max_depth?",
        ),
        (
            {"early_stoping_rounds": "3"},
            "early_stoping_rounds: XGBoost has no such hyperparameter; "
            "did you mean early_stopping_rounds?",
        ),
        ({"foo": "3"}, "foo: XGBoost has no such hyperparameter"),
        ({"silent": "0"}, "silent: XGBoost has no such hyperparameter; use verbosity"),
        ({"max_depth": "-1"}, "max_depth = '-1': must be at least 0"),
        ({"max_depth": "3.5"}, "max_depth = '3.5': must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate = 'fast': must be a number"),
        ({"max_depth": "9" * 20}, f"max_depth = '{'9' * 20}': is too large or too small"),
        ({"subsample": "2"}, "subsample = '2': must lie between 0 and 1"),
        ({"eta": "nan"}, "eta = 'nan': must be a finite number"),
        ({"eta": "1e400"}, "eta = '1e400': must be a finite number"),
        ({"seed_per_iteration": "maybe"}, "seed_per_iteration = 'maybe': must be true or false"),
        (
            {"grow_policy": "wide"},
            "grow_policy = 'wide': must be one of depthwise, lossguide",
        ),
        (
            {"tree_method": "fast"},
            "tree_method = 'fast': must be one of approx, auto, exact, hist",
        ),
        ({"booster": "forest"}, "booster = 'forest': must be one of gbtree, gblinear, dart"),
        (
            {"objective": "binary:logistc"},
            "objective = 'binary:logistc': XGBoost has no such objective; "
            "did you mean binary:logistic?",
        ),
        (
            {"eval_metric": "auc,eror"},
            "eval_metric = 'auc,eror': XGBoost has no metric eror; did you mean error?",
        ),
        (
            {"objective": "binary:logistic", "eval_metric": "mlogloss"},
            "eval_metric = 'mlogloss': XGBoost refuses it: MultiClassEvaluation: label must be in "
            "[0, num_class), num_class=1 but found 1 in label",
        ),
        ({"eval_metric": "[]"}, "eval_metric = '[]': must name a metric, as in auc"),
        (
            {"device": "fpga"},
            "device = 'fpga': must be cpu, cuda or cuda:<number>, as in cuda:0",
        ),
        (
            {"objective": "binary:logistic", "base_score": "2"},
            "base_score = '2': must lie between 0 and 1 for this objective",
        ),
        (
            {"objective": "reg:quantileerror"},
            "objective = 'reg:quantileerror': needs quantile_alpha as well, as in 0.5",
        ),
        (
            {"objective": "reg:quantileerror", "quantile_alpha": "2"},
            "quantile_alpha = '2': XGBoost refuses it: quantile alpha must be in the range "
            "[0.0, 1.0].",
        ),
        (
            {"objective": "multi:softmax"},
            "num_class: multi:softmax needs the number of classes",
        ),
        ({"objective": "multi:softmax", "num_class": "0"}, "num_class = '0': must be at least 1"),
        (
            {"num_class": "3"},
            "num_class = '3': is for multi: objectives, not for reg:squarederror",
        ),
        ({"verbosity": "9"}, "verbosity = '9': must be 0, 1, 2 or 3"),
        ({"num_round": "0"}, "num_round = '0': must be a whole number from 1"),
        ({"num_round": "1e2"}, "num_round = '1e2': must be a whole number from 1"),
        ({"csv_weights": "2"}, "csv_weights = '2': must be true or false"),
        ({"_kfold": "1"}, "_kfold = '1': must be a whole number from 2"),
        (
            {"eta": "1", "learning_rate": "1"},
            "eta and learning_rate mean the same; give one of them",
        ),
        (
            {"num_round": "5", "n_estimators": "5"},
            "num_round and n_estimators mean the same; give num_round alone",
        ),
    ],
)
def test_one_plain_sentence_says_what_is_wrong(texts: dict[str, str], sentence: str) -> None:
    assert faults(texts) == [sentence]


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = faults({"eta": "-1", "max_detph": "3", "max_depth": "x", "num_round": "-5"})

    assert sorted(found) == [
        "eta = '-1': must be at least 0",
        "max_depth = 'x': must be a whole number",
        "max_detph: XGBoost has no such hyperparameter; did you mean max_depth?",
        "num_round = '-5': must be a whole number from 1",
    ]


@pytest.mark.parametrize(
    ("objective", "target", "sentence"),
    [
        (
            "binary:logistic",
            CLASSES,
            "objective = 'binary:logistic': does not suit a multiclass target; "
            "leave it out to get multi:softprob",
        ),
        (
            "binary:logistic",
            NUMBER,
            "objective = 'binary:logistic': does not suit a regression target; "
            "leave it out to get reg:squarederror",
        ),
    ],
)
def test_an_objective_must_suit_the_target(objective: str, target: Target, sentence: str) -> None:
    assert faults({"objective": objective}, target) == [sentence]


def test_num_class_must_be_the_schemas() -> None:
    assert faults({"num_class": "4"}, CLASSES) == ["num_class = '4': the schema has 3 classes"]


def test_a_gpu_that_is_not_there_is_an_error_and_not_a_slow_cpu() -> None:
    if xgb.build_info()["USE_CUDA"]:
        pytest.skip("this XGBoost may find a GPU")
    said = "there is no GPU here that this XGBoost can use"

    assert faults({"device": "cuda"}) == [f"device = 'cuda': {said}; set it to cpu"]
    assert faults({"tree_method": "gpu_hist"}) == [
        f"device = 'cuda': {said} (tree_method=gpu_hist asks for one); set it to cpu"
    ]


def test_old_spellings_are_taken_with_a_note() -> None:
    found = check({"objective": "reg:linear", "tree_method": "gpu_hist", "device": "cpu"})

    assert found.booster == {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "device": "cpu",
    }
    assert found.notes == (
        "tree_method=gpu_hist is taken as tree_method=hist with device=cuda",
        "objective=reg:linear is taken as reg:squarederror, its new name",
    )


def test_a_parameter_of_another_booster_is_a_note() -> None:
    assert check({"booster": "gblinear", "max_depth": "3"}).notes == (
        "max_depth has no effect on booster gblinear with reg:squarederror",
    )


@pytest.mark.parametrize(
    "texts",
    [
        {"device": "cpu"},
        {"objective": "reg:quantileerror", "quantile_alpha": "[0.1,0.9]"},
        {"multi_strategy": "multi_output_tree"},
        {"enable_categorical": "true"},
        {"max_cat_to_onehot": "8", "max_cat_threshold": "16"},
        {"monotone_constraints": "(1,-1)"},
        {"objective": "multi:softprob", "num_class": "3", "eval_metric": "auc"},
        {"objective": "binary:logistic", "eval_metric": "error@0.7"},
        {"objective": "reg:squarederror", "eval_metric": "ndcg"},
        {"booster": "dart", "rate_drop": "0.1", "sample_type": "weighted"},
        {"booster": "gblinear", "updater": "coord_descent", "feature_selector": "greedy"},
        {"num_parallel_tree": "100000000"},
        {"objective": "multi:softprob", "num_class": "1000000000"},
    ],
)
def test_what_xgboost_takes_is_taken(texts: dict[str, str]) -> None:
    assert check(texts).notes == ()


def test_every_objective_of_xgboost_passes() -> None:
    passed = set()
    for objective in trial.objectives():
        needed = {"multi": {"num_class": "3"}, "reg:q": {"quantile_alpha": "0.5"}}
        needed["reg:expectile"] = {"expectile_alpha": "0.5"}  # since 3.4
        extra = next((v for k, v in needed.items() if objective.startswith(k)), {})
        passed.add(check({"objective": objective, **extra}).booster["objective"])
    assert {"binary:logistic", "multi:softprob", "rank:ndcg", "survival:aft"} <= passed


@pytest.mark.parametrize(
    ("texts", "columns", "folds"),
    [
        ({"label_column": "a, b"}, {"label": ("a", "b")}, None),
        ({"qid_column": "q", "weight_column": "w"}, {"qid": ("q",), "weight": ("w",)}, None),
        ({"_kfold": "5", "seed": "7"}, {}, Folds(5, seed=7)),
        ({"_kfold": "5", "_num_cv_round": "3"}, {}, Folds(5, 3)),
        ({"_kfold": "4", "_kfold_group": "who"}, {"fold": ("who",)}, Folds(4, by="group")),
        ({"_kfold": "4", "_kfold_time": "day"}, {"fold": ("day",)}, Folds(4, by="time")),
        ({"_kfold_time": "day"}, {}, None),
    ],
)
def test_columns_and_folds_are_read(
    texts: dict[str, str], columns: dict[str, tuple[str, ...]], folds: Folds | None
) -> None:
    found = check(texts)

    assert (found.columns, found.folds) == (columns, folds)


def test_known_names_are_read_out_of_xgboost() -> None:
    names = trial.known_names()

    assert {"max_depth", "eta", "learning_rate", "rate_drop", "feature_selector"} <= names
    assert {"quantile_alpha", "tweedie_variance_power", "huber_slope", "num_class"} <= names
    assert not {"name", "num_feature", "updater_seq"} & names
    for first, second in hyperparameters.ALIASES:
        assert {first, second} <= names


def test_every_metric_in_our_hints_is_one_of_xgboosts() -> None:
    for metric in phrases.METRICS:
        error = trial.attempt({"eval_metric": metric}).error or ""
        assert "Unknown metric" not in error


def test_sagemakers_metrics_in_our_hints_are_those_that_we_compute() -> None:
    assert set(phrases.SAGEMAKERS_METRICS) == set(metrics.NAMES)
    assert faults({"eval_metric": "acuracy"}) == [
        "eval_metric = 'acuracy': XGBoost has no metric acuracy; did you mean accuracy?"
    ]


def test_metrics_keep_their_order_and_xgboost_gets_its_own_alone() -> None:
    found = check(
        {
            "objective": "binary:logistic",
            "eval_metric": "f1,auc,recall,logloss,auc",
            "_tuning_objective_metric": "validation:accuracy",
        }
    )

    assert found.metrics == ("f1", "auc", "recall", "logloss", "accuracy")
    assert found.own_metrics == ("f1", "recall", "accuracy")
    assert found.stopping_metric == "accuracy"
    assert found.booster["eval_metric"] == ["auc", "logloss"]


def test_without_a_tuning_job_the_last_metric_stops_training() -> None:
    found = check({"objective": "binary:logistic", "eval_metric": "auc,f1"})

    assert found.stopping_metric == "f1"
    assert check({}).stopping_metric is None


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            {"eval_metric": "accuracy"},
            "eval_metric = 'accuracy': is for binary: and multi: objectives, "
            "not for reg:squarederror",
        ),
        (
            {"objective": "multi:softprob", "num_class": "3", "eval_metric": "precision"},
            "eval_metric = 'precision': is for two classes; use precision_macro",
        ),
        (
            {"objective": "multi:softmax", "num_class": "3", "eval_metric": "f1_binary"},
            "eval_metric = 'f1_binary': is for two classes; use f1_macro",
        ),
        (
            {"objective": "multi:softmax", "num_class": "3", "eval_metric": "r2"},
            "eval_metric = 'r2': is for a number, not for multi:softmax",
        ),
    ],
)
def test_a_metric_that_does_not_suit_the_objective_is_named(
    texts: dict[str, str], sentence: str
) -> None:
    assert faults(texts) == [sentence]


def test_the_check_leaves_xgboosts_verbosity_as_it_was() -> None:
    before = xgb.get_config()["verbosity"]

    check({"verbosity": "3"})
    faults({"verbosity": "9"})

    assert xgb.get_config()["verbosity"] == before


def test_the_check_agrees_with_a_training_by_xgboost() -> None:
    data = xgb.DMatrix(np.arange(8.0).reshape(4, 2), label=[0, 1, 0, 1])
    for name, text in [("gamma", "-1"), ("max_bin", "1"), ("colsample_bytree", "1.5")]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(xgb.core.XGBoostError):
                xgb.train({name: text}, data, 1)
        assert faults({name: text})[0].startswith(f"{name} = '{text}': must ")
