"""P: the protocol, and errors."""

from __future__ import annotations

import json
import re
import time

import numpy as np

from conformance.bodies import CSV, JSON, JSON_LINES, csv, instances, jsonlines, records
from conformance.case import case
from conformance.client import Answer
from conformance.given import Floats
from conformance.trial import Refusal, Trial

HOSTING = "AWS, Custom inference code with hosting services"
INVOKE = "AWS, InvokeEndpoint API"
LIMIT = 6_291_456  # bytes of an InvokeEndpoint body


@case("P-01", source="choice; AWS, Common data formats for inference")
def json_in(trial: Trial) -> None:
    """JSON bodies are answered like CSV: `instances`, and a bare array of arrays."""
    rows = trial.given.rows[:3].copy()
    rows[1, 2] = np.nan
    expected = trial.given.predict(rows)
    bare = json.dumps(json.loads(instances(rows))["instances"]).encode()
    for body in (instances(rows), bare):
        trial.answers(trial.post(body, JSON, accept=CSV), expected, optional=True)


@case("P-01.jsonlines", source="choice; AWS, Common data formats for inference")
def jsonlines_in(trial: Trial) -> None:
    """JSON Lines bodies are answered like CSV."""
    rows = trial.given.rows[:3].copy()
    rows[1, 2] = np.nan
    expected = trial.given.predict(rows)
    for body in (jsonlines(rows), jsonlines(rows).rstrip(b"\n")):
        trial.answers(trial.post(body, JSON_LINES, accept=CSV), expected, optional=True)


@case("P-01.named", given="named")
def jsonlines_by_name(trial: Trial) -> None:
    """JSON Lines by column name are answered like CSV."""
    rows = trial.given.rows[:3]
    lines = [json.dumps(record) for record in records(rows, trial.given.names)]
    answer = trial.post("\n".join(lines).encode(), JSON_LINES, accept=CSV)
    trial.answers(answer, trial.given.predict(rows), optional=True)


@case("P-02", source="RFC 9110, 15.5.16")
def unsupported_type(trial: Trial) -> None:
    """No Content-Type, or an unknown one, is a 415 that lists the accepted types."""
    rows = trial.given.rows[:2]
    rule = Refusal(415, "unsupported_media_type", mentions=(CSV, JSON))
    for kind in (None, "application/xml"):
        answer = trial.post(csv(rows), kind)
        trial.refuses(answer, rule, lenient=trial.given.predict(rows))


@case("P-03")
def empty_body(trial: Trial) -> None:
    """An empty body is refused."""
    for kind in (CSV, JSON, JSON_LINES):
        answer = trial.post(b"", kind)
        if answer.status < 300:
            trial.should(False, f"400 expected: {answer}")
        else:
            trial.refuses(answer, Refusal(400, "empty_body"))


@case("P-06", source="choice; RFC 9457")
def problems(trial: Trial) -> None:
    """Every error is problem+json with a request id: no HTML, no path, no stack."""
    rows = trial.given.rows[:2]
    errors = [
        trial.get("/nowhere"),
        trial.get("/invocations"),
        trial.post(csv(rows), accept="image/png"),
        trial.post(csv(rows), "application/xml"),
        trial.post(b"", CSV),
        trial.post(b"\xff\xfe", CSV),
        trial.post(csv(rows[:, :3])),
        trial.post(csv(rows[:, :1]) + csv(rows), CSV),
        trial.post(b"{", JSON),
        trial.post(b'{"instances": 5}', JSON),
        trial.post(b"[1, 2", JSON_LINES),
        trial.post(b"7," * (LIMIT // 2 + 9), CSV),
    ]
    for answer in errors:
        trial.must(answer.status < 500, f"a client's fault is no 5xx: {answer}")
        if answer.status >= 400 and trial.is_problem(answer):
            problem = answer.problem
            trial.should("request_id" in problem, f"request_id expected: {answer}")
            trial.should(problem.get("status") == answer.status, f"status differs: {answer}")


@case("P-07", source=f"{INVOKE}: Body; our default limit is a choice")
def payload_limit(trial: Trial) -> None:
    """A body of 6,291,456 bytes is answered, a larger one is a 413."""
    body, expected = _sized(trial, LIMIT)
    trial.answers(trial.post(body), expected)
    for size in (LIMIT + 1, 8_000_000):
        body, expected = _sized(trial, size)
        rule = Refusal(413, "payload_too_large")
        trial.refuses(trial.post(body), rule, lenient=expected)


def _sized(trial: Trial, size: int) -> tuple[bytes, Floats]:
    """A CSV body of exactly `size` bytes, and its right answer."""
    given = trial.given
    half = np.full((1, given.width), 0.5, dtype=np.float32)
    block, line = csv(given.rows), csv(half)
    blocks, rest = divmod(size - len(line), len(block))
    lines, zeros = divmod(rest, len(line))
    body = block * blocks + line * lines + line[:-1] + b"0" * zeros + b"\n"
    scores = [np.tile(given.predict(given.rows), blocks), np.tile(given.predict(half), lines + 1)]
    return body, np.concatenate(scores)


@case("P-09", source="choice; RFC 9110, 15.5.5")
def unknown_paths(trial: Trial) -> None:
    """Only the contract's paths exist: /pingfoo and /invocations2 are 404."""
    for path in ("/pingfoo", "/ping/", "/invocations2", "/"):
        answer = trial.get(path)
        trial.must(answer.status < 500, f"404 expected: {answer}")
        if trial.should(answer.status == 404, f"404 expected: {answer}"):
            trial.is_problem(answer)
    answer = trial.get("/invocations2", method="POST")
    trial.should(answer.status == 404, f"404 expected: {answer}")


@case("P-09.metrics", source="AWS, Detailed observability: ContainerMetricsConfig (optional)")
def metrics_path(trial: Trial) -> None:
    """GET /metrics is 200, Prometheus text."""
    answer = trial.get("/metrics")
    trial.must(answer.status < 500, f"200 expected: {answer}")
    if trial.should(answer.status == 200, f"200 expected: {answer}"):
        trial.must(answer.media_type.startswith("text/"), f"Prometheus text expected: {answer}")


@case("P-10", source="RFC 9110, 15.5.6")
def methods(trial: Trial) -> None:
    """GET /invocations and POST /ping are 405, with Allow."""
    for method, path, allowed in (("GET", "/invocations", "POST"), ("POST", "/ping", "GET")):
        answer = trial.get(path, method=method)
        trial.must(answer.status < 500, f"405 expected: {answer}")
        if trial.should(answer.status == 405, f"405 expected: {answer}"):
            allow = answer.headers.get("allow", "")
            trial.must(allowed in allow, f"Allow: {allowed} expected, {allow!r} found: {answer}")
            trial.is_problem(answer)


def _counters(answer: Answer) -> dict[str, float]:
    """Sums of a Prometheus page by metric, over labels, counters only."""
    sums: dict[str, float] = {}
    for line in answer.text.splitlines():
        found = re.fullmatch(r"(\w+(?:_total|_count))(?:\{.*\})? (\S+)(?: \d+)?", line.strip())
        if found:
            sums[found[1]] = sums.get(found[1], 0.0) + float(found[2])
    return sums


@case("P-11", source="choice; AWS, Detailed observability")
def counted(trial: Trial) -> None:
    """Three good requests raise a counter of /metrics by three, over all workers."""
    body = csv(trial.given.rows[:1])
    trial.post(body)
    before = trial.get("/metrics")
    if not trial.should(before.status == 200, f"200 expected: {before}"):
        return
    for _ in range(3):
        trial.post(body)
    end = time.monotonic() + 5
    rose: dict[str, float] = {}
    while time.monotonic() < end and 3.0 not in rose.values():
        after = _counters(trial.get("/metrics"))
        rose = {name: value - _counters(before).get(name, 0.0) for name, value in after.items()}
    trial.should(3.0 in rose.values(), f"no counter rose by 3: {rose}")
    names = {name for name, value in rose.items() if value == 3}
    pages = [_counters(trial.get("/metrics")) for _ in range(6)]
    steady = any(len({page.get(name) for page in pages}) == 1 for name in names)
    trial.should(steady, f"{sorted(names)} differ from worker to worker")


@case("P-12", source=f"{INVOKE}: CustomAttributes")
def attributes(trial: Trial) -> None:
    """Custom attributes come back; headers unknown to the server are ignored."""
    rows = trial.given.rows[:1]
    echo = "X-Amzn-SageMaker-Custom-Attributes"
    headers = {
        echo: "trace=7f3a; c=1",
        "X-Amzn-SageMaker-Inference-Id": "abc",
        "X-Amzn-SageMaker-Target-Variant": "blue",
        "X-Unheard-Of": "1" * 500,
    }
    answer = trial.post(csv(rows), headers=headers)
    trial.answers(answer, trial.given.predict(rows))
    found = answer.headers.get(echo.lower())
    trial.should(found == headers[echo], f"{echo} {found!r} instead of {headers[echo]!r}")


@case("P-12.request-id")
def request_id(trial: Trial) -> None:
    """The request id of an error stands in the log."""
    answer = trial.post(b"no,rows\n")
    found = answer.problem.get("request_id")
    if trial.should(found, f"request_id expected: {answer}"):
        time.sleep(0.5)
        logs = trial.server.logs()
        trial.should(str(found) in logs, f"request_id {found} is not in the log")


@case("P-13")
def quiet_log(trial: Trial) -> None:
    """1,000 requests and 100 pings are logged as sampled JSON lines, pings not at all."""
    body = csv(trial.given.rows[:1])
    expected = trial.given.predict(trial.given.rows[:1])
    server = trial.server
    before = len(server.logs().splitlines())
    with trial.connection() as connection:
        for _ in range(1000):
            answer = connection.request("POST", "/invocations", body, {"Content-Type": CSV})
            if not trial.answers(answer, expected):
                return
        for _ in range(100):
            connection.request("GET", "/ping")
    time.sleep(0.5)
    lines = [line for line in server.logs().splitlines()[before:] if line.strip()]
    pings = [line for line in lines if "/ping" in line]
    odd = [line for line in lines if not _is_object(line)]
    trial.should(not pings, f"{len(pings)} lines on /ping: {pings[:1]}")
    trial.should(not odd, f"{len(odd)} lines are not JSON objects: {odd[:1]}")
    trial.should(len(lines) < 500, f"{len(lines)} lines for 1,100 requests")


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@case("P-14", source="RFC 9112, 9.3")
def one_connection(trial: Trial) -> None:
    """One connection carries 100 requests, a 6 MB body and errors among them."""
    rows = trial.given.rows
    expected = trial.given.predict(rows[:2])
    large = csv(rows) * ((LIMIT - 1) // len(csv(rows)))
    closed = 0
    with trial.connection() as connection:
        for number in range(100):
            kind = {"Content-Type": CSV}
            if number == 50:
                answer = connection.request("POST", "/invocations", large, kind)
                trial.must(answer.status == 200, f"200 expected: {answer}")
            elif number % 10 == 5:
                answer = connection.request("POST", "/invocations", b"no,rows\n", kind)
                trial.must(400 <= answer.status < 500, f"4xx expected: {answer}")
            else:
                answer = connection.request("POST", "/invocations", csv(rows[:2]), kind)
                trial.answers(answer, expected)
            closed += answer.closed
    trial.should(closed == 0, f"the server closed the connection {closed} times")
