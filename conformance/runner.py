"""Puts cases to a subject, one after the other, and keeps what came of each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from conformance.case import Case
from conformance.given import Given
from conformance.subject import Needs, NotApplicable, Subject, SubjectError
from conformance.trial import START_S, Servers, Trial


class Verdict(StrEnum):
    """The result of one case."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    FAIL = "FAIL"
    DIFFERS = "differs"
    NOT_APPLICABLE = "not applicable"
    LATER = "later"


@dataclass(frozen=True)
class Outcome:
    """What came of one case.

    Attributes:
        seen: what broke the rule, or why the case was not put.
        notes: figures that came up.
    """

    id: str
    rule: str
    verdict: Verdict
    seen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run(
    subject: Subject,
    cases: Iterable[Case],
    *,
    model: Given | None = None,
    start_s: float = START_S,
    progress: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run the cases, those of one given model together; outcomes in the order of ids."""
    with tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        servers = Servers(subject, scratch, model, start_s)
        outcomes = []
        try:
            for case in sorted(cases, key=lambda case: (case.needs, case.given, case.id)):
                outcome = _put(servers, case)
                if progress:
                    progress(outcome)
                outcomes.append(outcome)
        finally:
            servers.close()
    return sorted(outcomes, key=lambda outcome: outcome.id)


def _put(servers: Servers, case: Case) -> Outcome:
    begin = time.monotonic()
    if case.needs not in servers.subject.offers:
        reason = [f"needs {case.needs}: {servers.subject.why_not}"]
        return Outcome(case.id, case.rule, Verdict.NOT_APPLICABLE, reason)
    if case.needs == Needs.TRAIN:
        servers.close()  # a job has the machine to itself
    trial = Trial(servers, case)
    try:
        case.run(trial)
        ended = servers.ended()
    except NotApplicable as error:
        return Outcome(case.id, case.rule, Verdict.NOT_APPLICABLE, [str(error)])
    except SubjectError as error:
        ended = str(error)
    except Exception as error:  # noqa: BLE001 - an answer that the suite did not foresee
        ended = f"unforeseen {type(error).__name__}: {error}"
    found = trial.found
    failures = [*found.failures, *([ended] if ended else [])]
    verdict = Verdict.PASS
    if failures or found.differences:
        verdict = Verdict.FAIL if failures else Verdict.DIFFERS
    seen = [*failures, *found.differences]
    return Outcome(case.id, case.rule, verdict, seen, found.notes, time.monotonic() - begin)
