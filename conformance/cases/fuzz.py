"""P-05: bodies that nobody meant to send; deterministic by seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.bodies import BODIES, CSV, JSON, JSON_LINES, csv
from conformance.case import case
from conformance.client import Answer, Connection, short
from conformance.subject import NotApplicable, SubjectError
from conformance.trial import Trial

COUNT = 1000
SHOWN = 5
SPLINTERS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b",,", b'"', b"'", b"1e999", b"-",
    b"nan", b"inf", b"NULL", b"[", b"]", b"{", b"}", b"[" * 3000, b'{"a":' * 1500, b"9" * 5000,
    b"\\u0000", b"\\ud800", b'"instances"', b"true", b"null", b"\xf0\x9f\x8c\xb2", b"0x1p3",
    b"1_0", b"%00", b"\x1b[2J", b";", b"\t", b"|", b"e", b".", b"-0", b"1e-400",
)  # fmt: skip


def bodies(valid: bytes, seed: int) -> Iterator[bytes]:
    """COUNT bodies: four of five are a valid one with one to eight faults, the rest is noise."""
    random = np.random.default_rng(seed)
    for number in range(COUNT):
        if number % 5 == 4:
            yield random.bytes(int(random.integers(1, 600)))
            continue
        body = valid
        for _ in range(int(random.integers(1, 9))):
            body = _mutated(body, random)
        yield body or b"\n"


def _mutated(body: bytes, random: np.random.Generator) -> bytes:
    if not body:
        return body
    begin, end = sorted(int(i) for i in random.integers(0, len(body), 2))
    kind = int(random.integers(0, 6))
    if kind == 0:  # one bit
        turned = body[begin] ^ (1 << int(random.integers(0, 8)))
        return body[:begin] + bytes([turned]) + body[begin + 1 :]
    if kind == 1:  # something put in
        return body[:begin] + SPLINTERS[int(random.integers(0, len(SPLINTERS)))] + body[begin:]
    if kind == 2:  # a piece lost
        return body[:begin] + body[end:]
    if kind == 3:  # a piece twice
        return body[:end] + body[begin:end] + body[end:]
    if kind == 4:  # cut
        return body[:end]
    return body[:begin] + random.bytes(int(random.integers(1, 9))) + body[begin:]


def _fuzz(trial: Trial, kind: str, seed: int) -> None:
    """Send the bodies; every answer is a 2xx or a 4xx, and the server stays what it was."""
    before = _workers(trial)
    valid = BODIES[kind](trial.given.rows[:3])
    connection = Connection(trial.server.address)
    counts: dict[int, int] = {}
    bad: list[str] = []
    for body in bodies(valid, seed):
        answer = _send(connection, body, kind)
        if isinstance(answer, str):
            bad.append(answer)
            connection = Connection(trial.server.address)
            continue
        counts[answer.status] = counts.get(answer.status, 0) + 1
        if not 200 <= answer.status < 500:
            bad.append(f"{short(body, 300)} -> {answer.status} {short(answer.body)}")
    connection.close()
    trial.note(", ".join(f"{count} x {status}" for status, count in sorted(counts.items())))
    trial.must(not bad, f"{len(bad)} of {COUNT} got a 5xx or no answer: {' | '.join(bad[:SHOWN])}")
    rows = trial.given.rows[:3]
    trial.answers(trial.post(csv(rows)), trial.given.predict(rows))
    after = _workers(trial)
    trial.should(before == after, f"processes changed from {before} to {after}")


def _send(connection: Connection, body: bytes, kind: str) -> Answer | str:
    try:
        return connection.request("POST", "/invocations", body, {"Content-Type": kind})
    except SubjectError as error:
        return str(error)


def _workers(trial: Trial) -> list[int]:
    """Numbers of the subject's processes; none where they cannot be seen."""
    try:
        return sorted(info.pid for info in trial.server.processes())
    except NotApplicable:
        return []


SOURCE = "AWS, InvokeEndpoint API: ModelError; a 5xx for a client's fault trips alarms"


@case("P-05.csv", source=SOURCE)
def broken_csv(trial: Trial) -> None:
    """1,000 broken CSV bodies: no 5xx, no restart, the next good request is answered."""
    _fuzz(trial, CSV, 101)


@case("P-05.json", source=SOURCE)
def broken_json(trial: Trial) -> None:
    """1,000 broken JSON bodies: no 5xx, no restart, the next good request is answered."""
    _fuzz(trial, JSON, 102)


@case("P-05.jsonlines", source=SOURCE)
def broken_jsonlines(trial: Trial) -> None:
    """1,000 broken JSON Lines bodies: no 5xx, no restart, the next good request is answered."""
    _fuzz(trial, JSON_LINES, 103)
