"""The bad-input matrix, the mutations, and the page, by themselves."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from conformance import page
from conformance.__main__ import main
from conformance.bodies import UnreadableError
from conformance.cases.measures import auc
from conformance.client import Answer
from conformance.formats import (
    LABEL,
    RECORDIO,
    entry,
    frame,
    libsvm,
    recordio,
    recordio_numbers,
    tensor,
)
from conformance.fuzzing import minimised
from conformance.given import build
from conformance.kinds import KINDS
from conformance.matrix import FAULTS, LIMIT, cells
from conformance.mutation import Mutator
from conformance.runner import Outcome, Verdict
from conformance.subject import free_port
from tests.conformance.runs import HERE


def answer(body: bytes) -> Answer:
    return Answer("POST", 200, {"content-type": RECORDIO}, body)


def test_the_matrix_has_312_cells_of_12_kinds_and_26_faults() -> None:
    found = cells(build("named"))
    assert (len(KINDS), len(FAULTS), len(found)) == (12, 26, 312)
    assert len({(bad.kind, bad.fault) for bad in found}) == 312
    assert all(400 <= status < 500 for bad in found for status in bad.allowed)


def test_every_bad_body_differs_from_the_good_one() -> None:
    found = cells(build("named"))
    good = {bad.kind: bad.body for bad in found if bad.fault == "unknown Accept"}
    same = [bad for bad in found if bad.body == good[bad.kind] and bad.allowed & {400, 422}]
    assert [(bad.kind, bad.fault) for bad in same] == []


def test_the_longest_body_is_one_byte_over_the_limit() -> None:
    sizes = {len(bad.body) for bad in cells(build("named")) if bad.allowed == {413}}
    assert sizes == {LIMIT + 1}


def test_the_same_requests_come_from_the_same_seed() -> None:
    given = build("named")
    first, second, other = (Mutator(given, seed) for seed in ("1", "1", "2"))
    requests = [first.request() for _ in range(200)]
    assert requests == [second.request() for _ in range(200)]
    assert requests != [other.request() for _ in range(200)]
    assert len({request.body for request in requests}) > 100


def test_a_body_is_made_as_small_as_it_still_fails() -> None:
    assert minimised(b"1,2,3\n4,boom,6\n" * 9, lambda body: b"boom" in body) == b"boom"


def test_libsvm_leaves_missing_values_out() -> None:
    rows = np.asarray([[0.5, np.nan], [np.nan, np.nan]], dtype=np.float32)
    assert libsvm(rows, 1) == b"1:0.5\n\n"


def test_recordio_answers_are_read_record_by_record() -> None:
    body = b"".join(frame(entry(LABEL, "score", tensor([score]))) for score in (0.5, 0.25))
    assert recordio_numbers(answer(body)).tolist() == [0.5, 0.25]


def test_a_cut_record_is_unreadable() -> None:
    body = recordio(np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(UnreadableError, match="no whole frame"):
        recordio_numbers(answer(body[:-9]))


def test_auc_counts_ties_half() -> None:
    truth = np.asarray([0, 1, 0, 1], dtype=np.float32)
    assert auc(truth, np.asarray([0.1, 0.9, 0.2, 0.2], dtype=np.float32)) == 0.875


def test_the_page_shows_subjects_side_by_side() -> None:
    ours = page.column("ours", [Outcome("D-04", "The <rule>", Verdict.PASS)])
    other = page.column("b", [Outcome("D-04", "The <rule>", Verdict.FAIL, ["200 & a number"])])
    text = page.render([ours, other])
    assert "The &lt;rule&gt;" in text
    assert "200 &amp; a number" in text
    assert '<td class="result pass"><b>pass</b></td><td class="result fail"><b>fail</b>' in text
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.slow
def test_a_right_server_stands_two_seconds_of_fuzz(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = shlex.join([sys.executable, str(HERE / "right_server.py")])
    code = main(["--process", "--command", program, "--serve-only", "--fuzz", "2",
                 "--findings", str(tmp_path / "found")])  # fmt: skip
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert "no fault found" in shown
    assert not (tmp_path / "found").exists()


@pytest.mark.slow
def test_the_fuzzer_finds_and_keeps_the_fault_of_a_wrong_server(tmp_path: Path) -> None:
    port = str(free_port())
    program = shlex.join([sys.executable, str(HERE / "wrong_server.py")])
    code = main(["--process", "--command", program, "--serve-only", "--port", port,
                 "--env", f"FIXED_PORT={port}", "--executions", "300",
                 "--findings", str(tmp_path)])  # fmt: skip
    assert code == 1
    seen = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.txt")]
    assert any("-> 500" in text for text in seen)
    assert Counter(path.suffix for path in tmp_path.iterdir()) == {
        ".txt": len(seen),
        ".request": len(seen),
    }


@pytest.mark.slow
def test_two_results_make_one_page(tmp_path: Path) -> None:
    program = shlex.join([sys.executable, str(HERE / "right_server.py")])
    options = ["--process", "--command", program, "--serve-only", "--only", "D-04,L-14"]
    assert main([*options, "--json", str(tmp_path / "a.json")]) == 0
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["passed"] is True
    html = tmp_path / "page.html"
    assert main([*options, "--html", str(html), "--compare", str(tmp_path / "a.json")]) == 0
    text = html.read_text(encoding="utf-8")
    assert text.count('<td class="result pass">') == 2
    assert text.count('<td class="result none">') == 2
