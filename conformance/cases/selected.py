"""O-05 to O-10: batch transform's answers and the selected keys of SageMaker's own image."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance import objectives
from conformance.bodies import CSV, JSON, JSON_LINES, UnreadableError, csv, strict_json
from conformance.case import case
from conformance.client import Answer
from conformance.given import Floats, Given
from conformance.subject import Needs, Running, Start
from conformance.trial import MARGIN, Trial, last_line, ping

KEYS = "AWS, XGBoost: SAGEMAKER_INFERENCE_OUTPUT of the framework's container"
BATCH = "AWS, Use batch transform; Associate prediction results with input records"
END_S = 10.0
SCORES = {
    "count:poisson": {},
    "rank:ndcg": {},
    "survival:cox": {},
    "survival:aft": {},
    "reg:gamma": {},
    "reg:tweedie": {},
    "reg:quantileerror": {"quantile_alpha": [0.1, 0.9]},
}


@contextlib.contextmanager
def _selecting(trial: Trial, given: Given, keys: str) -> Iterator[Running]:
    """A server of this model that answers with these keys."""
    folder = given.write(trial.folder(f"{given.name}-{keys.replace(',', '-')}"))
    with trial.started(Start(folder, {"SAGEMAKER_INFERENCE_OUTPUT": keys})) as server:
        yield server


def _items(trial: Trial, answer: Answer, rows: int) -> list[dict[str, Any]] | None:
    """The objects of a JSON answer, one a row; None where it is something else."""
    if not trial.should(answer.status == 200, f"refused: {answer}"):
        return None
    items: Any = None
    try:
        items = strict_json(answer.text)["predictions"]
        right = len(items) == rows and all(isinstance(item, dict) for item in items)
    except UnreadableError as error:
        judge = trial.must if "json" in answer.media_type else trial.should
        judge(False, f"{error}: {answer}")
        return None
    except (KeyError, TypeError):
        right = False
    if not trial.should(right, f'{rows} objects in "predictions" expected: {answer}'):
        return None
    found: list[dict[str, Any]] = items
    return found


def _numbers(trial: Trial, answer: Answer, key: str, expected: Floats) -> None:
    items = _items(trial, answer, len(expected))
    if items is None:
        return
    try:
        found = np.asarray([item[key] for item in items], dtype=np.float32)
    except (KeyError, TypeError, ValueError):
        trial.should(False, f"numbers under {key!r} expected: {answer}")
        return
    same = np.array_equal(found.reshape(expected.shape), expected)
    trial.must(same, f"{key} is not the oracle's: {answer}")


@case("O-05", source=BATCH, needs=Needs.START, given="softprob")
def batch(trial: Trial) -> None:
    """SAGEMAKER_BATCH: N lines `a,b,c` for N rows, JSON that is JSON, each truly labelled."""
    given = trial.given
    rows = given.rows[:7]
    expected = given.predict(rows)
    environment = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1",
    }
    with trial.started(Start(trial.model_folder, environment)) as server:
        for accept in (CSV, None):
            answer = trial.post(csv(rows), accept=accept, server=server)
            if trial.answers(answer, expected) and answer.media_type == CSV:
                lines = answer.text.splitlines()
                trial.must(len(lines) == 7, f"7 lines expected, {len(lines)} found: {answer}")
                bare = "[" not in answer.text and {line.count(",") for line in lines} == {2}
                trial.should(bare, f"three bare cells a line expected: {answer}")
        answer = trial.post(csv(rows), accept=JSON, server=server)
        if trial.answers(answer, expected, optional=True):
            trial.must("json" in answer.media_type, f"labelled {answer.media_type}: {answer}")
        answer = trial.post(csv(rows), accept=JSON_LINES, server=server)
        if trial.answers(answer, expected, optional=True):
            lines = answer.text.splitlines()
            trial.must(len(lines) == 7, f"7 lines expected, {len(lines)} found: {answer}")


@case("O-06", source=KEYS, needs=Needs.START)
def no_such_output(trial: Trial) -> None:
    """A selected key that the objective lacks is null, an empty cell in CSV, never NaN."""
    given = trial.given
    rows = given.rows[:2]
    keys = "predicted_score,probability"
    with _selecting(trial, given, keys) as server:
        answer = trial.post(csv(rows), accept=JSON, server=server)
        items = _items(trial, answer, 2)
        if items is not None:
            nulls = [item.get("predicted_score", "absent") for item in items]
            trial.should(nulls == [None, None], f"null expected: {answer}")
            _numbers(trial, answer, "probability", given.predict(rows))
        answer = trial.post(csv(rows), accept=JSON_LINES, server=server)
        trial.must("NaN" not in answer.text, f"NaN is not JSON: {answer}")
        answer = trial.post(csv(rows), accept=CSV, server=server)
        if trial.should(answer.status == 200, f"refused: {answer}"):
            wanted = "".join(f",{score!s}\n" for score in given.predict(rows))
            trial.should(answer.text == wanted, f"{wanted!r} expected: {answer}")


@case("O-07", needs=Needs.START)
def unknown_output(trial: Trial) -> None:
    """An unknown selected key ends the start, and the log names it and the valid ones."""
    environment = {"SAGEMAKER_INFERENCE_OUTPUT": "foo"}
    with trial.started(Start(trial.model_folder, environment), ready=False) as server:
        code = server.wait(END_S * MARGIN)
        if code is None:
            answer = ping(server)
            trial.should(False, f"it runs on; /ping is {answer.status if answer else 'silent'}")
            return
        logs = server.logs()
        trial.should(code != 0, f"exit code {code}: {last_line(logs)}")
        for word in ("foo", "probability"):
            trial.should(word in logs, f"{word} is not in the log: {last_line(logs)}")


@case("O-08", source=KEYS, needs=Needs.START)
def scores(trial: Trial) -> None:
    """predicted_score is XGBoost's prediction for counts, ranks, survival and quantiles."""
    for objective, parameters in SCORES.items():
        given = objectives.build(objective, parameters)
        expected = given.predict(given.rows)
        with _selecting(trial, given, "predicted_score") as server:
            answer = trial.post(csv(given.rows), accept=JSON, server=server)
            _numbers(trial, answer, "predicted_score", expected)
            if objective in ("count:poisson", "reg:quantileerror"):
                answer = trial.post(csv(given.rows), accept=CSV, server=server)
                found = re.findall(r"-?\d[\d.e+-]*", answer.text)
                same = [np.float32(text) for text in found] == list(expected.ravel())
                trial.should(same, f"CSV of {objective}: {answer}")


@case("O-09", source=KEYS, needs=Needs.START)
def labels(trial: Trial) -> None:
    """predicted_label is an integer: the class of softmax and hinge."""
    for objective in ("multi:softmax", "binary:hinge", "binary:logistic", "multi:softprob"):
        given = objectives.build(objective)
        found = given.predict(given.rows)
        if objective == "multi:softprob":
            found = found.argmax(axis=1).astype(np.float32)
        wanted = [int(value > 0.5) if objective == "binary:logistic" else int(value)
                  for value in found]  # fmt: skip
        with _selecting(trial, given, "predicted_label") as server:
            answer = trial.post(csv(given.rows), accept=CSV, server=server)
            if trial.should(answer.status == 200, f"refused: {answer}"):
                lines = answer.text.splitlines()
                trial.should(_as_numbers(lines) == wanted, f"{objective}, wrong labels: {answer}")
                text = [str(value) for value in wanted]
                trial.should(lines == text, f"{objective}, integers expected: {answer}")
            answer = trial.post(csv(given.rows), accept=JSON, server=server)
            items = _items(trial, answer, len(wanted)) or []
            kinds = {type(item.get("predicted_label")) for item in items}
            trial.should(kinds == {int}, f"{objective}, integers expected: {answer}")


def _as_numbers(lines: list[str]) -> list[float]:
    try:
        return [float(line) for line in lines]
    except ValueError:
        return []


@case("O-10", source="choice; XGBoost, output_margin", needs=Needs.START)
def margins(trial: Trial) -> None:
    """raw_score and raw_scores are true margins: logitraw, logistic, softmax, softprob."""
    for objective in ("binary:logitraw", "binary:logistic", "multi:softmax", "multi:softprob"):
        given = objectives.build(objective)
        expected = objectives.margins(given, given.rows)
        is_binary = objective.startswith("binary:")
        every = np.column_stack([-expected, expected]) if is_binary else expected
        one = expected if is_binary else expected.max(axis=1)
        with _selecting(trial, given, "raw_score,raw_scores") as server:
            answer = trial.post(csv(given.rows), accept=JSON, server=server)
            items = _items(trial, answer, len(one))
            if items is None:
                continue
            for key, wanted in (("raw_score", one), ("raw_scores", every)):
                try:
                    found = np.asarray([item[key] for item in items], dtype=np.float32)
                except (KeyError, TypeError, ValueError):
                    trial.should(False, f"{objective}: numbers under {key!r} expected: {answer}")
                    continue
                same = np.array_equal(found, wanted)
                trial.should(same, f"{objective}: {key} is not the margin: {answer}")
