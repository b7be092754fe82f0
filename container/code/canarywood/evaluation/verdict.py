"""The result in plain words: what stands on top of the page, for readers who never saw an AUC."""

from __future__ import annotations

import re
from dataclasses import dataclass

from canarywood.evaluation.curves import share_of_positives
from canarywood.evaluation.evaluation import Evaluation
from canarywood.evaluation.metrics import Binary, Multiclass, Regression
from canarywood.evaluation.svg import number, percent
from canarywood.schema.definition import Target

TOP = 0.1  # the share of rows that the headline of a binary model picks
# An AUC at or above, in words. Where it is nearly perfect, the data are the first suspect.
GRADES = (
    (0.98, "almost without fault: check that no column gives the target away"),
    (0.9, "very good"),
    (0.8, "good"),
    (0.7, "fair"),
    (0.6, "modest"),
    (0.53, "weak"),
    (0.0, "no better than guessing"),
)
BARE_CLASSES = re.compile(r"(?i)yes|no|true|false|[01]|[-+.\d]+")


@dataclass(frozen=True)
class Verdict:
    """One headline and the sentences below it."""

    headline: str
    sentences: tuple[str, ...]


def verdict(evaluation: Evaluation) -> Verdict:
    """The verdict of any task."""
    if isinstance(evaluation.scored, Binary):
        return _binary(evaluation, evaluation.scored)
    if isinstance(evaluation.scored, Multiclass):
        return _multiclass(evaluation, evaluation.scored)
    if isinstance(evaluation.scored, Regression):
        return _regression(evaluation)
    raise TypeError(type(evaluation.scored).__name__)


def outcome(target: Target, label: int = 1) -> str:
    """A class as words: its own text, or `column = text` where the text says little alone."""
    if label >= len(target.classes):
        return f"{target.column} = {label}"
    found = target.classes[label]
    return f"{target.column} = {found}" if BARE_CLASSES.fullmatch(found) else found


def _binary(evaluation: Evaluation, scored: Binary) -> Verdict:
    word = f"“{outcome(evaluation.target)}”"
    auc = evaluation.values["auc"]
    base = share_of_positives(scored, evaluation.weights)
    if auc != auc:
        return Verdict(
            f"The {scored.rows:,} test rows hold one class only: {percent(base)} are {word}.",
            ("How well the model tells the classes apart cannot be said on such rows.",),
        )
    top = share_of_positives(scored, evaluation.weights, TOP)
    headline = (
        f"Of 1,000 rows, {_of(base, 1000)} are {word}. Among the 100 that the model scores "
        f"highest, {_of(top, 100)} are; among 100 picked at random it would be {_of(base, 100)}."
    )
    grade = next(words for least, words in GRADES if auc >= least)
    ranking = (
        f"Given one row that is {word} and one that is not, the model scores the {word} one "
        f"higher in {percent(auc)} of cases (AUC {auc:.3f}; guessing gives 50%). That is {grade}."
    )
    return Verdict(headline, (ranking, _calibrated(evaluation, scored, base)))


def _calibrated(evaluation: Evaluation, scored: Binary, base: float) -> str:
    said = float(evaluation.weights @ scored.probabilities / evaluation.weights.sum())
    error = 2 * (base * (1 - base) / scored.rows) ** 0.5
    start = f"On average it says {percent(said)} and {percent(base)} came"
    if abs(said - base) <= max(error, 0.01):
        return f"{start}: its probabilities hold on average."
    direction = "low" if said < base else "high"
    return f"{start}: its probabilities are too {direction} on these rows."


def _multiclass(evaluation: Evaluation, scored: Multiclass) -> Verdict:
    accuracy = evaluation.values["accuracy"]
    constant = evaluation.values["accuracy_best_constant_classifier"]
    support = scored.confusion(evaluation.weights).sum(axis=1)
    largest = outcome(evaluation.target, int(support.argmax()))
    headline = (
        f"Of 1,000 rows the model names the right class of {_of(accuracy, 1000)}. "
        f"Always answering “{largest}” would be right for {_of(constant, 1000)}."
    )
    each = scored.of_each_class(evaluation.weights)
    present = [(found["recall"], k) for k, found in enumerate(each) if found["support"] > 0]
    recall, worst = min(present)
    return Verdict(
        headline,
        (
            f"Of {scored.classes} classes, {len(present)} occur in the "
            f"test rows. Missed most often is “{outcome(evaluation.target, worst)}”: "
            f"{percent(recall)} of its {number(support[worst])} rows are found.",
        ),
    )


def _regression(evaluation: Evaluation) -> Verdict:
    values, unit = evaluation.values, evaluation.target.column
    headline = (
        f"A prediction of {unit} is off by {number(values['mae'])} on average. "
        f"Always answering the median would be off by "
        f"{number(values['mae_best_constant_predictor'])}."
    )
    spread = f"Nine of ten predictions are off by less than {number(values['absolute_error_p90'])}."
    r2, bias = values["r2"], values["residual_mean"]
    if r2 != r2:
        explained = "The truth is the same in every test row, so R² is undefined."
    elif r2 <= 0:
        explained = f"It explains nothing of the spread of {unit} (R² {r2:.3f})."
    else:
        explained = f"It explains {percent(r2)} of the spread of {unit} (R² {r2:.3f})."
    sentences = [spread, explained]
    error = evaluation.deviations.get("residual_mean", float("nan"))
    if abs(bias) > 2 * error:
        direction = "low" if bias > 0 else "high"
        sentences.append(f"On average it answers {number(abs(bias))} too {direction}.")
    return Verdict(headline, tuple(sentences))


def _of(share: float, many: int) -> str:
    """A share of 100 or 1,000 rows, in whole rows unless that would be none."""
    count = share * many
    if 0 < count < 0.95:
        return f"{count:.1f}"
    return f"{count:,.0f}"
