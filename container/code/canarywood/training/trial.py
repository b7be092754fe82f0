"""Ask XGBoost itself about parameters: one tiny booster, one round, on made rows.

A list of parameters and ranges of our own would be wrong at XGBoost's next release. Instead the
parameters are tried, what XGBoost refuses is found by leaving out one parameter at a time, and its
messages become one sentence each.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb

from canarywood.training.phrases import plain_error, sentence

ROWS = 8
# Tried with a small value in place of a large one: the number of rows or trees must stay tiny.
_CLAMPED = {"num_class": ROWS, "num_parallel_tree": 2}
# XGBoost keeps `verbosity` for the whole process, also where it refuses the value.
_NOT_TRIED = ("verbosity", "monotone_constraints", "interaction_constraints")
# Put in place of a refused value that others need, so that they are not refused with it.
_STAND_INS = {"quantile_alpha": 0.5, "num_class": ROWS}
# Asked last when the culprit of an error is sought: other parameters depend on these.
_CENTRAL = ("tree_method", "num_class", "booster", "objective")
# Parts of XGBoost's configuration that are not parameters.
_INTERNAL = frozenset(
    {
        *("name", "num_feature", "num_target", "num_trees", "rng_state"),
        *("specified_updater", "updater_seq"),
    }
)


@dataclass(frozen=True)
class Outcome:
    """What XGBoost said to a set of parameters.

    Attributes:
        error: its error without stack and time, or None.
        unused: names that this booster with this objective does not know.
        device: what it would train on, `cpu` where a GPU was asked for and is not there.
    """

    error: str | None = None
    unused: frozenset[str] = frozenset()
    device: str = "cpu"


def attempt(parameters: Mapping[str, Any]) -> Outcome:
    """Configure a booster, train one round on eight rows, evaluate once."""
    tried = {name: _clamp(name, value) for name, value in parameters.items()}
    for name in _NOT_TRIED:
        tried.pop(name, None)
    if not {"nthread", "n_jobs"} & set(tried):
        tried["nthread"] = 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            data = _made_rows(str(tried.get("objective", "")), tried.get("num_class"))
            booster = xgb.Booster({**tried, "validate_parameters": True}, [data])
            booster.update(data, 0)
            booster.eval(data)
            device = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
        except (xgb.core.XGBoostError, ValueError, TypeError) as error:
            return Outcome(error=plain_error(str(error)))
    return Outcome(unused=_unused(str(warning.message) for warning in caught), device=device)


def faults(parameters: Mapping[str, Any]) -> dict[str, str]:
    """One sentence for each parameter that XGBoost refuses, by name."""
    left = dict(parameters)
    found: dict[str, str] = {}
    while (error := attempt(left).error) is not None:
        name = _culprit(left, error)
        if name is None:
            found[""] = f"XGBoost refuses the hyperparameters together: {error}"
            break
        if name in _STAND_INS and name not in found:
            left[name] = _STAND_INS[name]
        else:
            del left[name]
        found.setdefault(name, sentence(name, parameters[name], error))
    return found


def objectives() -> list[str]:
    """The objectives that this XGBoost has, by its own list."""
    error = attempt({"objective": "?"}).error or ""
    return sorted(re.findall(r"Objective candidate: (\S+)", error))


def known_names() -> set[str]:
    """Every parameter name that this XGBoost knows, aliases included."""
    sets: list[dict[str, Any]] = [{"booster": name} for name in ("gbtree", "dart", "gblinear")]
    needed = {"num_class": 2, "quantile_alpha": 0.5}
    sets += [{"objective": name, **needed} for name in objectives()]
    names = {"eval_metric", "verbosity", *needed}
    for parameters in sets:
        names |= _configured(parameters)
    return names - _INTERNAL


def _configured(parameters: dict[str, Any]) -> set[str]:
    """Names in the configuration of a booster with these parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = _made_rows(parameters.get("objective", ""), parameters.get("num_class"))
        try:
            config = xgb.Booster({**parameters, "nthread": 1}, [data]).save_config()
        except xgb.core.XGBoostError:  # an objective that wants more than it was given
            return set()
    return set(_leaves(json.loads(config)["learner"]))


def _leaves(config: Mapping[str, Any]) -> Iterable[str]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        elif isinstance(value, list):
            for item in value:
                yield from _leaves(item) if isinstance(item, dict) else ()
        else:
            yield name


def _culprit(parameters: Mapping[str, Any], error: str) -> str | None:
    """The parameter without which XGBoost does not say this, the central ones asked last.

    A name in the message goes first: left out, num_class has a default that is refused as well.
    """
    named = re.search(r"for Parameter (\w+)", error)
    if named and named[1] in parameters:
        return named[1]
    asked = sorted(parameters, key=lambda name: (name in _CENTRAL, name))
    for name in asked:
        rest = {other: value for other, value in parameters.items() if other != name}
        if attempt(rest).error != error:
            return name
    return None


def _unused(messages: Iterable[str]) -> frozenset[str]:
    """Names in `Parameters: { "foo", "bar" } are not used.`"""
    lists = re.findall(r"Parameters: \{(.*?)\} are not used", " ".join(messages), re.DOTALL)
    return frozenset(name for text in lists for name in re.findall(r'"([^"]*)"', text))


def _clamp(name: str, value: Any) -> Any:
    limit = _CLAMPED.get(name)
    return min(value, limit) if limit is not None and isinstance(value, int) else value


def _made_rows(objective: str, num_class: Any) -> xgb.DMatrix:
    """Eight rows of two features with labels that suit the objective."""
    rows = np.arange(ROWS, dtype=np.float32)
    if objective.startswith("multi:"):
        labels = rows % max(1, num_class if isinstance(num_class, int) else 2)
    elif objective.startswith("binary:"):
        labels = rows % 2
    else:  # the one number that every regression objective, and every metric, takes
        labels = np.ones(ROWS, dtype=np.float32)
    bounds = {}
    if objective == "survival:aft":
        bounds = {"label_lower_bound": labels, "label_upper_bound": labels}
    return xgb.DMatrix(np.column_stack([rows, rows % 3]), label=labels, **bounds)
