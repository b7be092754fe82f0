"""What a tuning job or CreateAlgorithm wants to know of our training: names, ranges, metrics.

    python -m canarywood.training.metadata > training-specification.json

The JSON is the TrainingSpecification of CreateAlgorithm without image and instance types. Ranges
are those within which a tuning job may look; XGBoost itself checks what a job is given.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from canarywood.training import metrics, phrases, trial

CONTENT_TYPES = (
    "text/csv",
    "text/libsvm",
    "application/x-parquet",
    "application/x-recordio-protobuf",
)
MOST_METRICS = 40  # that CreateTrainingJob takes


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter.

    Attributes:
        kind: Integer, Continuous, Categorical or FreeText.
        low, high: the range of a number.
        values: of a category.
    """

    name: str
    help: str
    kind: str = "FreeText"
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    default: str | None = None
    tunable: bool = False

    def to_json(self) -> dict[str, Any]:
        """As HyperParameterSpecification."""
        found: dict[str, Any] = {
            "Name": self.name,
            "Description": self.help,
            "Type": self.kind,
            "IsTunable": self.tunable,
            "IsRequired": False,
        }
        bounds = {}
        if self.low_high:
            low, high = (f"{end:.10g}" for end in self.low_high)
            bounds = {"MinValue": low, "MaxValue": high}
        if self.kind in ("Integer", "Continuous"):
            found["Range"] = {f"{self.kind}ParameterRangeSpecification": bounds}
        elif self.kind == "Categorical":
            values = {"Values": list(self.values)}
            found["Range"] = {"CategoricalParameterRangeSpecification": values}
        if self.default is not None:
            found["DefaultValue"] = self.default
        return found

    @property
    def low_high(self) -> tuple[float, float] | None:
        """The range of a number."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def _whole(
    name: str, low: int, high: int, default: int | None, help_: str, *, tunable: bool = False
) -> Parameter:
    text = None if default is None else str(default)
    return Parameter(name, help_, "Integer", low, high, default=text, tunable=tunable)


def _number(
    name: str, low: float, high: float, default: float, help_: str, *, tunable: bool = True
) -> Parameter:
    return Parameter(name, help_, "Continuous", low, high, default=f"{default:g}", tunable=tunable)


def _choice(name: str, values: tuple[str, ...], default: str | None, help_: str) -> Parameter:
    return Parameter(name, help_, "Categorical", values=values, default=default)


_FLAG = ("true", "false")
PARAMETERS = (
    _whole("num_round", 1, 4000, 100, "Boosting rounds.", tunable=True),
    _whole("early_stopping_rounds", 1, 4000, None, "Stop after so many rounds without gain."),
    _whole("max_depth", 0, 16, 6, "Depth of a tree.", tunable=True),
    _whole("max_leaves", 0, 4096, 0, "Leaves of a tree; 0 for no limit.", tunable=True),
    _whole("max_bin", 2, 4096, 256, "Bins of a feature."),
    _whole("num_parallel_tree", 1, 1000, 1, "Trees of a round."),
    _whole("seed", 0, 2**31 - 1, 0, "Of every random draw."),
    _number("eta", 0, 1, 0.3, "Learning rate."),
    _number("gamma", 0, 1000, 0, "Loss that a split must save."),
    _number("min_child_weight", 0, 1000, 1, "Hessian that a child must hold."),
    _number("max_delta_step", 0, 100, 0, "Largest step of a leaf; 0 for no limit."),
    _number("subsample", 0.05, 1, 1, "Share of rows for each tree."),
    _number("colsample_bytree", 0.05, 1, 1, "Share of features for each tree."),
    _number("colsample_bylevel", 0.05, 1, 1, "Share of features for each level."),
    _number("colsample_bynode", 0.05, 1, 1, "Share of features for each split."),
    _number("lambda", 0, 1000, 1, "L2 penalty."),
    _number("alpha", 0, 1000, 0, "L1 penalty."),
    _number("scale_pos_weight", 0.001, 1000, 1, "Weight of the positive rows."),
    _number("rate_drop", 0, 1, 0, "dart: share of trees that is dropped."),
    _number("skip_drop", 0, 1, 0, "dart: chance that a round drops none."),
    _number("tweedie_variance_power", 1.01, 1.99, 1.5, "reg:tweedie: from Poisson to gamma."),
    _choice("booster", ("gbtree", "gblinear", "dart"), "gbtree", "Kind of model."),
    _choice("tree_method", ("auto", "exact", "approx", "hist"), "auto", "How splits are found."),
    _choice("grow_policy", ("depthwise", "lossguide"), "depthwise", "Which node is split next."),
    _choice("save_model_on_termination", _FLAG, "true", "Save the model on SIGTERM."),
    _choice("csv_weights", ("0", "1"), "0", "The second CSV column is the weight."),
    _whole("num_class", 2, 100_000, None, "Classes, for multi: objectives."),
    _whole("checkpoint_interval", 1, 4000, 10, "Rounds between two checkpoints."),
    _whole("_kfold", 2, 100, None, "Folds of a cross-validation."),
    _whole("_num_cv_round", 1, 100, 1, "How often all folds are made anew."),
    Parameter("objective", "What is minimised, as in binary:logistic."),
    Parameter("eval_metric", "Metrics, separated by commas."),
    Parameter("monotone_constraints", "Directions, by position or by feature name."),
    Parameter("interaction_constraints", "Groups of features, by position or by name."),
    Parameter("quantile_alpha", "reg:quantileerror: the quantiles."),
    Parameter("weight_column", "Column of the row weights."),
    Parameter("qid_column", "Column of the groups, for rank: objectives."),
    Parameter("label_column", "Columns of the labels."),
    Parameter("base_margin_column", "Column of the margins to start from."),
    Parameter("_tuning_objective_metric", "Set by a tuning job, as in validation:auc."),
)


def metric_definitions() -> list[dict[str, str]]:
    """Name and regular expression of every metric of `validation`, as in SageMaker's own image."""
    names = sorted({*phrases.METRICS, *metrics.NAMES})
    return [
        {
            "Name": f"validation:{name}",
            # CloudWatch shows a TAB as #011
            "Regex": rf".*\[[0-9]+\].*#011validation-{name}:(\S+)",
        }
        for name in names
    ]


def tuning_objectives() -> list[dict[str, str]]:
    """Which way each metric is better."""
    return [
        {
            "MetricName": definition["Name"],
            "Type": "Maximize"
            if metrics.rises(definition["Name"].removeprefix("validation:"))
            else "Minimize",
        }
        for definition in metric_definitions()
    ]


def specification() -> dict[str, Any]:
    """The TrainingSpecification, without image and instance types."""
    return {
        "SupportedHyperParameters": [
            {**item.to_json(), **_objectives(item)} for item in PARAMETERS
        ],
        "SupportsDistributedTraining": True,
        "MetricDefinitions": metric_definitions(),
        "SupportedTuningJobObjectiveMetrics": tuning_objectives(),
        "TrainingChannels": [_channel("train", required=True), _channel("validation")],
    }


def _objectives(item: Parameter) -> dict[str, Any]:
    """XGBoost's own list of objectives, as the values of that one parameter."""
    if item.name != "objective":
        return {}
    values = {"Values": trial.objectives()}
    return {"Type": "Categorical", "Range": {"CategoricalParameterRangeSpecification": values}}


def _channel(name: str, *, required: bool = False) -> dict[str, Any]:
    return {
        "Name": name,
        "IsRequired": required,
        "SupportedContentTypes": list(CONTENT_TYPES),
        "SupportedCompressionTypes": ["None", "Gzip"],
        "SupportedInputModes": ["File", "FastFile", "Pipe"],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(specification(), indent=2) + "\n")
