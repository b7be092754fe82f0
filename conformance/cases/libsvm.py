"""D: LIBSVM text, whose indices and empty rows other servers get wrong."""

from __future__ import annotations

import re

import numpy as np
import xgboost

from conformance.bodies import numbers
from conformance.case import case
from conformance.formats import LIBSVM, NPY, RECORDIO, libsvm, npy, recordio
from conformance.given import Floats
from conformance.subject import Needs, Start
from conformance.training import Job, Result, make_job, train
from conformance.trial import Refusal, Trial

INPUT = "AWS, XGBoost algorithm: input/output interface"
FORMAT = "LIBSVM, README; XGBoost, Text input format"
ROUNDS = 12


def _trained(trial: Trial, base: int) -> tuple[Job, Result] | None:
    """A job on LIBSVM files that ended well; None where it did not."""
    sent = {"num_round": str(ROUNDS), "objective": "reg:squarederror", "eval_metric": "rmse"}
    job = make_job(trial.folder(f"base-{base}"), sent)
    for name, table in (("train", job.train), ("validation", job.validation)):
        (job.channel(name) / "data.csv").unlink()
        body = libsvm(table[:, 1:], base, table[:, 0])
        (job.channel(name) / "data.libsvm").write_bytes(body)
    job.content_type(LIBSVM)
    result = train(trial, job)
    if not trial.should(result.code == 0 and result.booster, f"a model expected: {result}"):
        return None
    return job, result


def _oracle(result: Result, rows: Floats, base: int) -> Floats:
    """What the job's own model says of the rows; a 1-based one may have a column of nothing."""
    assert result.booster is not None  # noqa: S101 - checked by the caller
    if result.booster.num_features() == rows.shape[1] + base:
        rows = np.hstack([np.full((len(rows), base), np.nan, np.float32), rows])
    data = xgboost.DMatrix(rows, feature_names=result.booster.feature_names)
    found: Floats = result.booster.predict(data)
    return found


@case("D-01", source=INPUT, needs=Needs.TRAIN)
def one_based(trial: Trial) -> None:
    """1-based LIBSVM rows are served as they were trained: the same numbers, the same error."""
    found = _trained(trial, 1)
    if found is None:
        return
    job, result = found
    rows, labels = job.train[:, 1:], job.train[:, 0]
    rmse = re.findall(r"train-rmse:(\S+)", result.logs)
    with trial.started(Start(job.base / "model")) as server:
        for kind in (LIBSVM, "text/x-libsvm"):
            for sent in (libsvm(rows, 1), libsvm(rows, 1, labels)):
                answer = trial.post(sent, kind, server=server)
                if trial.answers(answer, _oracle(result, rows, 1), optional=True) and rmse:
                    error = float(np.sqrt(np.mean((numbers(answer) - labels) ** 2)))
                    same = abs(error - float(rmse[-1])) <= 1e-5
                    trial.must(same, f"rmse {error:.6f} served, {rmse[-1]} in training")


@case("D-02", source=FORMAT, needs=Needs.TRAIN)
def zero_based(trial: Trial) -> None:
    """0-based LIBSVM rows of which none has index 0 are not shifted."""
    found = _trained(trial, 0)
    if found is None:
        return
    job, result = found
    rows = job.validation[:20, 1:].copy()
    rows[:, 0] = np.nan
    with trial.started(Start(job.base / "model")) as server:
        answer = trial.post(libsvm(rows), LIBSVM, server=server)
        trial.answers(answer, _oracle(result, rows, 0), optional=True)


@case("D-03", source="XGBoost, FAQ: missing values")
def left_out(trial: Trial) -> None:
    """A feature that a LIBSVM row leaves out is missing, not 0."""
    given = trial.given
    rows = given.rows[:6].copy()
    for number in range(6):
        rows[number, number] = np.nan
    trial.answers(trial.post(libsvm(rows), LIBSVM), given.predict(rows), optional=True)


@case("D-05.libsvm", source=FORMAT)
def beyond(trial: Trial) -> None:
    """A LIBSVM index beyond the features is refused, and it is named."""
    given = trial.given
    body = libsvm(given.rows[:2]).replace(b"\n", f" {given.width + 1}:1\n".encode())
    rule = Refusal(422, "feature_count", row=1, mentions=(str(given.width + 1),))
    trial.refuses(trial.post(body, LIBSVM), rule)


@case("D-07", source=FORMAT)
def empty_rows(trial: Trial) -> None:
    """Empty LIBSVM rows give one prediction each, wherever they stand."""
    given = trial.given
    for places in ((0,), (1,), (3,), (0, 2, 3)):
        rows = given.rows[:4].copy()
        rows[list(places)] = np.nan
        trial.answers(trial.post(libsvm(rows), LIBSVM), given.predict(rows), optional=True)
    alone = np.full((1, given.width), np.nan, dtype=np.float32)
    trial.answers(trial.post(b"\n", LIBSVM), given.predict(alone), optional=True)


@case("D-08", source=FORMAT)
def spellings(trial: Trial) -> None:
    """Tabs, double blanks, CRLF, qid and a label change no value of a LIBSVM row."""
    given = trial.given
    rows = given.rows[:3]
    plain = libsvm(rows)
    forms = {
        "tabs": plain.replace(b" ", b"\t"),
        "blanks": plain.replace(b" ", b"  "),
        "CRLF": plain.replace(b"\n", b"\r\n"),
        "labels": libsvm(rows, labels=rows[:, 0]),
        "label and qid": b"".join(b"1 qid:3 " + line for line in plain.splitlines(keepends=True)),
        "no last newline": plain.rstrip(b"\n"),
    }
    for name, body in forms.items():
        if not trial.answers(trial.post(body, LIBSVM), given.predict(rows), optional=True):
            trial.note(f"seen with {name}")


@case("D-09", source="choice; an index stands once")
def index_twice(trial: Trial) -> None:
    """A LIBSVM row with one index twice is refused."""
    given = trial.given
    body = libsvm(given.rows[:2]).rstrip(b"\n") + b" 3:0.25\n"
    lenient = given.rows[:2].copy()
    lenient[1, 3] = 0.25
    rule = Refusal(400, "duplicate_index", row=2)
    trial.refuses(trial.post(body, LIBSVM), rule, lenient=given.predict(lenient))


@case("D-16.formats", source="choice")
def infinite_binary(trial: Trial) -> None:
    """Infinity is refused in LIBSVM, recordio and npy bodies too."""
    given = trial.given
    rows = given.rows[:2].copy()
    rows[1, 3] = np.inf
    taken = given.predict_infinite(rows)
    bodies = {LIBSVM: libsvm(rows), RECORDIO: recordio(rows), NPY: npy(rows)}
    for kind, body in bodies.items():
        trial.refuses(trial.post(body, kind), Refusal(422, "non_finite", row=2), lenient=taken)
    rows[1, 3] = 7.25
    body = libsvm(rows).replace(b"3:7.25", b"3:1e39")
    trial.refuses(trial.post(body, LIBSVM), Refusal(422, "non_finite", row=2), lenient=taken)
