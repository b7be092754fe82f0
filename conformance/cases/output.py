"""O: the form of the answer."""

from __future__ import annotations

import re

import numpy as np

from conformance.bodies import CSV, JSON, JSON_LINES, UnreadableError, csv, strict_json
from conformance.case import case
from conformance.client import Answer
from conformance.given import Floats
from conformance.trial import Refusal, Trial

RFC_ACCEPT = "RFC 9110, 12.5.1"
BATCH = "AWS, Associate prediction results with input records"


def _typed(trial: Trial, answer: Answer, kind: str, expected: Floats) -> None:
    """The right numbers in the type that was asked for."""
    if trial.answers(answer, expected, optional=True):
        trial.should(answer.media_type == kind, f"{kind} expected: {answer}")


@case("O-01", source=RFC_ACCEPT)
def accept(trial: Trial) -> None:
    """Accept chooses the answer's type by range and weight; CSV is the default."""
    rows = trial.given.rows[:2]
    expected = trial.given.predict(rows)
    wanted = {
        None: CSV,
        "*/*": CSV,
        "text/*": CSV,
        "application/json, text/csv;q=0.5": JSON,
        "text/csv;q=0.1, application/json": JSON,
        "application/json": JSON,
    }
    for header, kind in wanted.items():
        _typed(trial, trial.post(csv(rows), accept=header), kind, expected)


@case("O-02", source="RFC 9110, 15.5.7 (may)")
def not_acceptable(trial: Trial) -> None:
    """An Accept that cannot be met is a 406, whatever the body holds."""
    rows = trial.given.rows[:2]
    rule = Refusal(406, "not_acceptable", mentions=(CSV,))
    expected = trial.given.predict(rows)
    trial.refuses(trial.post(csv(rows), accept="image/png"), rule, lenient=expected)
    answer = trial.post(b"no,rows\n", accept="image/png")
    trial.must(400 <= answer.status < 500, f"4xx expected: {answer}")
    trial.should(answer.status == 406, f"Accept is to be read before the body: {answer}")


@case("O-03", source="AWS, Common data formats for inference")
def jsonlines_out(trial: Trial) -> None:
    """JSON Lines out: one record a row."""
    rows = trial.given.rows[:5]
    answer = trial.post(csv(rows), accept=JSON_LINES)
    _typed(trial, answer, JSON_LINES, trial.given.predict(rows))
    if answer.status == 200 and answer.media_type == JSON_LINES:
        lines = answer.text.split("\n")
        trial.must(len(lines) in (5, 6), f"5 lines expected, {len(lines)} found: {answer}")
        trial.should(lines[-1] == "", f"the last line has no newline: {answer}")


@case("O-04", source=BATCH)
def csv_out(trial: Trial) -> None:
    """CSV out has one line a row."""
    rows = trial.given.rows[:2]
    answer = trial.post(csv(rows), accept=CSV)
    if trial.answers(answer, trial.given.predict(rows)) and answer.media_type == CSV:
        lines = answer.text.splitlines()
        trial.must(len(lines) == 2, f"2 lines expected, {len(lines)} found: {answer}")
        trial.should(answer.text.endswith("\n"), f"the last line has no newline: {answer}")


@case("O-04.softprob", given="softprob", source=BATCH)
def csv_classes(trial: Trial) -> None:
    """CSV out of a multi-class model: `a,b,c` a row, without brackets."""
    rows = trial.given.rows[:3]
    expected = trial.given.predict(rows)
    answer = trial.post(csv(rows), accept=CSV)
    if trial.answers(answer, expected) and answer.media_type == CSV:
        lines = answer.text.splitlines()
        trial.must(len(lines) == 3, f"3 lines expected, {len(lines)} found: {answer}")
        trial.should(
            [line.count(",") for line in lines] == [2] * 3 and "[" not in answer.text,
            f"three bare cells a line expected: {answer}",
        )


@case("O-04.json", source="AWS, XGBoost algorithm: the built-in algorithms' response format")
def json_out(trial: Trial) -> None:
    """JSON out is {"predictions": [{"score": p}]}."""
    _json_scores(trial)


@case("O-04.json-softprob", given="softprob")
def json_classes(trial: Trial) -> None:
    """JSON out of a multi-class model: {"score": [a, b, c]} a row."""
    _json_scores(trial)


def _json_scores(trial: Trial) -> None:
    rows = trial.given.rows[:2]
    expected = trial.given.predict(rows)
    answer = trial.post(csv(rows), accept=JSON)
    if not trial.answers(answer, expected, optional=True) or "json" not in answer.media_type:
        return
    try:
        value = strict_json(answer.text)
        scores = [item["score"] for item in value["predictions"]]
    except (UnreadableError, KeyError, TypeError):
        trial.should(False, f'"predictions" with "score" expected: {answer}')
        return
    found = np.asarray(scores, dtype=np.float32)
    trial.should(found.shape == expected.shape, f"scores of shape {found.shape}: {answer}")


@case("O-12", given="regression")
def shortest_text(trial: Trial) -> None:
    """A number is the shortest text that parses back to the same float32."""
    rows = trial.given.rows
    expected = trial.given.predict(rows)
    answer = trial.post(csv(rows), accept=CSV)
    if not trial.answers(answer, expected):
        return
    _shortest(trial, answer.text.replace("\n", ",").strip(",").split(","), expected)
    answer = trial.post(csv(rows), accept=JSON)
    if answer.status == 200 and "json" in answer.media_type:
        texts = re.findall(r"-?\d[\d.eE+-]*", answer.text)
        if len(texts) == expected.size:
            _shortest(trial, texts, expected)


def _shortest(trial: Trial, texts: list[str], expected: Floats) -> None:
    long = [
        f"{text} for {value!s}"
        for text, value in zip(texts, expected, strict=True)
        if _digits(text) > _digits(str(value))
    ]
    trial.should(not long, f"{len(long)} of {len(texts)} numbers too long: {', '.join(long[:3])}")


def _digits(text: str) -> int:
    """Significant digits of a number's text."""
    mantissa = text.strip().strip('"').lower().split("e")[0].lstrip("+-").replace(".", "")
    return len(mantissa.lstrip("0").rstrip("0"))
