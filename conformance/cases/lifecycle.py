"""L: stopping, deadlines and lost processes.

The heavy given model makes a request slow by itself: one feature, 10,000 rounds.
"""

from __future__ import annotations

import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from conformance.bodies import csv
from conformance.case import case
from conformance.client import Answer
from conformance.given import Floats
from conformance.subject import Needs, NotApplicable, ProcessInfo, Running, Start, SubjectError
from conformance.trial import MARGIN, STOP_LIMIT_S, Trial, is_close, last_line, ping

STOP = "AWS, Custom inference code with hosting services: SIGTERM, 30 seconds, SIGKILL"
SLOW_S = 3.0
CLIENTS = 8
MOST_BYTES = 6_000_000
DEADLINES = ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "MODEL_SERVER_TIMEOUT",
             "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS")  # fmt: skip


def slow_rows(trial: Trial, server: Running, seconds: float) -> Floats:
    """Rows that keep this server busy for about so long."""
    pilot = np.tile(trial.given.rows, (40, 1))  # 2,000 rows
    taken = min(trial.post(csv(pilot), server=server).seconds for _ in range(3))
    times = max(1, round(seconds / max(taken, 1e-3)))
    return np.tile(pilot, (min(times, MOST_BYTES // len(csv(pilot))), 1))


@case("L-03", source=STOP, needs=Needs.START, given="heavy")
def drain(trial: Trial) -> None:
    """SIGTERM: requests under way are answered, /ping is no longer 200, then it ends."""
    with trial.started() as server, ThreadPoolExecutor(2) as pool:
        rows = slow_rows(trial, server, SLOW_S)
        expected = trial.given.predict(rows)
        asked = [pool.submit(trial.post, csv(rows), server=server) for _ in range(2)]
        time.sleep(0.7)
        under_way = sum(not future.done() for future in asked)
        trial.note(f"{under_way} requests of {len(rows)} rows under way")
        if not under_way:
            raise NotApplicable("it answers the largest body too fast to be stopped on the way")
        begin = time.monotonic()
        server.send(signal.SIGTERM)
        _no_more_pings(trial, server)
        code = server.wait(STOP_LIMIT_S - (time.monotonic() - begin))
        trial.must(code is not None, f"still running {STOP_LIMIT_S:.0f} s after SIGTERM")
        trial.should(code in (0, None), f"exit code {code}: {last_line(server.logs())}")
        for future in asked:
            _kept(trial, future, expected)
        if code is not None:
            _none_left(trial, server)


def _no_more_pings(trial: Trial, server: Running) -> None:
    """/ping turns from 200 to 503, or to a refused connection."""
    end = time.monotonic() + 1.0 * MARGIN
    while time.monotonic() < end:
        answer = ping(server)
        if answer is None or answer.status != 200:
            seen = f"503 or a refused connection expected: {answer}"
            trial.should(answer is None or answer.status == 503, seen)
            return
        time.sleep(0.05)
    trial.should(False, "/ping is still 200 after SIGTERM")


def _kept(trial: Trial, future: Future[Answer], expected: Floats) -> None:
    try:
        trial.answers(future.result(), expected)
    except SubjectError as error:
        trial.must(False, f"a request under way was lost: {error}")


def _none_left(trial: Trial, server: Running) -> None:
    try:
        time.sleep(0.5)
        left = server.processes()
    except NotApplicable:
        return
    trial.must(not left, f"processes left behind: {[info.name for info in left]}")


@case("L-03.load", source=STOP, needs=Needs.START)
def drain_under_load(trial: Trial) -> None:
    """SIGTERM under load: requests are answered, rightly, until connections are refused."""
    rows = trial.given.rows[:20]
    body, expected = csv(rows), trial.given.predict(rows)
    answers: list[Answer | str] = []

    def client(server: Running) -> None:
        while True:
            try:
                answers.append(trial.post(body, server=server))
            except SubjectError as error:
                if not isinstance(error.__cause__, ConnectionRefusedError):
                    answers.append(str(error))
                return

    with trial.started() as server, ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(CLIENTS):
            pool.submit(client, server)
        time.sleep(1.5)
        begin = time.monotonic()
        server.send(signal.SIGTERM)
        code = server.wait(STOP_LIMIT_S)
        trial.note(f"ended {time.monotonic() - begin:.1f} s after SIGTERM")
        trial.must(code is not None, f"still running {STOP_LIMIT_S:.0f} s after SIGTERM")
        trial.should(code in (0, None), f"exit code {code}: {last_line(server.logs())}")
        if code is None:
            server.close()  # so that the clients end too
    lost = [answer for answer in answers if isinstance(answer, str)]
    whole = [answer for answer in answers if isinstance(answer, Answer)]
    counts = {s: sum(a.status == s for a in whole) for s in sorted({a.status for a in whole})}
    trial.note(f"answers: {counts}, lost: {len(lost)}")
    # AWS takes a container out of its routing first, so new requests after SIGTERM are a choice.
    # Behind Docker's proxy the last request of each client cannot be told from a refused one.
    trial.should(
        not lost or server.address.is_proxied,
        f"{len(lost)} of {len(answers)} requests were lost: {lost[:1]}",
    )
    wrong = [answer for answer in whole if answer.status == 200 and not is_close(answer, expected)]
    trial.must(not wrong, f"{len(wrong)} answers are wrong: {wrong[:1]}")
    trial.must(counts.keys() <= {200, 429, 503}, f"statuses {counts}")


@case("L-08", source="choice; AWS allows 60 s", needs=Needs.START, given="heavy")
def deadline(trial: Trial) -> None:
    """A request beyond the deadline of 2 s is a 503 `deadline`, and the server lives on."""
    start = Start(trial.model_folder, dict.fromkeys(DEADLINES, "2"))
    with trial.started(start) as server:
        rows = slow_rows(trial, server, 6.0)
        try:
            answer = trial.post(csv(rows), server=server)
        except SubjectError as error:
            trial.should(False, f"a 503 expected: {error}")
        else:
            trial.note(f"{answer.status} after {answer.seconds:.1f} s")
            trial.must(answer.seconds < 60, f"no answer within 60 s: {answer}")
            if answer.status == 200:
                trial.answers(answer, trial.given.predict(rows))
            if trial.should(answer.status == 503, f"503 expected: {answer}"):
                trial.is_problem(answer)
                trial.should(answer.problem.get("code") == "deadline", f"code: {answer}")
        _recovers(trial, server, 10)


def _recovers(trial: Trial, server: Running, within_s: float) -> None:
    """A good request is answered rightly, sooner or later."""
    rows = trial.given.rows[:5]
    end = time.monotonic() + within_s
    answer: Answer | None = None
    seen = "nothing"
    while time.monotonic() < end and (answer is None or answer.status != 200):
        try:
            answer = trial.post(csv(rows), server=server)
            seen = str(answer)
        except SubjectError as error:
            seen = str(error)
        time.sleep(0.1)
    if trial.must(answer and answer.status == 200, f"no answer within {within_s:.0f} s: {seen}"):
        trial.answers(trial.post(csv(rows), server=server), trial.given.predict(rows))


def _tree(server: Running) -> tuple[list[ProcessInfo], list[ProcessInfo]]:
    """Parents below the first process, and workers (processes without children)."""
    everyone = server.processes()
    parents = {info.parent for info in everyone}
    known = {info.pid for info in everyone}
    below = [info for info in everyone if info.parent in known]
    masters = [info for info in below if info.pid in parents]
    return masters, [info for info in below if info.pid not in parents]


@case("L-11", needs=Needs.START)
def killed(trial: Trial) -> None:
    """A killed worker comes back; a killed master ends or restarts the server."""
    with trial.started() as server:
        masters, workers = _tree(server)
        if not workers:
            raise NotApplicable("one process, no worker to kill")
        kinds = {info.name: info for info in workers}
        for info in kinds.values():
            server.kill(info.pid)
            time.sleep(0.2)
            _recovers(trial, server, 10)
    for number in range(len(masters)):
        _kill_master(trial, number)


def _kill_master(trial: Trial, number: int) -> None:
    with trial.started() as server:
        masters = _tree(server)[0]
        if number >= len(masters):
            return
        server.kill(masters[number].pid)
        time.sleep(1.0)
        code = server.wait(STOP_LIMIT_S)
        if code is None:
            _recovers(trial, server, 10)
        else:
            trial.must(code != 0, f"killed {masters[number].name}, exit code 0")
            _none_left(trial, server)
