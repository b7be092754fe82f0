"""evaluation.json: metrics in the shape of SageMaker's model quality statistics.

Standard library only: the image writes these files, gates and the operator's side read them.

    {"version": 0.0, "dataset": {...}, "binary_classification_metrics":
        {"auc": {"value": 0.91, "standard_deviation": 0.004}, "confusion_matrix": {...}, ...}}

Source of the names: AWS, "Model quality metrics and Amazon CloudWatch monitoring". The file is
strict JSON: an undefined value is null, an unknown deviation the text "NaN", as Model Monitor
writes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from canarywood.contract import read_json, write_json
from canarywood.errors import DataError

Report = dict[str, Any]
Task = Literal["binary", "multiclass", "regression"]

VERSION = 0.0  # of Model Monitor's statistics files
KINDS: dict[Task, str] = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
UNKNOWN_DEVIATION = "NaN"


def build(
    task: Task,
    values: Mapping[str, float],
    deviations: Mapping[str, float],
    *,
    tables: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Report:
    """One report.

    Args:
        values: the metrics by name; NaN becomes null.
        deviations: standard deviations by the same names; missing or NaN becomes "NaN".
        tables: what is no single number: confusion_matrix and curves, beside the metrics.
        facts: further parts of the file, such as dataset, slices, model.
    """
    metrics: dict[str, Any] = dict(tables or {})
    for name, value in values.items():
        metrics[name] = entry(value, deviations.get(name, math.nan))
    return {"version": VERSION, **(facts or {}), KINDS[task]: metrics}


def entry(value: float, deviation: float = math.nan) -> dict[str, float | str | None]:
    """One metric as the schema has it."""
    return {
        "value": float(value) if math.isfinite(value) else None,
        "standard_deviation": float(deviation) if math.isfinite(deviation) else UNKNOWN_DEVIATION,
    }


def write(path: Path, report: Report) -> None:
    """Check and write the report; NaN and infinity are refused by the writer."""
    check(report)
    write_json(path, report)


def read(path: Path) -> Report:
    """Read and check a report; raises DataError with the file's name."""
    value = read_json(path)
    try:
        return check(value)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def check(value: object) -> Report:
    """The value as a report, if it is one; raises DataError saying what is wrong.

    Reports of other tools pass: entries without a deviation, and `standard_deviation` standing
    beside the metrics.
    """
    if not isinstance(value, dict):
        raise DataError("a report must be a JSON object")
    kinds = [kind for kind in KINDS.values() if kind in value]
    if len(kinds) != 1:
        raise DataError(f"a report must hold exactly one of {', '.join(KINDS.values())}")
    metrics = value[kinds[0]]
    if not isinstance(metrics, dict) or not metrics:
        raise DataError(f"{kinds[0]} must be an object of metrics")
    for name, item in metrics.items():
        if not isinstance(item, dict):
            raise DataError(f"{kinds[0]}: {name} must be an object with a value")
        if "value" in item and not _is_number_or_null(item["value"]):
            raise DataError(f"{kinds[0]}: {name}: value must be a number or null")
    return value


def task(report: Report) -> Task:
    """The task that the report is about."""
    for found, kind in KINDS.items():
        if kind in report:
            return found
    raise DataError("the report holds no metrics")


def values(report: Report) -> dict[str, float | None]:
    """Every metric that is one number, by name; None where undefined."""
    return {
        name: None if item["value"] is None else float(item["value"])
        for name, item in report[KINDS[task(report)]].items()
        if "value" in item
    }


def metric(report: Report, name: str) -> float:
    """One metric; raises DataError where there is none of this name, or where it is undefined."""
    found = values(report)
    if name not in found:
        close = get_close_matches(name, found, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise DataError(f"the report has no metric {name}{hint} It has: {', '.join(found)}")
    value = found[name]
    if value is None or not math.isfinite(value):
        raise DataError(
            f"{name} is undefined on these test rows (for instance: only one class among them)"
        )
    return value


def deviation(report: Report, name: str) -> float | None:
    """The standard deviation of a metric; None where it is not known."""
    metric(report, name)
    item = report[KINDS[task(report)]][name]
    found = item.get("standard_deviation")
    return float(found) if _is_number(found) and math.isfinite(found) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_number_or_null(value: object) -> bool:
    return value is None or _is_number(value)
