"""Which pictures belong to which task, with their captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from canarywood.evaluation import charts, curves
from canarywood.evaluation.charts import BLUE, ORANGE, Bar, Interval, Line
from canarywood.evaluation.evaluation import Alone, Evaluation
from canarywood.evaluation.importance import Importance
from canarywood.evaluation.metrics import THRESHOLD, Binary, Multiclass, Regression, defined
from canarywood.evaluation.slices import Slice
from canarywood.evaluation.svg import Axis, number, percent
from canarywood.evaluation.verdict import outcome

MOST_FEATURES = 15
MOST_CELLS = 30  # classes that a confusion matrix can show


@dataclass(frozen=True)
class Figure:
    """One picture with its title and one or two sentences on how to read it."""

    title: str
    caption: str
    svg: Markup


@dataclass(frozen=True)
class Section:
    """A heading and its pictures."""

    title: str
    figures: tuple[Figure, ...]


def sections(evaluation: Evaluation) -> list[Section]:
    """Every section that has something to show, in the order of the page."""
    if isinstance(evaluation.scored, Binary):
        found = _binary(evaluation, evaluation.scored)
    elif isinstance(evaluation.scored, Multiclass):
        found = _multiclass(evaluation, evaluation.scored)
    elif isinstance(evaluation.scored, Regression):
        found = _regression(evaluation, evaluation.scored)
    else:
        raise TypeError(type(evaluation.scored).__name__)
    looks_at = (*_importance(evaluation), *_alone(evaluation.alone))
    found.append(Section("What it looks at", looks_at))
    found.append(Section("Where it is strong and weak", _slices(evaluation)))
    return [section for section in found if section.figures]


def _binary(evaluation: Evaluation, scored: Binary) -> list[Section]:
    word = outcome(evaluation.target)
    ranking = _ranking(evaluation, scored, word)
    calibration = charts.calibration_chart(
        "Calibration curve", curves.calibration(scored, evaluation.weights), word
    )
    probabilities = (
        Figure(
            "Do its probabilities hold?",
            "Rows grouped by the probability that the model gave them. On the dashed line, as "
            "many came as it said; the bars count the rows behind each point.",
            calibration,
        ),
        _scores_by_class(evaluation, scored, word),
    )
    return [
        Section("Telling the classes apart", ranking),
        Section("Probabilities", probabilities),
        Section("Decisions", (_binary_confusion(evaluation, scored),)),
    ]


def _ranking(evaluation: Evaluation, scored: Binary, word: str) -> tuple[Figure, ...]:
    roc = curves.roc_curve(scored, evaluation.weights)
    if not roc:
        return ()
    base = curves.share_of_positives(scored, evaluation.weights)
    values = evaluation.values
    guess = Line([(0, 0), (1, 1)], "dashed quiet", "guessing", (0.72, 0.65))
    roc_chart = charts.line_chart(
        "ROC curve",
        [guess, Line(roc, BLUE, f"AUC {values['auc']:.3f}", (0.97, 0.06), "end")],
        Axis(0, 1, "Share of the others also picked (false positive rate)", percent),
        Axis(0, 1, f"Share of {word} found (true positive rate)", percent),
    )
    # below its line, where the curve cannot be, unless there is no room
    under = base - 0.045 if base > 0.07 else base + 0.025
    constant = Line(
        [(0, base), (1, base)], "dashed quiet", f"guessing {percent(base)}", (0.99, under), "end"
    )
    precision = Line(
        curves.precision_recall_curve(scored, evaluation.weights),
        BLUE,
        f"average precision {values['average_precision']:.3f}",
        (0.97, 0.93),
        "end",
    )
    precision_chart = charts.line_chart(
        "Precision-recall curve",
        [constant, precision],
        Axis(0, 1, f"Share of {word} found (recall)", percent),
        Axis(0, 1, f"Share of the picked that are {word} (precision)", percent),
    )
    return (
        Figure(
            "Finding many, picking few wrong",
            "ROC curve: picking rows from the highest score down. The further above the dashed "
            "line, the better the order.",
            roc_chart,
        ),
        Figure(
            "How pure the picks are",
            "Precision-recall curve: the more one wants to find, the more of the picked rows are "
            "wrong.",
            precision_chart,
        ),
    )


def _scores_by_class(evaluation: Evaluation, scored: Binary, word: str) -> Figure:
    edges = np.linspace(0, 1, 26)
    groups = []
    for name, class_, label in ((outcome(evaluation.target, 0), BLUE, 0), (word, ORANGE, 1)):
        rows = scored.truth == label
        found = curves.histogram(scored.probabilities[rows], evaluation.weights[rows], edges)
        groups.append((name, class_, found))
    return Figure(
        "How far apart the scores lie",
        "Probabilities of the rows of each class, each class adding up to 100%. The less the two "
        "shapes overlap, the better.",
        charts.histogram_chart("Scores by class", groups, Axis(0, 1, "Probability said", percent)),
    )


def _binary_confusion(evaluation: Evaluation, scored: Binary) -> Figure:
    found = scored.confusion(evaluation.weights)
    cells = [
        [found.true_negative, found.false_positive],
        [found.false_negative, found.true_positive],
    ]
    names = [outcome(evaluation.target, label) for label in (0, 1)]
    return Figure(
        f"At the usual threshold of {THRESHOLD}",
        "Confusion matrix: rows of the test set by what they were and what the model called them; "
        "percentages are of the true class.",
        charts.matrix_chart("Confusion matrix", names, cells),
    )


def _multiclass(evaluation: Evaluation, scored: Multiclass) -> list[Section]:
    names = [outcome(evaluation.target, label) for label in range(scored.classes)]
    figures = []
    if scored.classes <= MOST_CELLS:
        cells = scored.confusion(evaluation.weights).tolist()
        figures.append(
            Figure(
                "What is taken for what",
                "Confusion matrix: true classes down, predicted classes across. Blue is right, "
                "orange wrong; the stronger the shade, the larger the share of the true class.",
                charts.matrix_chart("Confusion matrix", names, cells),
            )
        )
    each = scored.of_each_class(evaluation.weights)
    bars = [
        Bar(
            name,
            found["recall"],
            percent(found["recall"]),
            f"{name}: {percent(found['recall'])} of {number(found['support'])} rows found",
        )
        for name, found in zip(names, each, strict=True)
        if found["support"] > 0
    ]
    figures.append(
        Figure(
            "Share of each class that is found",
            "Recall by class. The table below adds precision and the number of rows: a small "
            "class can be missed and hardly move the accuracy.",
            charts.bar_chart("Recall by class", bars[:MOST_CELLS]),
        )
    )
    return [Section("Class by class", tuple(figures))]


def _regression(evaluation: Evaluation, scored: Regression) -> list[Section]:
    unit = evaluation.target.column
    residuals = curves.residual_histogram(scored, evaluation.weights)
    low, high = residuals.edges[0], residuals.edges[-1]
    return [
        Section(
            "Predictions and truth",
            (
                Figure(
                    "Predicted against true",
                    "The stronger the colour, the more rows. On the dashed line a prediction is "
                    "exactly right; above it the truth was higher.",
                    charts.density_chart(
                        "Predicted against true",
                        curves.predicted_and_true(scored, evaluation.weights),
                        unit,
                    ),
                ),
                Figure(
                    "How far off, and in which direction",
                    "Residuals, the truth minus the prediction. The outermost bars also hold what "
                    "lies further out.",
                    charts.histogram_chart(
                        "Residuals",
                        [("residuals", BLUE, residuals)],
                        Axis(low, high, f"True minus predicted {unit}"),
                    ),
                ),
            ),
        )
    ]


def _importance(evaluation: Evaluation) -> tuple[Figure, ...]:
    found = evaluation.importances
    if not found:
        return ()
    is_number = evaluation.target.task == "regression"
    unit = f"the answer ({evaluation.target.column})" if is_number else "the log-odds"
    figures = [
        Figure(
            "What moves single answers",
            f"Mean absolute contribution (SHAP) of each feature to {unit}, on test rows.",
            charts.bar_chart("Mean absolute contributions", _bars(found, "contribution")),
        )
    ]
    if all(each.gain is not None for each in found):
        figures.append(
            Figure(
                "What the trees were built on",
                "Share of the total gain: how much the splits on each feature improved the fit "
                "in training.",
                charts.bar_chart("Share of total gain", _bars(found, "gain"), "soft"),
            )
        )
    return tuple(figures)


def _alone(found: Sequence[Alone]) -> tuple[Figure, ...]:
    """Single columns: where leakage shows first."""
    if not found:
        return ()
    nothing = 0.5 if found[0].metric == "auc" else 0.0
    bars = [
        Bar(
            each.column if each.used else f"{each.column} (not used)",
            max(each.value - nothing, 0.0),
            number(each.value),
        )
        for each in sorted(found, key=lambda each: (-each.value, each.column))[:MOST_FEATURES]
    ]
    name = {"auc": "AUC", "r2": "R²"}.get(found[0].metric, found[0].metric)
    return (
        Figure(
            "What each column tells alone",
            f"{name} of the training rows by this column alone; {nothing:g} is nothing. What comes "
            "near 1 gives the target away and is hardly known when the model is asked.",
            charts.bar_chart("What each column tells alone", bars, "quiet"),
        ),
    )


def _bars(found: Sequence[Importance], view: str) -> list[Bar]:
    def value(each: Importance) -> float:
        return (each.gain or 0.0) if view == "gain" else each.contribution

    shown = percent if view == "gain" else number
    ordered = sorted(found, key=lambda each: (-value(each), each.feature))
    return [Bar(each.feature, value(each), shown(value(each))) for each in ordered[:MOST_FEATURES]]


def _slices(evaluation: Evaluation) -> tuple[Figure, ...]:
    name = METRIC_NAMES[evaluation.headline]
    return tuple(
        Figure(
            f"By {column}",
            f"{name} of the rows with each value; the lines hold 95% of the resamples. "
            + _furthest(evaluation.headline, found, evaluation.values[evaluation.headline]),
            charts.interval_chart(
                f"{name} by {column}",
                [Interval(s.label, s.value, s.low, s.high, f"{s.rows:,}") for s in found],
                evaluation.values[evaluation.headline],
                name,
            ),
        )
        for column, found in evaluation.slices.items()
        if defined(each.value for each in found)
    )


METRIC_NAMES = {"auc": "AUC", "accuracy": "Accuracy", "rmse": "RMSE"}


def _furthest(metric: str, found: Sequence[Slice], overall: float) -> str:
    """The slices whose whole interval lies on one side of all rows, in words."""
    below = [each.label for each in found if each.high < overall]
    above = [each.label for each in found if each.low > overall]
    weaker, stronger = (above, below) if metric == "rmse" else (below, above)
    if metric == "auc" and all(each.value < overall for each in found):
        return "All lie below: a part of the order of all rows comes from this column itself."
    if not weaker and not stronger:
        return "No slice differs clearly from all rows."
    parts = [
        f"Clearly {word}: {', '.join(names[:5])}."
        for word, names in (("weaker", weaker), ("stronger", stronger))
        if names
    ]
    return " ".join(parts)
