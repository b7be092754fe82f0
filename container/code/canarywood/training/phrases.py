"""XGBoost's messages in plain words: for hyperparameters and for data. Standard library only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

# Hints only: XGBoost takes more (`error@0.7`, `ndcg@5-`), and has no list of its own to ask.
METRICS = (
    *(
        "aft-nloglik",
        "interval-regression-accuracy",
        "auc",
        "aucpr",
        "cox-nloglik",
        "error",
        "gamma-deviance",
        "gamma-nloglik",
        "logloss",
        "mae",
    ),
    *("map", "mape", "merror", "mlogloss", "mphe", "ndcg", "poisson-nloglik", "pre", "quantile"),
    *("rmse", "rmsle", "tweedie-nloglik"),
)
SAGEMAKERS_METRICS = (  # which canarywood.training.metrics computes
    *("accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "precision"),
    *("precision_macro", "precision_micro", "recall", "recall_macro", "recall_micro", "mse", "r2"),
)
_TYPES = {
    "int": "a whole number",
    "long": "a whole number",
    "unsigned long": "a whole number from 0",
    "unsigned int": "a whole number from 0",
    "float": "a number",
    "double": "a number",
    "boolean": "true or false",
}
_PATTERNS = (
    (r"for Parameter \S+ should be greater equal to (\S+)", "must be at least {0}"),
    (r"for Parameter \S+ should be smaller equal to (\S+)", "must be at most {0}"),
    (r"for Parameter \S+ exceed bound \[(\S+?),(\S+?)\]", "must lie between {0} and {1}"),
    (r"trailing characters could not be parsed", "must be a number"),
    (r"Out of range value", "is too large or too small"),
    (r"Unknown gbm type", "must be one of gbtree, gblinear, dart"),
    (r"Unknown tree updater", "is no tree updater of this XGBoost; leave it out"),
    (r"Invalid argument for `device`", "must be cpu, cuda or cuda:<number>, as in cuda:0"),
    (r"!quantile_alpha\.Get", "needs quantile_alpha as well, as in 0.5"),
    (r"base_score must be in \(0,\s*1\)", "must lie between 0 and 1 for this objective"),
)
# Messages about data, with what they mean; anything else is no fault of the user's data.
_DATA_FAULTS = (
    (r"label|relevance degre", "a label does not fit the objective or the metric"),
    (r"Weights must be", "a weight cannot be used"),
    (r"Invalid categorical value", "a category's code cannot be used"),
    (r"Input data contains `inf`", "a feature is too large for float32"),
)


def plain_error(text: str) -> str:
    """XGBoost's error without the time, the source line, and the C++ stack."""
    text = text.split("Stack trace:")[0]
    text = re.sub(r"^\[\d\d:\d\d:\d\d\] ", "", text.strip())
    text = re.sub(r"^(?:WARNING: )?\S+\.(?:cc|cu|h|cuh):\d+: ", "", text)
    return text.strip()


def sentence(name: str, value: Any, error: str) -> str:
    """One sentence: the parameter, its value, what XGBoost allows."""
    return f"{name} = {shown(value)}: {_allowed(value, error)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean max_depth?`, or nothing where no name is close."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def shown(value: Any) -> str:
    """A value in a message: short, in quotes."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _allowed(value: Any, error: str) -> str:
    """What follows the colon of the sentence."""
    if found := re.search(r"Invalid Parameter format for \S+ expect ([a-z ]+?) but", error):
        if type(value) is int and "whole" in _TYPES.get(found[1], ""):
            return "is too large or too small"
        return f"must be {_TYPES.get(found[1], found[1])}"
    if found := re.search(r"valid values are: \{(.*)\}", error):
        return f"must be one of {found[1].replace(chr(39), '').strip()}"
    if found := re.search(r"Unknown metric function (\S+)", error):
        known = (*METRICS, *SAGEMAKERS_METRICS)
        return f"XGBoost has no metric {found[1]}{did_you_mean(found[1].split('@')[0], known)}"
    if candidates := re.findall(r"Objective candidate: (\S+)", error):
        hint = did_you_mean(str(value), candidates)
        return f"XGBoost has no such objective{hint or '; it has ' + ', '.join(sorted(candidates))}"
    for pattern, text in _PATTERNS:
        if found := re.search(pattern, error):
            return text.format(*found.groups())
    return f"XGBoost refuses it: {last_words(error)}"


def last_words(error: str) -> str:
    """The part of a message that was written for people."""
    line = " ".join(plain_error(error).split())
    found = re.search(r"Check failed: .*?: (?=\S)(.*)", line)
    return (found[1] if found else line).removeprefix("Check failed: ")


def data_fault(text: str) -> str | None:
    """A sentence about the data for a message of XGBoost's, or None where it is not about data."""
    line = " ".join(plain_error(text).split())
    for pattern, words in _DATA_FAULTS:
        if re.search(pattern, line, re.IGNORECASE):
            return f"{words} (XGBoost: {last_words(line)})"
    return None
