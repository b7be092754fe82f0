import json
import shlex
from pathlib import Path

import pytest

from canarywood.errors import DataError
from canarywood.schema.definition import Column, Schema, Target
from ops import answers
from ops.answers import Sample
from ops.client import as_csv, as_json, curl

LATE = Target("delay", "binary", above=15, classes=("on time", "late"))


def schema(target: Target, *slices: str) -> Schema:
    names = ("year", "carrier", "origin", "hour")
    inputs = tuple(Column(name) for name in names)
    return Schema("toy", target, inputs=inputs, features=names, slices=slices)


ROWS = [
    {"year": 2013, "carrier": "UA", "origin": "EWR", "hour": 5},
    {"year": 2013, "carrier": "AA", "origin": "EWR", "hour": None},
]


def test_slices_come_first_and_columns_that_never_differ_are_left_out() -> None:
    assert answers.key_fields(schema(LATE, "origin"), ROWS) == ["origin", "carrier", "hour"]


def test_answers_stand_beside_the_truth_in_the_words_of_the_classes() -> None:
    samples = [Sample(ROWS[0], 1), Sample(ROWS[1], 0.0)]
    header, rows = answers.table(schema(LATE, "carrier"), samples, [[0.25], [0.6666]])
    assert header == ["carrier", "hour", "P(late)", "truth"]
    assert rows == [["UA", "5", "0.250", "late"], ["AA", "", "0.667", "on time"]]


def test_a_number_of_answers_that_differs_is_an_error() -> None:
    with pytest.raises(DataError, match="2 rows were sent, 1 answers came back"):
        answers.table(schema(LATE), [Sample(row, 1) for row in ROWS], [[0.25]])


def test_a_regression_shows_numbers() -> None:
    target = Target("rings", "regression")
    assert answers.asked(target) == "predicted rings"
    assert answers.answer(target, [9.876]) == "9.88"
    assert answers.truth(target, 10.0) == "10"


def test_of_many_classes_the_likeliest_is_named() -> None:
    target = Target("letter", "multiclass", classes=("A", "B", "C"))
    assert answers.answer(target, [0.1, 0.7, 0.2]) == "B (0.70)"
    assert answers.answer(target, [2.0]) == "C"


def test_a_sample_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "sample.jsonl"
    lines = [f'{{"row": {{"a": {i}}}, "truth": "late"}}\n' for i in range(20)]
    path.write_text("".join(lines))
    assert answers.read_sample(path) == [Sample({"a": i}, "late") for i in range(0, 20, 2)]
    path.write_text("".join(lines[:3]))
    assert answers.read_sample(path) == [Sample({"a": i}, "late") for i in range(3)]


def test_a_damaged_sample_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sample.jsonl"
    path.write_text('{"raw": {}}\n')
    with pytest.raises(DataError, match=r"sample\.jsonl does not hold sample rows"):
        answers.read_sample(path)


def test_csv_rows_are_in_the_schemas_order_with_missing_cells_empty() -> None:
    rows = [{"b": "x, y", "a": None}, {"a": 1.5}]
    assert as_csv(rows, ["a", "b"]) == ',"x, y"\n1.5,\n'


def test_a_record_holds_every_column_by_name() -> None:
    assert json.loads(as_json({"a": 1}, ["a", "b"])) == {"a": 1, "b": None}


def test_the_curl_line_survives_a_shell() -> None:
    body = """it's,"a b",$HOME"""
    words = shlex.split(curl("http://127.0.0.1:8080", body + "\n", "text/csv", "text/csv"))
    assert words == [
        "curl",
        "-s",
        "http://127.0.0.1:8080/invocations",
        "-H",
        "Content-Type: text/csv",
        "-H",
        "Accept: text/csv",
        "--data-binary",
        body,
    ]
