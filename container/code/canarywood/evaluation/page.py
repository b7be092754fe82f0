"""The report page: one HTML file without scripts or anything fetched, for screen and paper.

Names and categories come from the data and are hostile: Jinja2's autoescape is on, and only
pictures (canarywood.evaluation.svg, which escapes too) are let through as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from canarywood.evaluation.columns import ColumnFacts
from canarywood.evaluation.curves import cutoffs
from canarywood.evaluation.evaluation import Evaluation
from canarywood.evaluation.figures import sections
from canarywood.evaluation.metrics import Binary, Multiclass
from canarywood.evaluation.svg import number, percent, shortened
from canarywood.evaluation.verdict import outcome, verdict

FOLDER = Path(__file__).parent
MOST_CATEGORIES = 8  # written out of one column
SHOWN_THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))

# Names and one line of meaning of what stands in large figures on top.
KEY_FIGURES: dict[str, dict[str, tuple[str, str]]] = {
    "binary": {
        "auc": ("AUC", "order of the rows; 0.5 is guessing, 1 perfect"),
        "average_precision": ("Average precision", "purity of the picks, over all thresholds"),
        "brier_score": ("Brier score", "squared error of the probabilities; 0 is best"),
        "expected_calibration_error": (
            "Calibration error",
            "mean gap between the probability said and what came",
        ),
    },
    "multiclass": {
        "accuracy": ("Accuracy", "share of rows with the right class"),
        "weighted_f1": ("Weighted F1", "precision and recall, classes by size"),
        "macro_auc": ("Macro AUC", "order of the rows, every class counting alike"),
        "log_loss": ("Log loss", "price of the probabilities; 0 is best"),
    },
    "regression": {
        "rmse": ("RMSE", "root of the mean squared error; large errors count more"),
        "mae": ("MAE", "mean absolute error"),
        "r2": ("R²", "share of the spread explained; 1 is perfect"),
        "absolute_error_p90": ("90% within", "nine of ten predictions are closer than this"),
    },
}
FACTS = (
    ("created", "Trained"),
    ("objective", "Objective"),
    ("rounds", "Rounds kept"),
    ("best_iteration", "Best iteration"),
    ("features", "Features"),
    ("xgboost", "XGBoost"),
    ("canarywood", "Canarywood"),
    ("python", "Python"),
)


@dataclass(frozen=True)
class KeyFigure:
    """One large number on top of the page."""

    name: str
    value: str
    deviation: str
    meaning: str


def render(evaluation: Evaluation) -> str:
    """The whole page."""
    return _template().render(
        evaluation=evaluation,
        verdict=verdict(evaluation),
        key_figures=_key_figures(evaluation),
        notes=_notes(evaluation),
        sections=sections(evaluation),
        cutoffs=_cutoffs(evaluation),
        classes=_classes(evaluation),
        metrics=_metrics(evaluation),
        facts=[(name, evaluation.model[key]) for key, name in FACTS if _has(evaluation, key)],
        hyperparameters=_pairs(evaluation.model.get("hyperparameters", {})),
        training=[(n, number(v)) for n, v in evaluation.model.get("metrics", {}).items()],
        digests=_pairs(evaluation.model.get("sha256", {})),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, percent=percent, share=_share, contents=contents, shortened=shortened
    )
    # our own style sheet, a file of this folder: trusted as it is
    environment.globals["style"] = Markup((FOLDER / "page.css").read_text(encoding="utf-8"))  # noqa: S704
    return environment.get_template("page.html.j2")


def contents(facts: ColumnFacts) -> str:
    """What a column may hold, as training saw it, in one line."""
    column = facts.column
    if column.kind == "category":
        shown = ", ".join(shortened(name, 24) for name in column.categories[:MOST_CATEGORIES])
        more = len(column.categories) - MOST_CATEGORIES
        return f"{shown} and {more} more" if more > 0 else shown
    if column.low is None or column.high is None:
        return ""
    return f"{_bound(column.low)} to {_bound(column.high)}"


def _bound(value: float) -> str:
    """An end of a range: a year or a time of day gets no thousands separator."""
    return f"{value:.0f}" if value.is_integer() and 0 <= value < 10_000 else number(value)


def _share(value: float) -> Markup | str:
    if value != value:
        return "n/a"
    return percent(value) if value else Markup('<span class="zero">0%</span>')


def _key_figures(evaluation: Evaluation) -> list[KeyFigure]:
    return [
        KeyFigure(name, number(evaluation.values[key]), _plus_minus(evaluation, key), meaning)
        for key, (name, meaning) in KEY_FIGURES[evaluation.target.task].items()
        if key in evaluation.values
    ]


def _plus_minus(evaluation: Evaluation, key: str) -> str:
    deviation = evaluation.deviations.get(key, float("nan"))
    return f"± {number(deviation)}" if deviation == deviation else ""


def _notes(evaluation: Evaluation) -> list[str]:
    """What a reader should know before believing the figures."""
    notes = list(evaluation.warnings)
    for facts in evaluation.columns:
        if facts.unknown:
            share = percent(facts.unknown / evaluation.scored.rows)
            notes.append(
                f"{facts.column.name}: {facts.unknown:,} rows ({share}) hold a category that "
                "training never saw; they were read as missing."
            )
    outside = [facts.column.name for facts in evaluation.columns if (facts.outside or 0) > 0.05]
    if outside:
        notes.append(
            f"More than 5% of the test rows lie outside the range of training in: "
            f"{', '.join(outside)}."
        )
    if evaluation.scored.rows < 200:
        notes.append(
            f"There are only {evaluation.scored.rows:,} test rows: every figure here is rough, "
            "and no deviation is given below 200."
        )
    return notes


def _cutoffs(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The threshold table of a binary model."""
    if not isinstance(evaluation.scored, Binary):
        return []
    found = cutoffs(evaluation.scored, evaluation.weights)
    return [
        {"cutoff": each, **each.confusion.rates()}
        for each in found
        if each.threshold in SHOWN_THRESHOLDS or each.is_best_f1
    ]


def _classes(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The class table of a multiclass model."""
    if not isinstance(evaluation.scored, Multiclass):
        return []
    found = evaluation.scored.of_each_class(evaluation.weights)
    return [{"name": outcome(evaluation.target, k), **each} for k, each in enumerate(found)]


def _metrics(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """Every metric: name, value, deviation, and what the best constant answer reaches."""
    values = evaluation.values
    rows = []
    for name, value in values.items():
        if "_best_constant_" in name:
            continue
        constant = next(
            (number(values[other]) for other in values if other.startswith(f"{name}_best_const")),
            "",
        )
        own = "yours" if name in evaluation.own else constant
        rows.append((name, number(value), _plus_minus(evaluation, name), own))
    return rows


def _has(evaluation: Evaluation, key: str) -> bool:
    return evaluation.model.get(key) is not None


def _pairs(values: Mapping[str, Any] | Sequence[Any]) -> list[tuple[str, str]]:
    """Settings as text, sorted by name."""
    if not isinstance(values, Mapping):
        return []
    return [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in sorted(values.items())
    ]
