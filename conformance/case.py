"""What a case is, and the register of all cases.

A case is a function with one argument, a Trial, under the decorator `case`. Its docstring is the
rule, in one sentence, as the table shows it. Its body says what must hold (the platform's rules,
an RFC, right numbers) and what should hold (our choices).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from conformance.subject import Needs

if TYPE_CHECKING:
    from conformance.trial import Trial

Run = Callable[["Trial"], None]


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        id: `D-04`; parts of one case carry a suffix, `O-04.softprob`.
        rule: the rule in one sentence.
        source: the page of AWS or XGBoost, or the RFC, that fixes it; "choice" where none does.
        needs: what the subject must be able to do.
        given: name of the given model that is served.
    """

    id: str
    rule: str
    source: str
    needs: Needs
    given: str
    run: Run


CASES: dict[str, Case] = {}


def case(
    number: str, *, source: str = "choice", needs: Needs = Needs.SERVER, given: str = "G1"
) -> Callable[[Run], Run]:
    """Register a function as a case; its docstring is the rule."""

    def register(run: Run) -> Run:
        if number in CASES:
            raise ValueError(f"case {number} stands twice")
        rule = " ".join((run.__doc__ or "").split()).removesuffix(".")
        CASES[number] = Case(number, rule, source, needs, given, run)
        return run

    return register


def is_chosen(number: str, patterns: list[str]) -> bool:
    """Whether a case is among `D-04,P-*`; a pattern without suffix takes the parts along."""
    names = (number, number.split(".")[0])
    return not patterns or any(fnmatchcase(name, want) for want in patterns for name in names)
