"""Everything that one evaluation found: what evaluation.json and the page are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from canarywood.evaluation.bootstrap import deviations
from canarywood.evaluation.columns import ColumnFacts
from canarywood.evaluation.curves import precision_recall_curve, roc_curve
from canarywood.evaluation.importance import Importance
from canarywood.evaluation.metrics import Binary, Floats, Multiclass, Regression, Scored
from canarywood.evaluation.slices import Slice
from canarywood.reports import Report, Task, build, entry
from canarywood.schema.definition import Target

HEADLINE: dict[Task, str] = {"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}


@dataclass(frozen=True)
class Alone:
    """What one column tells of the target by itself, measured by preprocess on training rows.

    Attributes:
        metric: auc (0.5 is nothing) or r2 (0 is nothing).
        used: whether the column is a feature.
    """

    column: str
    metric: str
    value: float
    used: bool


@dataclass(frozen=True)
class Evaluation:
    """One model on one set of test rows.

    Attributes:
        values: every metric by name, the user's own among them; NaN where undefined.
        deviations: standard deviations of ours.
        own: names of the user's metrics.
        slices: by column.
        model: facts of the model, written as they are: versions, hyperparameters, sha256.
        warnings: sentences of preprocess, such as a column that gives the target away.
        alone: what single columns tell, if preprocess said so.
        created: UTC, ISO 8601.
    """

    name: str
    target: Target
    scored: Scored
    weights: Floats
    is_weighted: bool
    values: Mapping[str, float]
    deviations: Mapping[str, float]
    created: str
    own: Sequence[str] = ()
    slices: Mapping[str, Sequence[Slice]] = field(default_factory=dict)
    columns: Sequence[ColumnFacts] = ()
    importances: Sequence[Importance] = ()
    model: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    alone: Sequence[Alone] = ()

    @property
    def headline(self) -> str:
        """The metric that slices show and that stands first."""
        return HEADLINE[self.target.task]

    def report(self) -> Report:
        """The same as evaluation.json holds it."""
        facts: dict[str, Any] = {
            "dataset": {"item_count": self.scored.rows, "evaluation_time": self.created},
            "model": {"name": self.name, **_model_facts(self.model)},
        }
        if self.target.classes:
            facts["classes"] = list(self.target.classes)
        if self.slices:
            facts["slices"] = {
                column: {
                    each.label: {
                        "item_count": each.rows,
                        self.headline: entry(each.value, each.deviation),
                    }
                    for each in found
                }
                for column, found in self.slices.items()
            }
        return build(
            self.target.task, self.values, self.deviations, tables=self._tables(), facts=facts
        )

    def _tables(self) -> dict[str, Any]:
        """Confusion matrix and curves, as Model Monitor names them."""
        if isinstance(self.scored, Multiclass):
            return {"confusion_matrix": _nested(self.scored.confusion(self.weights).tolist())}
        if not isinstance(self.scored, Binary):
            return {}
        found = self.scored.confusion(self.weights)
        roc = roc_curve(self.scored, self.weights)
        precision_recall = precision_recall_curve(self.scored, self.weights)
        return {
            "confusion_matrix": _nested(
                [
                    [found.true_negative, found.false_positive],
                    [found.false_negative, found.true_positive],
                ]
            ),
            "receiver_operating_characteristic_curve": {
                "false_positive_rates": [x for x, _ in roc],
                "true_positive_rates": [y for _, y in roc],
            },
            "precision_recall_curve": {
                "precisions": [y for _, y in precision_recall],
                "recalls": [x for x, _ in precision_recall],
            },
        }


def scored(target: Target, truth: Floats, scores: Floats) -> Scored:
    """The metrics of the target's task."""
    if target.task == "binary":
        return Binary(truth, scores)
    if target.task == "multiclass":
        return Multiclass(truth, scores, len(target.classes))
    return Regression(truth, scores)


def measured(found: Scored, weights: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics and their standard deviations."""
    return found.metrics(weights), deviations(found, weights)


def _nested(cells: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
    """Cells by true and predicted class; counts are whole numbers where no row is weighted."""
    return {
        str(i): {str(k): int(v) if v == int(v) else v for k, v in enumerate(row)}
        for i, row in enumerate(cells)
    }


def _model_facts(model: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("created", "canarywood", "xgboost", "objective", "sha256", "rounds", "best_iteration")
    return {name: model[name] for name in kept if name in model}
