"""LIBSVM text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from canarywood.errors import BodyError, RequestError, RowsError, TooLargeError
from canarywood.formats import libsvm
from canarywood.formats.matrix import SparseRows

NAN = math.nan


def read(text: str, width: int | None = 4, base: int = 1) -> libsvm.LibsvmRows:
    return libsvm.read(text.encode(), width=width, index_base=base)


def dense(text: str, width: int | None = 4, base: int = 1) -> list[list[float | None]]:
    matrix = read(text, width, base).rows.dense()
    return [[None if math.isnan(x) else x for x in row] for row in matrix.tolist()]


def fault(text: str, width: int | None = 4, base: int = 1) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(text, width, base)
    return caught.value


def test_what_a_row_leaves_out_is_missing_and_never_zero() -> None:
    assert dense("1 1:0.5 3:-2\n0 2:0\n") == [[0.5, None, -2, None], [None, 0, None, None]]


def test_indices_count_from_the_base() -> None:
    assert dense("1:5", base=1) == [[5, None, None, None]]
    assert dense("1:5", base=0) == [[None, 5, None, None]]


@pytest.mark.parametrize(
    "text",
    [
        "1\t1:0.5  3:-2 \r\n0 2:7\r\n",
        " 1 qid:3 1:0.5 3:-2\n0 qid:3 2:7",
        "1:0.5 3:-2\n2:7\n",
        "+1 3:-2 1:+.5 # a note\n# a line of notes\n0 2:7.",
        "\ufeff1 01:5e-1 3:-2\n0 2:7",
    ],
)
def test_spelling_changes_nothing(text: str) -> None:
    assert dense(text) == [[0.5, None, -2, None], [None, 7, None, None]]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("\n", [0]),
        ("\r\n", [0]),
        (" \n\t\n", [0, 0]),
        ("\n1:1\n", [0, 1]),
        ("1:1\n\n2:1\n", [1, 0, 1]),
        ("1:1\n\n", [1, 0]),
        ("1:1\n2:1", [1, 1]),
        ("1:1\n2:1\n", [1, 1]),
        ("5\n1 1:1\n", [0, 1]),
        (".5\n\n1:1\n", [0, 0, 1]),
    ],
)
def test_an_empty_line_is_a_row_of_which_all_is_missing(text: str, rows: list[int]) -> None:
    assert np.diff(read(text).rows.indptr).tolist() == rows


def test_labels_and_groups_are_kept_by_row() -> None:
    found = read("2.5 qid:7 1:1\n1:1\n-1 qid:9\n")
    assert found.labels is not None
    assert found.groups is not None
    np.testing.assert_array_equal(found.labels, [2.5, NAN, -1])
    assert found.groups.tolist() == [7, -1, 9]


def test_rows_without_labels_and_groups_have_none() -> None:
    found = read("1:1\n2:1")
    assert found.labels is None
    assert found.groups is None


def test_missing_texts_are_missing_values() -> None:
    found = libsvm.read(b"1 1:NA 2:3", width=2, index_base=1, missing={"NA"})
    np.testing.assert_array_equal(found.rows.dense(), [[NAN, 3]])


def test_the_width_is_the_largest_index_where_none_is_given() -> None:
    assert read("1 2:1 7:1\n0 3:1", None, 0).rows.width == 8


@pytest.mark.parametrize(
    ("text", "kind", "code", "row", "column"),
    [
        ("", BodyError, "empty_body", None, None),
        ("# nothing\n", BodyError, "empty_body", None, None),
        ("1:1\n1:1 2:1 1:2", BodyError, "duplicate_index", 2, 1),
        ("1 qid:1 qid:1", BodyError, "duplicate_index", 1, None),
        ("1:1\n\n5:1", RowsError, "feature_count", 3, None),
        ("0:1", RowsError, "feature_count", 1, None),
        (f"{10**30}:1", RowsError, "feature_count", 1, None),
        (f"{'9' * 5000}:1", RowsError, "feature_count", 1, None),
        ("-1:1", BodyError, "libsvm", 1, None),
        ("1.0:1", BodyError, "libsvm", 1, None),
        ("1e0:1", BodyError, "libsvm", 1, None),
        ("\uff11:1", BodyError, "libsvm", 1, None),
        ("1eqid:3", BodyError, "libsvm", 1, None),
        ("qid:3.0", BodyError, "libsvm", 1, None),
        ("qid:-3", BodyError, "libsvm", 1, None),
        (f"qid:{2**53}", BodyError, "libsvm", 1, None),
        ("1:", BodyError, "libsvm", 1, None),
        (":1", BodyError, "libsvm", 1, None),
        ("1 2 1:1", BodyError, "libsvm", 1, None),
        ("1:1 7", BodyError, "libsvm", 1, None),
        ("# a note\n1:1\n1:2:3", BodyError, "number", 2, 1),
        ("2:1_000", BodyError, "number", 1, 2),
        ("2:nan", BodyError, "number", 1, 2),
        ("2:+-1", BodyError, "number", 1, 2),
        ("abc 2:1", BodyError, "number", 1, None),
        ("2:inf", RowsError, "non_finite", 1, 2),
        ("2:1e39", RowsError, "non_finite", 1, 2),
        ("1:1\n2:-1e400", RowsError, "non_finite", 2, 2),
        ("1e39 2:1", RowsError, "non_finite", 1, None),
    ],
)
def test_a_fault_is_named_with_its_place(
    text: str, kind: type[RequestError], code: str, row: int | None, column: int | None
) -> None:
    error = fault(text)
    assert (type(error), error.code, error.row, error.column) == (kind, code, row, column)


def test_an_index_beyond_the_columns_is_named() -> None:
    assert "index 11 " in fault("1 11:1", 10).detail
    assert "from 1 to 10" in fault("1 11:1", 10).detail


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(BodyError) as caught:
        libsvm.read(b"1:1\n1:\xff", width=4, index_base=1)
    assert (caught.value.code, caught.value.row) == ("encoding", 2)


def test_a_few_bytes_of_empty_rows_do_not_become_a_huge_matrix() -> None:
    rows = read("\n" * 1000, 1000).rows
    with pytest.raises(TooLargeError, match="1000 rows of 1000 columns"):
        rows.dense(max_cells=999_999)
    assert rows.dense(max_cells=1_000_000).shape == (1000, 1000)


def test_a_text_of_many_pieces_is_read_whole_and_rows_are_counted_through() -> None:
    row = "1 " + " ".join(f"{i}:{i / 7}" for i in range(1, 31))
    lines = [row] * 6000
    assert len("\n".join(lines)) > 2 << 20
    matrix = read("\n".join(lines), 30).rows.dense()
    expected = np.array([i / 7 for i in range(1, 31)], dtype=np.float32)
    np.testing.assert_array_equal(matrix, np.tile(expected, (6000, 1)))
    lines[5500] = "1 1:x"
    assert fault("\n".join(lines), 30).row == 5501


# ---- the two ways of reading agree

numbers = st.one_of(
    st.floats(-1e6, 1e6).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["+1", ".5", "5.", "-0", "007", "1e39", "-1e-400", "3.4028235677973366e38"]),
)
indices = st.one_of(st.integers(0, 5).map(str), st.sampled_from(["05", "-1", "1.0", "1e0", "qid"]))
entries = st.builds("{}:{}".format, indices, numbers)
lines = st.lists(st.one_of(entries, entries, numbers), max_size=5).map(" ".join)
bodies = st.lists(lines, max_size=6).map("\n".join)


def outcome(text: str) -> tuple[Any, ...]:
    try:
        found = read(text, 4)
    except RequestError as error:
        return type(error), error.code, error.row, error.column
    rows = found.rows
    return (
        rows.dense().tobytes(),
        rows.indices.tolist(),
        None if found.labels is None else found.labels.tobytes(),
        None if found.groups is None else found.groups.tolist(),
    )


@settings(max_examples=250, deadline=None)
@given(bodies)
@example("-0 1:-0 2:-1e-400")
def test_the_short_way_for_plain_numbers_changes_nothing(text: str) -> None:
    # A leading zero is a number to us and not to JSON: one such row sends the text the long way,
    # at its end, so that every fault before it keeps its row.
    long = f"{text}\n1 1:007\n"
    short = f"{text}\n1 1:7\n"
    assert outcome(short) == outcome(long)


@settings(max_examples=250, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([None, 4]), st.sampled_from([0, 1]))
def test_any_bytes_are_rows_or_a_request_error(body: bytes, width: int | None, base: int) -> None:
    try:
        rows = libsvm.read(body, width=width, index_base=base).rows
    except RequestError:
        return
    assert isinstance(rows, SparseRows)


@settings(max_examples=600, deadline=None)
@given(st.text(alphabet="01:- \n\r\t#qid.+e9", max_size=40))
def test_any_text_is_rows_or_a_request_error(text: str) -> None:
    try:
        found = read(text)
    except RequestError:
        return
    body = text.removesuffix("\n").split("\n")
    kept = [line for line in body if not line.lstrip(" \t").startswith("#")]
    assert len(found.rows) == len(kept)
