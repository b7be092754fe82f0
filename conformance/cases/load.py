"""L: /ping under load, and many clients."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from conformance.bodies import CSV, csv
from conformance.case import case
from conformance.client import Answer
from conformance.subject import SubjectError
from conformance.trial import MARGIN, PING_LIMIT_S, Trial, compare

HEALTH = "AWS, Custom inference code with hosting services: /ping within 2 s"
LOAD_S = 6.0
LARGE = 5_000_000


def _ping_during(trial: Trial, load: Callable[[threading.Event], object], clients: int) -> None:
    """Every /ping is 200 in time while `clients` threads do their worst."""
    done = threading.Event()
    slowest, bad, count = 0.0, [], 0
    server = trial.server
    with ThreadPoolExecutor(clients) as pool:
        for _ in range(clients):
            pool.submit(load, done)
        time.sleep(0.5)
        end = time.monotonic() + LOAD_S
        while time.monotonic() < end:
            begin = time.monotonic()
            try:
                answer = trial.get("/ping", server=server)
                bad += [] if answer.status == 200 else [str(answer)]
            except SubjectError as error:
                bad.append(str(error))
            slowest = max(slowest, time.monotonic() - begin)
            count += 1
            time.sleep(0.1)
        done.set()
    limit = PING_LIMIT_S * MARGIN
    trial.note(f"slowest of {count} pings {slowest * 1000:.0f} ms (the platform allows 2 s)")
    trial.must(not bad, f"{len(bad)} of {count} pings failed: {bad[:1]}")
    trial.must(slowest <= limit, f"a ping took {slowest:.1f} s, {limit:.0f} s are granted here")


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


def _crowd(trial: Trial, clients: int, each: int) -> list[Answer | str]:
    """Answers to so many clients that start at the same moment."""
    body = csv(trial.given.rows[:100])
    server = trial.server
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


def _judge(trial: Trial, answers: Sequence[Answer | str], good: Sequence[int]) -> None:
    expected = trial.given.predict(trial.given.rows[:100])
    lost = [answer for answer in answers if isinstance(answer, str)]
    trial.must(not lost, f"{len(lost)} of {len(answers)} got no answer: {lost[:1]}")
    whole = [answer for answer in answers if isinstance(answer, Answer)]
    counts = {s: sum(a.status == s for a in whole) for s in sorted({a.status for a in whole})}
    trial.note(f"answers: {counts}")
    wrong = [a for a in whole if a.status == 200 and compare(a, expected) != ("", 0.0)]
    trial.must(not wrong, f"{len(wrong)} answers differ from the oracle")
    trial.must(counts.keys() <= {200, 429, 503}, f"statuses {counts}")
    trial.should(counts.keys() <= set(good), f"only {list(good)} expected, found {counts}")
    bare = [a for a in whole if a.status == 429 and "retry-after" not in a.headers]
    trial.should(not bare, f"{len(bare)} of the 429 have no Retry-After")
    trial.must(200 in counts, "nobody was served")


@case("L-12", source="choice; AWS, InvokeEndpoint API: ModelError")
def sixteen_clients(trial: Trial) -> None:
    """16 clients with 100 rows a request are all served."""
    _judge(trial, _crowd(trial, 16, 10), (200,))


@case("L-12.crowd", source="choice; RFC 6585, 4")
def two_hundred_clients(trial: Trial) -> None:
    """200 clients at once get 200, or 429 with Retry-After; none is cut off."""
    _judge(trial, _crowd(trial, 200, 2), (200, 429))
