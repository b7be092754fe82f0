"""From SageMaker's strings to checked parameters: all that is wrong is said at once.

Three kinds of names: ours and SageMaker's (`num_round`, `csv_weights`, ...), which are checked
here; the platform's (`_tuning_objective_metric`, `sagemaker_*`), which are taken and not used; and
XGBoost's, which XGBoost itself checks (`canarywood.training.trial`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canarywood.errors import HyperparameterError
from canarywood.schema.definition import Target
from canarywood.training import metrics, trial
from canarywood.training.folds import Folds
from canarywood.training.phrases import did_you_mean, shown
from canarywood.training.values import is_finite, typed, words

DEFAULT_ROUNDS = 100
DEFAULT_INTERVAL = 10  # rounds between two checkpoints
DEFAULT_OBJECTIVE = "reg:squarederror"  # XGBoost's, and so that of SageMaker's own image
OBJECTIVES = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": DEFAULT_OBJECTIVE,
}
ROUND_NAMES = ("num_round", "num_boost_round", "n_estimators")
# Columns with a role, by the hyperparameter that names them.
COLUMN_NAMES = {
    "label_column": "label",
    "weight_column": "weight",
    "qid_column": "qid",
    "base_margin_column": "base_margin",
    "label_lower_bound_column": "label_lower_bound",
    "label_upper_bound_column": "label_upper_bound",
}
FOLD_COLUMNS = {"_kfold_group": "group", "_kfold_time": "time"}
OUR_NAMES = (
    *ROUND_NAMES,
    "early_stopping_rounds",
    "csv_weights",
    "save_model_on_termination",
    "enable_categorical",
    "checkpoint_interval",
    *COLUMN_NAMES,
)
# Names for one and the same parameter of XGBoost.
ALIASES = (
    ("eta", "learning_rate"),
    ("gamma", "min_split_loss"),
    ("lambda", "reg_lambda"),
    ("alpha", "reg_alpha"),
    ("seed", "random_state"),
    ("nthread", "n_jobs"),
)
# Names that XGBoost once had, or that other tools use.
REPLACED = {"silent": "verbosity", "gpu_id": "device", "predictor": "device"}
NOT_YET = ("use_dask_gpu_training",)
TUNING_METRIC = "_tuning_objective_metric"


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a training job, checked.

    Attributes:
        booster: what XGBoost gets, typed.
        metrics: asked for, in order, XGBoost's own and others; none asked for: XGBoost's default.
        stopping_metric: what early stopping looks at; the last one of the line where None.
        folds: of a cross-validation, or None.
        columns: names of columns by role (canarywood.training.columns).
        checkpoint_interval: rounds between two checkpoints, where the job has a folder for them.
        notes: what was replaced or has no effect, one sentence each.
    """

    booster: dict[str, Any]
    num_round: int = DEFAULT_ROUNDS
    early_stopping_rounds: int | None = None
    csv_weights: bool = False
    metrics: tuple[str, ...] = ()
    stopping_metric: str | None = None
    checkpoint_interval: int = DEFAULT_INTERVAL
    folds: Folds | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    save_model_on_termination: bool = True
    notes: tuple[str, ...] = ()

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """The metrics that XGBoost does not have."""
        return tuple(name for name in self.metrics if name in metrics.NAMES)


@dataclass
class _Draft:
    """Values on their way, with what was found about them."""

    texts: Mapping[str, str]
    values: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, name: str, value: Any, allowed: str) -> None:
        self.faults.append(f"{name} = {shown(self.texts.get(name, value))}: {allowed}")


def check(texts: Mapping[str, str], target: Target | None = None) -> Hyperparameters:
    """Type and check the hyperparameters of a job.

    Args:
        texts: as in hyperparameters.json.
        target: of the schema, where there is one: gives objective and num_class.

    Raises:
        HyperparameterError: all that is wrong, one sentence for each.
    """
    draft = _Draft(texts, {name: typed(text) for name, text in texts.items()})
    tuned = _tuned_metric(draft)
    columns = _columns(draft)
    folds = _folds(draft, columns)
    _drop_platform_names(draft)
    _refuse_infinite(draft)
    rounds = _rounds(draft)
    early = _whole(draft, "early_stopping_rounds", None)
    interval = _whole(draft, "checkpoint_interval", DEFAULT_INTERVAL)
    weights = _flag(draft, "csv_weights", default=False)
    save = _flag(draft, "save_model_on_termination", default=True)
    if not _flag(draft, "enable_categorical", default=True):
        draft.notes.append("enable_categorical has no effect: the schema says what is a category")
    _modernise(draft)
    _choose_objective(draft, target)
    asked = _split_metrics(draft, tuned)
    _refuse_twins(draft)
    _ask_xgboost(draft)
    if draft.faults:
        raise HyperparameterError("\n".join(draft.faults))
    return Hyperparameters(
        booster=draft.values,
        num_round=rounds if rounds is not None else DEFAULT_ROUNDS,
        early_stopping_rounds=early,
        csv_weights=weights,
        metrics=asked,
        folds=folds,
        columns=columns,
        stopping_metric=tuned or (asked[-1] if asked else None),
        checkpoint_interval=interval or DEFAULT_INTERVAL,
        save_model_on_termination=save,
        notes=tuple(draft.notes),
    )


def _drop_platform_names(draft: _Draft) -> None:
    """Take out what SageMaker or its SDK adds for itself."""
    for name in list(draft.values):
        if name in NOT_YET:
            value = draft.values.pop(name)
            if value not in (0, False):
                draft.refuse(name, value, "is not supported yet; leave it out")
        elif name.startswith(("_", "sagemaker_")):
            del draft.values[name]


def _columns(draft: _Draft) -> dict[str, tuple[str, ...]]:
    """Columns with a role; only labels may be several."""
    found: dict[str, tuple[str, ...]] = {}
    for name, role in COLUMN_NAMES.items():
        if name in draft.values:
            value = draft.values.pop(name)
            found[role] = tuple(words(value))
            if not found[role] or (len(found[role]) > 1 and role != "label"):
                draft.refuse(name, value, "must name one column")
    return found


def _folds(draft: _Draft, columns: dict[str, tuple[str, ...]]) -> Folds | None:
    """The cross-validation asked for; SageMaker's names begin with an underscore, so ours too."""
    count = _whole(draft, "_kfold", None, least=2, none=(0,))
    rounds = _whole(draft, "_num_cv_round", 1, none=(0,))
    given = [name for name in FOLD_COLUMNS if name in draft.values]
    by = "rows"
    for name in given:
        by = FOLD_COLUMNS[name]
        columns["fold"] = (str(draft.values.pop(name)),)
    if count is None:
        columns.pop("fold", None)
        return None
    if len(given) > 1:
        draft.faults.append(f"{' and '.join(given)}: rows are split by one of them")
    if by == "time" and rounds != 1:
        draft.faults.append("_num_cv_round: rows in order of time are split in one way only")
    seed = draft.values.get("seed", draft.values.get("random_state", 0))
    return Folds(count, rounds or 1, by, seed if isinstance(seed, int) else 0)


def _tuned_metric(draft: _Draft) -> str | None:
    """The metric that a tuning job looks at: `validation:auc` -> auc."""
    value = str(draft.values.get(TUNING_METRIC, "")).strip()
    return value.rpartition(":")[2] or None


def _split_metrics(draft: _Draft, tuned: str | None) -> tuple[str, ...]:
    """All metrics asked for, in order; XGBoost is left with those that are its own."""
    values = draft.values
    asked = list(dict.fromkeys([*values.pop("eval_metric", ()), *([tuned] if tuned else ())]))
    objective, classes = str(values.get("objective", "")), values.get("num_class", 2)
    for name in asked:
        if objective and (reason := metrics.unsuitable(name, objective, classes)):
            draft.faults.append(f"eval_metric = {name!r}: {reason}")
    own = [name for name in asked if name not in metrics.NAMES]
    if own:
        values["eval_metric"] = own
    return tuple(asked)


def _refuse_infinite(draft: _Draft) -> None:
    """XGBoost takes `nan` for eta and trains a model of NaN."""
    for name, value in list(draft.values.items()):
        if not is_finite(value):
            draft.refuse(name, draft.values.pop(name), "must be a finite number")


def _rounds(draft: _Draft) -> int | None:
    """The number of rounds under any of its names."""
    given = [name for name in ROUND_NAMES if name in draft.values]
    if len(given) > 1:
        draft.faults.append(f"{' and '.join(given)} mean the same; give num_round alone")
    for name in given:
        if name != ROUND_NAMES[0]:
            draft.notes.append(f"{name} is taken as num_round, SageMaker's name for it")
    found = [_whole(draft, name, None) for name in given]
    return found[0] if found else None


def _modernise(draft: _Draft) -> None:
    """Old spellings that XGBoost no longer takes, or takes under protest."""
    values = draft.values
    if values.get("tree_method") == "gpu_hist":
        values["tree_method"] = "hist"
        values.setdefault("device", "cuda")
        draft.notes.append("tree_method=gpu_hist is taken as tree_method=hist with device=cuda")
    if values.get("objective") == "reg:linear":
        values["objective"] = "reg:squarederror"
        draft.notes.append("objective=reg:linear is taken as reg:squarederror, its new name")
    if "eval_metric" in values:
        values["eval_metric"] = words(values["eval_metric"])
        if not values["eval_metric"]:
            draft.refuse("eval_metric", values.pop("eval_metric"), "must name a metric, as in auc")
    verbosity = values.get("verbosity", 1)
    if type(verbosity) is not int or verbosity not in range(4):
        draft.refuse("verbosity", values.pop("verbosity"), "must be 0, 1, 2 or 3")


def _choose_objective(draft: _Draft, target: Target | None) -> None:
    """The objective and the number of classes: given, or by the target's task."""
    values = draft.values
    task = target.task if target else None
    objective = values.setdefault("objective", OBJECTIVES.get(task or "", DEFAULT_OBJECTIVE))
    kind = str(objective).split(":")[0]
    if task and not _suits(kind, task):
        allowed = f"does not suit a {task} target; leave it out to get {OBJECTIVES[task]}"
        draft.refuse("objective", objective, allowed)
    classes = len(target.classes) if target and kind == "multi" else 0
    if kind == "multi":
        _count_classes(draft, classes)
    elif "num_class" in values:
        value = values.pop("num_class")
        if value not in (0, 1):
            draft.refuse("num_class", value, f"is for multi: objectives, not for {objective}")


def _suits(kind: str, task: str) -> bool:
    if kind == "rank":  # a class's number can be a grade
        return True
    if task == "multiclass":
        return kind == "multi"
    return kind not in (("binary", "multi") if task == "regression" else ())


def _count_classes(draft: _Draft, classes: int) -> None:
    values = draft.values
    if classes and values.setdefault("num_class", classes) != classes:
        draft.refuse("num_class", values["num_class"], f"the schema has {classes} classes")
        values["num_class"] = classes
    if "num_class" not in values:
        draft.faults.append(f"num_class: {values['objective']} needs the number of classes")
        values["num_class"] = 2


def _refuse_twins(draft: _Draft) -> None:
    """XGBoost takes the one or the other, without a word."""
    for first, second in ALIASES:
        if first in draft.values and second in draft.values:
            draft.faults.append(f"{first} and {second} mean the same; give one of them")


def _ask_xgboost(draft: _Draft) -> None:
    """Faults and unknown names, by XGBoost; and whether the GPU asked for is there."""
    found = trial.faults(draft.values)
    draft.faults += found.values()
    sound = {name: value for name, value in draft.values.items() if name not in found}
    outcome = trial.attempt(sound)
    known = trial.known_names() if outcome.unused else set()
    for name in sorted(outcome.unused):
        if name in known:
            booster = f"booster {sound.get('booster', 'gbtree')} with {sound.get('objective')}"
            draft.notes.append(f"{name} has no effect on {booster}")
        else:
            hint = did_you_mean(name, {*known, *OUR_NAMES})
            if name in REPLACED:
                hint = f"; use {REPLACED[name]}"
            draft.faults.append(f"{name}: XGBoost has no such hyperparameter{hint}")
    device = str(sound.get("device", "cpu"))
    if device != "cpu" and outcome.error is None and outcome.device == "cpu":
        asked = "" if "device" in draft.texts else " (tree_method=gpu_hist asks for one)"
        draft.refuse(
            "device",
            device,
            f"there is no GPU here that this XGBoost can use{asked}; set it to cpu",
        )


def _whole(
    draft: _Draft, name: str, default: int | None, *, least: int = 1, none: tuple[int, ...] = ()
) -> int | None:
    """Take out a whole number from `least`; `none` stands for the default."""
    value = draft.values.pop(name, default)
    if value in none:
        return default
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        return value
    draft.refuse(name, value, f"must be a whole number from {least}")
    return default


def _flag(draft: _Draft, name: str, *, default: bool) -> bool:
    """Take out a truth value; 0 and 1 are SageMaker's spelling of some."""
    value = draft.values.pop(name, default)
    if value in (0, 1):
        return bool(value)
    draft.refuse(name, value, "must be true or false")
    return default
