"""The parts of the suite by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import conformance.cases  # noqa: F401 - registers the cases
from conformance import bodies, report
from conformance.__main__ import main
from conformance.case import CASES, is_chosen
from conformance.cases import fuzz
from conformance.client import Answer
from conformance.given import build, from_folder
from conformance.later import LATER
from conformance.runner import Outcome, Verdict
from conformance.trial import compare

# Every id of the contract's list of cases.
LISTED = {
    "D": range(1, 24), "O": range(1, 13), "P": range(1, 15), "L": range(1, 17),
    "M": range(1, 8), "T": range(1, 17), "J": range(1, 11),
}  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"


def answer(kind: str, body: bytes) -> Answer:
    return Answer("POST", 200, {"content-type": kind}, body)


def test_every_case_of_the_contract_is_run_or_waits_with_a_reason() -> None:
    wanted = {f"{letter}-{number:02}" for letter, numbers in LISTED.items() for number in numbers}
    known = {number.split(".")[0] for number in (*CASES, *LATER)}
    assert known == wanted


def test_no_case_both_runs_and_waits() -> None:
    assert CASES.keys() & LATER.keys() == set()


def test_every_case_has_a_rule_of_one_line_and_a_source() -> None:
    for case in CASES.values():
        assert 10 < len(case.rule) <= report.RULE_WIDTH
        assert case.source


def test_the_reference_page_is_the_one_that_the_code_writes() -> None:
    ordered = [CASES[number] for number in sorted(CASES)]
    assert PAGE.read_text(encoding="utf-8") == report.page(ordered)


def test_the_same_bodies_come_from_the_same_seed() -> None:
    first = list(fuzz.bodies(b"1,2,3\n4,5,6\n", 5))
    assert first == list(fuzz.bodies(b"1,2,3\n4,5,6\n", 5))
    assert len(first) == 1000
    assert len(set(first)) > 800


def test_the_early_stopped_model_has_its_best_iteration_inside() -> None:
    given = build("early_stopped")
    assert 5 < given.trees < given.booster.num_boosted_rounds()


def test_a_model_read_from_a_folder_predicts_the_same(tmp_path: Path) -> None:
    given = build("G1")
    found = from_folder(given.write(tmp_path))
    np.testing.assert_array_equal(found.predict(given.rows), given.predict(given.rows))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", b"0.5\n0.25\n"),
        ("text/csv; charset=utf-8", b"0.5,0.25"),
        ("application/json", b'{"predictions": [{"score": 0.5}, {"score": 0.25}]}'),
        ("application/json", b"[0.5, 0.25]"),
        ("application/json", b'{"predictions": [{"label": "late", "score": 0.5}, 0.25]}'),
        ("application/jsonlines", b'{"score": 0.5}\n{"score": 0.25}\n'),
    ],
)
def test_numbers_are_read_from_any_shape(kind: str, body: bytes) -> None:
    assert bodies.numbers(answer(kind, body)).tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("kind", "body", "fault"),
    [
        ("application/json", b"[NaN, 0.25]", "NaN is not JSON"),
        ("application/json", b"<html>", "not JSON"),
        ("application/json", b'{"a": 1, "b": 2}', "no score among ['a', 'b']"),
        ("text/csv", b"late\n", "not a number"),
        ("text/csv", b"0.5\n", "1 numbers instead of 2"),
        ("text/csv", b"0.5\nnan\n", "a number is NaN"),
    ],
)
def test_an_unreadable_answer_is_a_fault(kind: str, body: bytes, fault: str) -> None:
    found, _ = compare(answer(kind, body), np.asarray([0.5, 0.25], dtype=np.float32))
    assert fault in found


def test_one_bit_off_the_oracle_is_seen() -> None:
    wanted = np.asarray([0.5], dtype=np.float32)
    near = str(np.nextafter(np.float32(0.5), np.float32(1))).encode()
    assert compare(answer("text/csv", near), wanted) == ("", pytest.approx(5.96e-08, rel=1e-3))


def test_a_pattern_chooses_a_case_with_its_parts() -> None:
    chosen = {number for number in CASES if is_chosen(number, ["O-04", "P-1*"])}
    assert {"O-04", "O-04.json", "P-10", "P-12.request-id"} <= chosen
    assert not {"O-03", "P-09"} & chosen


def test_a_difference_fails_only_where_strict() -> None:
    outcomes = [Outcome("D-04", "rule", Verdict.PASS), Outcome("D-05", "rule", Verdict.DIFFERS)]
    assert report.is_passed(outcomes, strict=False)
    assert not report.is_passed(outcomes, strict=True)


def test_the_table_shows_what_was_seen() -> None:
    outcome = Outcome("D-04", "The rule", Verdict.FAIL, ["422 expected\x1b", "and more"])
    lines = report.line(outcome).splitlines()
    assert lines[0].split() == ["D-04", "The", "rule", "FAIL"]
    assert lines[1:] == ["    - 422 expected?", "    - and more"]


def test_a_case_that_is_not_put_says_why() -> None:
    outcome = Outcome("L-14", "The rule", Verdict.NOT_APPLICABLE, ["needs a container"])
    assert report.line(outcome).endswith("not applicable (needs a container)")


def test_the_list_names_cases_and_those_that_wait(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert "\nD-05 " in shown
    assert "[later: multi-model endpoints are not there yet]" in shown


def test_an_unknown_case_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--process", "--only", "X-99"]) == 2
    assert "no case is named X-99" in capsys.readouterr().err


def test_a_model_is_written_for_a_server_elsewhere(tmp_path: Path) -> None:
    assert main(["--make-model", str(tmp_path / "model")]) == 0
    assert (tmp_path / "model" / "xgboost-model").stat().st_size > 100_000
