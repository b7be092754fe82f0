"""P-05.matrix: 312 fixed bad inputs."""

from __future__ import annotations

from collections import Counter

import numpy as np

from conformance.bodies import CSV, csv
from conformance.case import case
from conformance.client import Answer, Connection
from conformance.kinds import KINDS
from conformance.matrix import LIMIT, Bad, cells, good_table, summary
from conformance.subject import NotApplicable, SubjectError
from conformance.trial import Trial

SOURCE = "AWS, InvokeEndpoint API: ModelError; a 5xx for a client's fault trips alarms"


@case("P-05.matrix", given="named", source=SOURCE)
def matrix(trial: Trial) -> None:
    """312 bad inputs, 12 kinds of content times 26 faults: each is refused, none with a 5xx."""
    found = cells(trial.given)
    statuses: Counter[int] = Counter()
    for bad in found:
        answer = _sent(trial, bad)
        if isinstance(answer, str):
            trial.must(False, f"{bad.kind}, {bad.fault}: {answer[-200:]}")
            continue
        statuses[answer.status] += 1
        _judge(trial, bad, answer)
        if bad.fault == "a byte over the limit":  # the last of its kind
            _good(trial)
    trial.note(f"{len(found)} inputs: {summary(statuses)}")


def _sent(trial: Trial, bad: Bad) -> Answer | str:
    connection = Connection(trial.server.address)
    try:
        return connection.request("POST", "/invocations", bad.body, bad.headers)
    except SubjectError as error:
        return str(error)
    finally:
        connection.close()


def _judge(trial: Trial, bad: Bad, answer: Answer) -> None:
    cell = f"{bad.kind}, {bad.fault}"
    if not trial.must(answer.status < 500, f"{cell}: 4xx expected: {answer}"):
        return
    wanted = "/".join(map(str, sorted(bad.allowed)))
    if trial.should(answer.status in bad.allowed, f"{cell}: {wanted} expected: {answer}"):
        trial.is_problem(answer)


def _good(trial: Trial) -> None:
    rows = trial.given.rows[:3]
    trial.answers(trial.post(csv(rows)), trial.given.predict(rows))


@case("P-05.matrix-good", given="named", source="choice")
def good_kinds(trial: Trial) -> None:
    """The twelve kinds of content without a fault are answered right."""
    table = good_table(trial.given)
    expected = trial.given.predict(np.asarray(table.rows, dtype=np.float32))
    for kind in KINDS:
        try:
            body = kind.write(table)
        except NotApplicable as error:
            trial.note(f"{kind.name}: {error}")
            continue
        assert len(body) < LIMIT  # noqa: S101 - three rows
        trial.answers(trial.post(body, kind.media_type, accept=CSV), expected, optional=True)
