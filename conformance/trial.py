"""What a case works with: a server or a job of the subject, and the two ways to judge.

`must` is for the platform's rules, the RFCs, right numbers, and 5xx for a client's fault: where
it does not hold, the result is FAIL. `should` is for our choices: there the result is "differs".
Both go on, so that a report shows everything that a case saw.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from conformance.bodies import CSV, UnreadableError, numbers
from conformance.case import Case
from conformance.client import Answer, Connection, ask
from conformance.given import Floats, Given, build
from conformance.subject import Needs, NotApplicable, Running, Start, Subject, SubjectError

START_S = 120.0  # AWS gives a container 4 minutes and more; nobody wants to wait so long here
PING_LIMIT_S = 2.0  # AWS: a container must answer /ping within 2 seconds
STOP_LIMIT_S = 30.0  # AWS: SIGKILL follows SIGTERM after 30 seconds
MARGIN = 2.0  # every limit of time is multiplied by it, since machines of tests are noisy
NOISE = 1e-5  # answers closer than this to the oracle are right, though not bit for bit
STACKS = ("Traceback (most", "Stack trace:", "[bt]", 'File "', "dmlc::", "xgboost::", "/src/")


@dataclass(frozen=True)
class Refusal:
    """Our choice for an error: the status, the code, and the place of the fault."""

    status: int
    code: str | None = None
    row: int | None = None
    column: int | str | None = None
    mentions: Sequence[str] = ()


@dataclass
class Findings:
    """What a case has found so far."""

    failures: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Servers:
    """The server that cases share; there is at most one at a time."""

    def __init__(
        self,
        subject: Subject,
        scratch: Path,
        model: Given | None = None,
        start_s: float = START_S,
    ) -> None:
        self.subject = subject
        self.scratch = scratch
        self.start_s = start_s
        self.model = model  # of a running server: stands in for G1
        self._shared: Running | None = None
        self._name = ""
        self._broken: dict[str, str] = {}  # given models with which it did not get ready

    def given(self, name: str) -> Given:
        """A given model; a running server has one only."""
        if self.model and name == "G1":
            return self.model
        if Needs.START not in self.subject.offers and name != "G1":
            raise NotApplicable(f"needs the given model {name!r}, this server has one model")
        return build(name)

    def folder(self, given: Given) -> Path:
        """The given model's files, written once."""
        folder = self.scratch / given.name
        return folder if folder.exists() else given.write(folder)

    def shared(self, given: Given) -> Running:
        """A ready server with this model; one that failed to start is not tried again."""
        if self._shared and self._name == given.name and self._shared.wait(0) is None:
            return self._shared
        self.close()
        if given.name in self._broken:
            raise SubjectError(self._broken[given.name])
        running = self.subject.serve(Start(self.folder(given)))
        try:
            wait_ready(running, self.start_s)
        except SubjectError as error:
            self._broken[given.name] = str(error)
            running.close()
            raise
        self._shared, self._name = running, given.name
        return running

    def ended(self) -> str | None:
        """Why the shared server is no longer there, if it was started and has ended."""
        if self._shared is None or (code := self._shared.wait(0)) is None:
            return None
        return f"the server ended with exit code {code}: {last_line(self._shared.logs())}"

    def close(self) -> None:
        """End the shared server."""
        if self._shared:
            self._shared.close()
        self._shared = None


class Trial:
    """One case put to the subject."""

    def __init__(self, servers: Servers, case: Case) -> None:
        self.subject = servers.subject
        self.found = Findings()
        self._servers = servers
        self._case = case

    @property
    def given(self) -> Given:
        """The given model of this case."""
        return self._servers.given(self._case.given)

    @property
    def start_s(self) -> float:
        """Seconds that a server may take to become ready."""
        return self._servers.start_s

    @property
    def model_folder(self) -> Path:
        """The files of the given model."""
        return self._servers.folder(self.given)

    @property
    def server(self) -> Running:
        """A ready server with the given model, shared with other cases."""
        return self._servers.shared(self.given)

    # Judging

    def must(self, holds: object, seen: str) -> bool:
        """A rule of the platform; `seen` is what stands in the table where it does not hold."""
        if not holds:
            self.found.failures.append(seen)
        return bool(holds)

    def should(self, holds: object, seen: str) -> bool:
        """A choice of ours."""
        if not holds:
            self.found.differences.append(seen)
        return bool(holds)

    def note(self, text: str) -> None:
        """A figure worth keeping, without judgement."""
        self.found.notes.append(text)

    def answers(self, answer: Answer, expected: Floats, *, optional: bool = False) -> bool:
        """200 and the oracle's numbers.

        Args:
            optional: the platform does not ask for it: a 4xx is a difference, not a failure.
        """
        if optional and 400 <= answer.status < 500:
            return self.should(False, f"refused: {answer}")
        if not self.must(answer.status == 200, f"200 expected: {answer}"):
            return False
        return self._equals(answer, expected)

    def _equals(self, answer: Answer, expected: Floats) -> bool:
        fault, distance = compare(answer, expected)
        if fault:
            return self.must(False, f"{fault}: {answer}")
        if distance == 0:
            return True
        seen = f"off by {distance:.3g}: {answer}"
        return self.should(False, seen) if distance <= NOISE else self.must(False, seen)

    def refuses(self, answer: Answer, rule: Refusal, *, lenient: Floats | None = None) -> None:
        """A 4xx, ours with the right code and place.

        Args:
            lenient: the numbers of a server that takes the body in a reasonable sense: such an
                answer is a difference, any other 200 a wrong number.
        """
        if answer.status == 200 and lenient is not None:
            self.should(False, f"{rule.status} expected, taken leniently: {answer}")
            self._equals(answer, lenient)
            return
        if not self.must(400 <= answer.status < 500, f"{rule.status} expected: {answer}"):
            return
        self.should(answer.status == rule.status, f"{rule.status} expected: {answer}")
        self._problem(answer, rule)

    def _problem(self, answer: Answer, rule: Refusal) -> None:
        """Our shape of an error: problem+json with code, detail and place."""
        problem = answer.problem
        if not self.is_problem(answer):
            return
        for name in ("code", "row", "column"):
            wanted = getattr(rule, name)
            if wanted is not None:
                self.should(problem.get(name) == wanted, f"{name} {wanted!r} expected: {answer}")
        detail = str(problem.get("detail", ""))
        for text in rule.mentions:
            self.should(text in detail, f"detail should name {text}: {detail!r} {answer}")

    def is_problem(self, answer: Answer) -> bool:
        """Whether an error is problem+json, short, and free of stacks (all our choice)."""
        leaks = [mark for mark in STACKS if mark in answer.text]
        self.should(not leaks, f"shows a library's inside ({', '.join(leaks)}): {answer}")
        self.should(len(answer.body) <= 2048, f"more than 2048 characters: {answer}")
        return self.should(
            answer.media_type == "application/problem+json"
            and {"code", "detail"} <= answer.problem.keys(),
            f"problem+json with code and detail expected: {answer}",
        )

    # Asking

    def post(
        self,
        body: bytes,
        content_type: str | None = CSV,
        *,
        accept: str | None = None,
        headers: Mapping[str, str] | None = None,
        server: Running | None = None,
    ) -> Answer:
        """POST /invocations on a connection of its own."""
        sent = dict(headers or {})
        if content_type is not None:
            sent["Content-Type"] = content_type
        if accept is not None:
            sent["Accept"] = accept
        address = (server or self.server).address
        return ask(address, "POST", "/invocations", body, headers=sent)

    def get(self, path: str, *, method: str = "GET", server: Running | None = None) -> Answer:
        """A request without body."""
        body = b"" if method == "POST" else None
        return ask((server or self.server).address, method, path, body)

    @contextlib.contextmanager
    def connection(self, server: Running | None = None) -> Iterator[Connection]:
        """A connection that is kept open."""
        connection = Connection((server or self.server).address)
        try:
            yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def started(self, start: Start | None = None, *, ready: bool = True) -> Iterator[Running]:
        """A server of this case's own; the shared one is ended first."""
        self._servers.close()
        running = self.subject.serve(start or Start(self.model_folder))
        try:
            if ready:
                wait_ready(running, self._servers.start_s)
            yield running
        finally:
            running.close()

    def folder(self, name: str) -> Path:
        """A new folder for this case."""
        folder = self._servers.scratch / f"{self._case.id}-{name}"
        folder.mkdir(parents=True)
        return folder


def compare(answer: Answer, expected: Floats) -> tuple[str, float]:
    """What is wrong with an answer's form, if anything, and its distance from the oracle."""
    try:
        found = numbers(answer)
    except UnreadableError as error:
        return str(error), 0.0
    wanted = expected.ravel()
    if len(found) != len(wanted):
        return f"{len(found)} numbers instead of {len(wanted)}", 0.0
    if np.array_equal(found, wanted):
        return "", 0.0
    distance = float(np.max(np.abs(found.astype(np.float64) - wanted)))
    return ("a number is NaN", 0.0) if np.isnan(distance) else ("", distance)


def is_close(answer: Answer, expected: Floats) -> bool:
    """Whether an answer holds the oracle's numbers, the last bits aside."""
    fault, distance = compare(answer, expected)
    return not fault and distance <= NOISE


def ping(server: Running, timeout_s: float = PING_LIMIT_S * MARGIN) -> Answer | None:
    """GET /ping on a new connection; None where nothing answers in time."""
    try:
        return ask(server.address, "GET", "/ping", timeout_s=timeout_s)
    except SubjectError:
        return None


def wait_ready(server: Running, timeout_s: float) -> None:
    """Wait for the first 200 of /ping; SubjectError where the server ends or time runs out."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        answer = ping(server)
        if answer and answer.status == 200:
            return
        if (code := server.wait(0)) is not None:
            raise SubjectError(
                f"the server ended with exit code {code} before it was ready: "
                f"{last_line(server.logs())}"
            )
        time.sleep(0.05)
    raise SubjectError(f"/ping was not 200 within {timeout_s:.0f} s")


def last_line(text: str) -> str:
    """The last line of a log that says something, and the last error before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "nothing was logged"
    errors = [line for line in lines[:-1] if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return " after ".join([lines[-1][:300], *(error[:200] for error in errors[-1:])])
