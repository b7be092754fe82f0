"""`--fuzz` and `--executions`: mutated requests on several connections, for as long as told.

A run is good when no answer is a 5xx, none is missing, every valid request in between is answered
right, no process of the subject was replaced, and its memory stays within bounds. A body that
breaks a rule is made as small as halving can make it and written to a file.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from conformance.bodies import CSV, UnreadableError, csv, numbers
from conformance.client import Answer, short
from conformance.given import Given
from conformance.mutation import Mutator, Request
from conformance.subject import NotApplicable, Running
from conformance.wire import Reply, Wire

CONNECTIONS = 4
EVERY = 50  # requests between two valid ones
WARM = 4000  # requests until memory is looked at: libraries are loaded by their first body
ROOM_MB = 96.0  # memory that may come on top of half as much again
STILL_MB = 32.0  # memory that the second half of a run may add
FOUND = 20  # sorts of failures after which a run ends
TRIES = 300  # requests to make one body smaller
ALLOWED = (501, 505)  # RFC 9110: for a head that a server does not understand


@dataclass(frozen=True)
class Failure:
    """A request that broke a rule, made small."""

    request: Request
    seen: str

    def __str__(self) -> str:
        """One line."""
        kind = self.request.content_type
        head = f"{self.request.method} {self.request.path} {kind} {list(self.request.headers)}"
        return f"{head[:400]} {short(self.request.body, 200)} -> {self.seen}"


@dataclass
class Fuzzed:
    """What came of a run.

    Attributes:
        failures: the first of each sort.
        sorts: how often something failed, by method, path and the start of the answer.
        memory_mb: PSS of the subject's processes: warm, at the end, and the most seen.
        replaced: processes that ended or came while it ran.
    """

    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    closed: int = 0
    good: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    sorts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)

    @property
    def executions(self) -> int:
        """Requests sent."""
        return sum(self.statuses.values()) + self.closed

    @property
    def faults(self) -> list[str]:
        """Why the run is not good."""
        found = [str(failure) for failure in self.failures]
        found += [
            f"{count} times: {method} {path} -> {seen}"
            for (method, path, seen), count in self.sorts.items()
            if count > 1
        ]
        if self.replaced:
            found.append(f"processes ended or came: {self.replaced}")
        if self.memory_mb:
            first, most = self.memory_mb[0], max(self.memory_mb)
            if most > first * 1.5 + ROOM_MB:
                found.append(f"memory rose from {first:.0f} MB to {most:.0f} MB")
            middle, last = self.memory_mb[len(self.memory_mb) // 2], self.memory_mb[-1]
            if last - middle > STILL_MB:
                found.append(f"memory still rises: {middle:.0f} MB half way, {last:.0f} MB at last")
        return found

    def __str__(self) -> str:
        """The figures."""
        statuses = ", ".join(f"{n} x {status}" for status, n in sorted(self.statuses.items()))
        lines = [
            f"{self.executions} executions in {self.seconds:.0f} s "
            f"({self.executions / max(self.seconds, 1e-9):.0f}/s), seed {self.seed}",
            f"statuses: {statuses}; {self.closed} odd heads without an answer",
            f"{self.good} valid requests in between, all right"
            if not any("valid request" in fault for fault in self.faults)
            else "valid requests in between were answered wrong",
        ]
        if self.memory_mb:
            lines.append(
                f"memory (PSS): {self.memory_mb[0]:.0f} MB warm, {self.memory_mb[-1]:.0f} MB at "
                f"the end, {max(self.memory_mb):.0f} MB at most"
            )
        lines += [f"- {fault}" for fault in self.faults] or ["no fault found"]
        return "\n".join(lines)


class Fuzzer:
    """One run against one ready server.

    Args:
        seconds: when to end; None for no limit.
        executions: requests to send; None for no limit.
        findings: folder for the bodies that broke a rule.
    """

    def __init__(
        self,
        server: Running,
        given: Given,
        *,
        seed: int,
        seconds: float | None = None,
        executions: int | None = None,
        findings: Path | None = None,
    ) -> None:
        self._server = server
        self._given = given
        self._end = time.monotonic() + seconds if seconds is not None else float("inf")
        self._left = executions if executions is not None else 1 << 62
        self._findings = findings
        self._lock = threading.Lock()
        self._valid = Request(csv(given.rows[:3]), CSV)
        self._expected = given.predict(given.rows[:3])
        self._seed = seed
        self._stop = threading.Event()
        self.result = Fuzzed(seed)

    def run(self, progress: Callable[[str], None] | None = None) -> Fuzzed:
        """Send requests until time or count is over, or too many have failed."""
        begin = time.monotonic()
        before = self._pids()
        threads = [
            threading.Thread(target=self._send, args=(number,)) for number in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        self._watch(threads, progress)
        for thread in threads:
            thread.join()
        self.result.seconds = time.monotonic() - begin
        self._measure()
        self.result.replaced = sorted(before ^ self._pids())
        return self.result

    def _watch(
        self, threads: list[threading.Thread], progress: Callable[[str], None] | None
    ) -> None:
        told = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            self._stop.wait(1.0)
            if self.result.executions >= WARM:
                self._measure()
            if progress and time.monotonic() - told > 30:
                told = time.monotonic()
                progress(f"{self.result.executions} executions, {len(self.result.failures)} faults")

    def _send(self, number: int) -> None:
        mutator = Mutator(self._given, f"{self._seed}-{number}")
        wire = Wire(self._server.address)
        count = 0
        while self._goes_on():
            count += 1
            request = self._valid if count % EVERY == 0 else mutator.request()
            seen = self._fault(wire, request)
            if seen:
                self._keep(request, seen)
        wire.close()

    def _goes_on(self) -> bool:
        with self._lock:
            self._left -= 1
            if self._left < 0 or time.monotonic() >= self._end or self._stop.is_set():
                return False
            return len(self.result.failures) < FOUND

    def _fault(self, wire: Wire, request: Request, *, counted: bool = True) -> str:
        """What is wrong with the answer; empty where nothing is."""
        try:
            reply = wire.exchange(request.head(), request.body)
        except (OSError, ValueError) as error:
            wire.close()
            return f"no answer: {type(error).__name__} {error}"
        if counted:
            with self._lock:
                if reply is None:
                    self.result.closed += 1
                else:
                    self.result.statuses[reply.status] += 1
                self.result.good += request is self._valid
        return self._judged(request, reply)

    def _judged(self, request: Request, reply: Reply | None) -> str:
        if reply is None:
            return "" if request.is_odd else "closed without an answer"
        if reply.status >= 500 and not (request.is_odd and reply.status in ALLOWED):
            return f"{reply.status} {short(reply.body)}"
        if request is not self._valid:
            return ""
        answer = Answer("valid request", reply.status, {"content-type": CSV}, reply.body)
        with contextlib.suppress(UnreadableError):
            if reply.status == 200 and np.array_equal(numbers(answer), self._expected.ravel()):
                return ""
        return f"a valid request was answered {reply.status} {short(reply.body)}"

    # ---- what was found

    def _keep(self, request: Request, seen: str) -> None:
        with self._lock:
            sort = request.method, request.path, seen[:40]
            self.result.sorts[sort] += 1
            if self.result.sorts[sort] > 1:
                return
        small, again = self._smaller(request)
        failure = Failure(small, seen if again else f"{seen} (not again, when sent alone)")
        with self._lock:
            self.result.failures.append(failure)
            number = len(self.result.failures)
        if self._findings:
            self._findings.mkdir(parents=True, exist_ok=True)
            name = f"{self._seed}-{number:02}"
            (self._findings / f"{name}.request").write_bytes(small.head() + small.body)
            (self._findings / f"{name}.txt").write_text(f"{failure}\n", encoding="utf-8")

    def _smaller(self, request: Request) -> tuple[Request, bool]:
        """The request with as small a body as halving finds, and whether it fails alone."""
        wire = Wire(self._server.address)

        def fails(body: bytes) -> bool:
            return bool(self._fault(wire, replace(request, body=body), counted=False))

        try:
            if request is self._valid or not fails(request.body):
                return request, request is self._valid
            return replace(request, body=minimised(request.body, fails)), True
        finally:
            wire.close()

    # ---- the subject's processes

    def _pids(self) -> set[int]:
        try:
            return {info.pid for info in self._server.processes()}
        except NotApplicable:
            return set()

    def _measure(self) -> None:
        sizes = [size for pid in self._pids() if (size := proportional_mb(pid)) is not None]
        if sizes:
            self.result.memory_mb.append(sum(sizes))


def minimised(body: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The body without the pieces that it fails without: halves, quarters, and on to bytes."""
    size, tries = len(body) // 2, 0
    while size:
        at = 0
        while at < len(body) and tries < TRIES:
            shorter = body[:at] + body[at + size :]
            tries += 1
            if fails(shorter):
                body = shorter
            else:
                at += size
        size //= 2
    return body


def proportional_mb(pid: int) -> float | None:
    """PSS of a process; None where it cannot be read."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return None
