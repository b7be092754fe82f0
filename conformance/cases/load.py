"""L: /ping under load, and many clients."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from conformance.bodies import CSV, csv
from conformance.case import case
from conformance.cases.lifecycle import slow_rows
from conformance.client import Answer, ask
from conformance.given import Floats
from conformance.subject import Needs, Running, Start, SubjectError
from conformance.trial import MARGIN, PING_LIMIT_S, Trial, is_close

HEALTH = "AWS, Custom inference code with hosting services: /ping within 2 s"
LOAD_S = 6.0
LARGE = 5_000_000


def _ping_during(trial: Trial, load: Callable[[threading.Event], object], clients: int) -> None:
    """Every /ping is 200 in time while `clients` threads do their worst."""
    done = threading.Event()
    seconds: list[float] = []
    bad: list[str] = []
    address = trial.server.address
    limit = PING_LIMIT_S * MARGIN
    with ThreadPoolExecutor(clients) as pool:
        for _ in range(clients):
            pool.submit(load, done)
        time.sleep(0.5)
        end = time.monotonic() + LOAD_S
        while time.monotonic() < end:
            answer = _try(lambda: ask(address, "GET", "/ping", timeout_s=limit))
            if isinstance(answer, Answer) and answer.status == 200:
                seconds.append(answer.seconds)
            else:
                bad.append(str(answer))
            time.sleep(0.1)
        done.set()
    slowest = max(seconds, default=0.0) * 1000
    trial.note(f"slowest of {len(seconds)} pings {slowest:.0f} ms (the platform allows 2 s)")
    trial.must(not bad, f"{len(bad)} pings failed, {limit:.0f} s are granted here: {bad[:1]}")


@case("L-01", source=HEALTH)
def ping_beside_large_bodies(trial: Trial) -> None:
    """/ping is 200 in time while 8 clients post 5 MB of CSV each."""
    rows = trial.given.rows
    body = csv(rows) * (LARGE // len(csv(rows)))
    server = trial.server
    statuses: list[int] = []

    def load(done: threading.Event) -> None:
        while not done.is_set():
            try:
                statuses.append(trial.post(body, server=server).status)
            except SubjectError:
                statuses.append(0)

    _ping_during(trial, load, 8)
    odd = {status for status in statuses if status not in (200, 429)}
    trial.should(not odd, f"the posts themselves got {sorted(odd)}")
    trial.must(statuses, "no post was answered at all")


@case("L-02", source=HEALTH)
def ping_beside_stalled_clients(trial: Trial) -> None:
    """/ping is 200 in time while 32 clients stop in the middle of their bodies."""
    address = trial.server.address
    head = (
        f"POST {address.prefix}/invocations HTTP/1.1\r\nHost: {address.host}\r\n"
        f"Content-Type: {CSV}\r\nContent-Length: 1000\r\n\r\n1,2"
    ).encode()

    def load(done: threading.Event) -> None:
        with socket.create_connection((address.host, address.port), timeout=10) as client:
            client.sendall(head)
            done.wait(60)

    _ping_during(trial, load, 32)
    rows = trial.given.rows[:2]
    trial.answers(trial.post(csv(rows)), trial.given.predict(rows))


@case("L-02.slots", source=HEALTH, given="heavy", needs=Needs.START)
def ping_beside_slow_requests(trial: Trial) -> None:
    """/ping is 200 in time while 8 requests of seconds each keep every slot busy."""
    server = trial.server
    rows = slow_rows(trial, server, 1.0)
    body, expected = csv(rows), trial.given.predict(rows)
    answers: list[Answer | str] = []

    def load(done: threading.Event) -> None:
        if not done.is_set():
            answers.append(_try(lambda: trial.post(body, server=server)))

    _ping_during(trial, load, 8)
    _judge(trial, answers, expected, (200,))


def _crowd(
    trial: Trial, server: Running, clients: int, body: bytes, each: int = 1
) -> list[Answer | str]:
    """Answers to so many clients that start at the same moment."""
    gate = threading.Barrier(clients)

    def client() -> list[Answer | str]:
        gate.wait(60)
        return [_try(lambda: trial.post(body, server=server)) for _ in range(each)]

    with ThreadPoolExecutor(clients) as pool:
        asked = [pool.submit(client) for _ in range(clients)]
        return [answer for future in asked for answer in future.result()]


def _try(request: Callable[[], Answer]) -> Answer | str:
    try:
        return request()
    except SubjectError as error:
        return str(error)


def _judge(
    trial: Trial, answers: Sequence[Answer | str], expected: Floats, good: Sequence[int]
) -> None:
    lost = [answer for answer in answers if isinstance(answer, str)]
    trial.must(not lost, f"{len(lost)} of {len(answers)} got no answer: {lost[:1]}")
    whole = [answer for answer in answers if isinstance(answer, Answer)]
    counts = {s: sum(a.status == s for a in whole) for s in sorted({a.status for a in whole})}
    trial.note(f"answers: {counts}")
    wrong = [a for a in whole if a.status == 200 and not is_close(a, expected)]
    trial.must(not wrong, f"{len(wrong)} answers differ from the oracle: {wrong[:1]}")
    trial.must(counts.keys() <= {200, 429, 503}, f"statuses {counts}")
    trial.should(counts.keys() <= set(good), f"only {list(good)} expected, found {counts}")
    bare = [a for a in whole if a.status == 429 and "retry-after" not in a.headers]
    trial.should(not bare, f"{len(bare)} of the 429 have no Retry-After")
    trial.must(200 in counts, "nobody was served")


@case("L-12", source="choice; AWS, InvokeEndpoint API: ModelError")
def sixteen_clients(trial: Trial) -> None:
    """16 clients with 100 rows a request are all served."""
    rows = trial.given.rows[:100]
    answers = _crowd(trial, trial.server, 16, csv(rows), each=10)
    _judge(trial, answers, trial.given.predict(rows), (200,))


@case("L-12.crowd", source="choice; RFC 6585, 4")
def two_hundred_clients(trial: Trial) -> None:
    """200 clients at once get 200, or 429 with Retry-After; none is cut off."""
    rows = trial.given.rows[:100]
    answers = _crowd(trial, trial.server, 200, csv(rows), each=2)
    _judge(trial, answers, trial.given.predict(rows), (200, 429))


@case("L-12.queue", source="choice; RFC 6585, 4", given="heavy", needs=Needs.START)
def full_queue(trial: Trial) -> None:
    """Beyond a queue of 4 slow requests a client gets 429 with Retry-After at once."""
    start = Start(trial.model_folder, {"SAGEMAKER_MODEL_JOB_QUEUE_SIZE": "4"})
    with trial.started(start) as server:
        rows = slow_rows(trial, server, 0.2)
        answers = _crowd(trial, server, 100, csv(rows))
        _judge(trial, answers, trial.given.predict(rows), (200, 429))
        refused = sum(isinstance(a, Answer) and a.status == 429 for a in answers)
        trial.should(refused, "100 clients, and nobody got a 429")
