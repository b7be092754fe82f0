"""Bodies in: each rule of decoding with its code, its row and its column."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from canarywood import media
from canarywood.errors import RequestError
from canarywood.schema.definition import Column, Derived, Schema
from canarywood.serving.decoding import Decoder

NAN = None  # in the expectations below: a missing value
CSV, JSON, LINES = (media.MediaType(name) for name in (media.CSV, media.JSON, media.JSON_LINES))

NUMBERS = Schema("numbers", None, (Column("a"), Column("b"), Column("c")), ("a", "b", "c"))
SINGLE = Schema("single", None, (Column("a"),), ("a",))
MIXED = Schema(
    "mixed",
    None,
    (
        Column("size", minimum=0, maximum=100),
        Column("color", "category", categories=("blue", "red")),
        Column("at", "time"),
    ),
    ("color", "size", "hour"),
    derived=(Derived("hour", "time_hour", ("at",)),),
)


def decode(body: bytes | str, content: media.MediaType = CSV, schema: Schema = NUMBERS) -> Any:
    """The matrix as lists, None where it is NaN."""
    raw = body.encode() if isinstance(body, str) else body
    matrix = Decoder(schema).decode(raw, content)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    return [[None if math.isnan(value) else value for value in row] for row in matrix.tolist()]


def refused(
    body: bytes | str, content: media.MediaType = CSV, schema: Schema = NUMBERS
) -> tuple[int, str, int | None, str | int | None]:
    """Status, code, row and column of the error."""
    with pytest.raises(RequestError) as caught:
        decode(body, content, schema)
    error = caught.value
    return int(error.status), error.code, error.row, error.column


# ---- csv


@pytest.mark.parametrize(
    "body",
    [
        "1,2.5,-3\n4,5,6\n",
        "1,2.5,-3\n4,5,6",
        "1,2.5,-3\r\n4,5,6\r\n",
        "1,2.5,-3\r4,5,6\r",
        "\ufeff1,2.5,-3\n4,5,6\n",
        "1,2.5,-3\n4,5,6\n\n\r\n\n",
        '"1","2.5","-3"\n"4","5","6"\n',
        " 1 ,\t2.5, -3\n4 ,5,6\n",
        "1;2.5;-3\n4;5;6\n",
        "1\t2.5\t-3\n4\t5\t6\n",
        "1|2.5|-3\n4|5|6\n",
        "+1,2.50,-3.\n4e0,0.5E+1,006\n",
        "a,b,c\n1,2.5,-3\n4,5,6\n",
        "\ufeff a ,b,c\r\n1,2.5,-3\r\n4,5,6\r\n",
        '"a","b","c"\n1,2.5,-3\n4,5,6\n',
        "c;a;b\n-3;1;2.5\n6;4;5\n",
    ],
)
def test_every_spelling_of_a_csv_body_gives_the_same_rows(body: str) -> None:
    assert decode(body) == [[1, 2.5, -3], [4, 5, 6]]


@pytest.mark.parametrize("token", ["", " ", "NA", "N/A", "null", "None", "nan", "NaN", "?", '""'])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_missing_cell_is_nan_at_the_start_the_middle_and_the_end(token: str, place: int) -> None:
    cells, expected = ["1", "2", "3"], [1.0, 2.0, 3.0]
    body = ",".join([*cells[:place], token, *cells[place + 1 :]])
    assert decode(body) == [[*expected[:place], NAN, *expected[place + 1 :]]]


def test_the_tokens_of_the_schema_replace_ours() -> None:
    schema = replace(NUMBERS, missing=("-999", "gone"))
    assert decode("-999,gone,3\n-999.0,-9.99e2,4\n", schema=schema) == [
        [NAN, NAN, 3],
        [NAN, NAN, 4],
    ]
    assert decode("-999,-998,3\n", schema=schema) == [[NAN, -998, 3]]
    assert decode("[[-999, -999.0, 3]]", JSON, schema) == [[NAN, NAN, 3]]
    assert decode('[["-999", null, " gone "]]', JSON, schema) == [[NAN, NAN, NAN]]
    for word in ("null", "NA", " null"):
        assert refused(f"1,{word},3\n", schema=schema) == (400, "number", 1, "b")


@pytest.mark.parametrize(
    "cell",
    [
        "1_000", "\uff11", "0x10", "abc", "1 2", "--1", "1e", "e5", ".", "true", "1.2.3", "[1]",
        '"1\n"', "1\u00a0", "\x00", "1\x00", "in", "infin", "\u0131nf", "nan(7)", "1d5", "{}", "1f",
        "'1'", "$5", "5%",
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_with_its_row_and_column(cell: str) -> None:
    assert refused(f"1,2,3\n4,{cell},6\n") == (400, "number", 2, "b")


@pytest.mark.parametrize(
    "cell", ["inf", "-Infinity", "+INF", "1e39", "-1e400", "9" * 400, "3.5e38"]
)
def test_what_float32_cannot_hold_is_refused(cell: str) -> None:
    assert refused(f"1,2,3\n4,5,{cell}\n") == (422, "non_finite", 2, "c")


def test_the_edges_of_float32_are_read() -> None:
    largest = 3.4028234663852886e38
    assert decode("3.4028234663852886e38,3.4028235677973362e38,1e-46") == [[largest, largest, 0]]
    assert math.copysign(1, decode("-0,-0.0,-1e-400")[0][0]) == 1


@pytest.mark.parametrize("content", ["0,-0,-1e-60", "a,b,c\n-0.0,-0,-1e-400"])
def test_zero_has_one_sign(content: str) -> None:
    assert Decoder(NUMBERS).decode(content.encode(), CSV).tobytes() == bytes(12)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("1,2,3\n4,5\n6,7,8", (400, "ragged", 2, None)),
        ("1,2,3\n4,5,6,7\n8,9", (400, "ragged", 2, None)),
        ("1,2\n3,4", (422, "feature_count", 1, None)),
        ("1,2,3,4\n", (422, "feature_count", 1, None)),
        ("1,2,3\n\n4,5,6\n", (400, "blank_row", 2, None)),
        ("1,2,3\n   \n4,5,6\n", (400, "blank_row", 2, None)),
        ("\n1,2,3\n", (400, "blank_row", 1, None)),
        ("", (400, "empty_body", None, None)),
        (" \r\n\t\n", (400, "empty_body", None, None)),
        ("\ufeff", (400, "empty_body", None, None)),
        ("\ufeff\r\n", (400, "empty_body", None, None)),
        ("a,b,c\n", (400, "empty_body", None, None)),
        ("a,b,c", (400, "empty_body", None, None)),
        ("a,b,x\n1,2,3\n", (422, "unknown_feature", None, "x")),
        ("a,b,c,d\n1,2,3,4\n", (422, "unknown_feature", None, "d")),
        ("a,b,a\n1,2,3\n", (400, "duplicate_column", None, None)),
        ("a,b,c\n1,2\n", (400, "ragged", 1, None)),
        ("a,b,c\n1,2,3\n\n4,5,6", (400, "blank_row", 2, None)),
        ("a,b,c\n1,2,3\n4,x,6", (400, "number", 2, "b")),
        ('1,2,"3\n', (400, "csv", 1, None)),
        ('1,2,3\n1,2,"3"4\n', (400, "csv", 2, None)),
        (b"1,2,\xff\n", (400, "encoding", None, None)),
        ("1,2,3".encode("utf-16"), (400, "encoding", None, None)),
        ("1\u2028,2,3\n", (400, "number", 1, "a")),
    ],
)  # fmt: skip
def test_a_bad_csv_body_has_its_code_row_and_column(body: bytes | str, expected: Any) -> None:
    assert refused(body) == expected


def test_a_header_may_leave_columns_out_unless_the_schema_asks_for_all() -> None:
    assert decode("c,a\n3,1\n") == [[1, NAN, 3]]
    strict = replace(NUMBERS, absent_column="error")
    assert refused("c,a\n3,1\n", schema=strict) == (422, "missing_feature", None, "b")
    assert decode("c,a,b\n3,1,2\n", schema=strict) == [[1, 2, 3]]


def test_the_first_half_known_makes_a_header() -> None:
    assert refused("a,x,y\n1,2,3\n") == (400, "number", 1, "a")
    assert refused("a,x\n1,2\n") == (422, "unknown_feature", None, "x")


def test_a_body_of_one_column_needs_no_separator() -> None:
    assert decode("1\n2.5\n", schema=SINGLE) == [[1], [2.5]]
    assert decode("a\n1\n", schema=SINGLE) == [[1]]
    assert decode("NA\n1\n", schema=SINGLE) == [[NAN], [1]]
    assert refused("1\n\n2\n", schema=SINGLE) == (400, "blank_row", 2, None)
    assert refused("1,2\n", schema=SINGLE) == (422, "feature_count", 1, None)


def test_a_separator_in_quotes_separates_nothing() -> None:
    schema = replace(MIXED, inputs=(MIXED.inputs[0], replace(MIXED.inputs[1], categories=("a,b",)),
                                    MIXED.inputs[2]))  # fmt: skip
    assert decode('"a,b";7;2013-04-01 06:00:00\n'.replace('"a,b";7', '7;"a,b"'), schema=schema) == [
        [0, 7, 6]
    ]


# ---- categories, times, ranges


def test_categories_become_codes_and_times_their_parts() -> None:
    assert decode("7,red,2013-04-01T06:30:00\n8.5, blue ,\n", schema=MIXED) == [
        [1, 7, 6],
        [0, 8.5, NAN],
    ]


def test_an_unknown_category_is_missing_and_counted_or_refused() -> None:
    decoder = Decoder(MIXED)
    assert decoder.reader.unknown == {"color": 0}
    matrix = decoder.decode(b"7,green,\n7,red,\n7,NA,\n7,-1,", CSV)
    assert np.isnan(matrix[:, 0]).tolist() == [True, False, True, True]
    assert decoder.reader.unknown == {"color": 2}
    strict = replace(MIXED, unknown_category="error")
    assert refused("7,red,\n7,green,\n", schema=strict) == (422, "unknown_category", 2, "color")
    assert decode("7,NA,\n", schema=strict) == [[NAN, 7, NAN]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("101,red,\n", (422, "range", 1, "size")),
        ("1,red,\n-1,red,\n", (422, "range", 2, "size")),
        ("1,red,1 April\n", (400, "time", 1, "at")),
        ("1,red,2013-04-01\n1,red,2013-13-01\n", (400, "time", 2, "at")),
        ("red,1,\n", (400, "number", 1, "size")),
    ],
)
def test_a_cell_that_does_not_fit_its_column_is_named(body: str, expected: Any) -> None:
    assert refused(body, schema=MIXED) == expected


def test_a_category_in_json_may_be_a_number_a_boolean_or_a_text() -> None:
    column = Column("k", "category", categories=("7", "true", "0.5"))
    schema = Schema("k", None, (column, Column("x")), ("k", "x"))
    body = '[[7, 1], [7.0, 1], ["7", 1], [true, 1], [0.5, 1], [null, 1]]'
    assert [row[0] for row in decode(body, JSON, schema)] == [0, 0, 0, 1, 2, NAN]
    for cell in ("[7]", '{"a": 7}', "[]"):
        assert refused(f"[[{cell}, 1]]", JSON, schema) == (400, "category", 1, "k")


# ---- json and jsonlines

ROW = [[1, 2.5, NAN]]


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [[1, 2.5, null]]}',
        '{"instances": [{"features": [1, 2.5, null]}]}',
        '{"instances": [{"a": 1, "b": 2.5, "c": null}]}',
        '{"instances": [{"c": "NA", "b": "2.5", "a": " 1 "}]}',
        '{"instances": [{"a": 1, "b": 2.5}]}',
        '{"instances": [{"a": 1, "b": 2.5}], "parameters": {"x": 1}}',
        '{"features": [1, 2.5, null]}',
        '{"a": 1, "b": 2.5}',
        '{"b": 2.5, "a": true}',
        "[[1, 2.5, null]]",
        '[["1", "2.5", ""]]',
        '[[1, "2.5", "nan"]]',
        "[1, 2.5, null]",
        '["1", "2.5", null]',
        '[{"features": [1, 2.5, null]}]',
        '\ufeff \n[[1, 2.5, null]]\n ',
    ],
)  # fmt: skip
def test_every_form_of_a_json_row_is_read(body: str) -> None:
    assert decode(body, JSON) == ROW


def test_rows_as_features_and_as_lists_may_be_mixed() -> None:
    assert decode('[{"features": [1, 2, 3]}, [4, 5, 6]]', JSON) == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{", (400, "json", None, None)),
        ("5", (400, "json", None, None)),
        ("null", (400, "json", None, None)),
        ('"1,2,3"', (400, "json", None, None)),
        ("[]", (400, "empty_body", None, None)),
        ('{"instances": []}', (400, "empty_body", None, None)),
        ('{"instances": 5}', (400, "json", None, None)),
        ('{"instances": {"a": 1}}', (400, "json", None, None)),
        ('{"instances": [5]}', (400, "json", 1, None)),
        ("[[1, 2, 3], 5]", (400, "json", 2, None)),
        ('[[1, 2, 3], {"a": 1}]', (400, "json", 2, None)),
        ('[{"a": 1}, [1, 2, 3]]', (400, "json", 2, None)),
        ('[{"a": 1}, null]', (400, "json", 2, None)),
        ("[[]]", (422, "feature_count", 1, None)),
        ("[[1, 2]]", (422, "feature_count", 1, None)),
        ("[[1, 2, 3], [1, 2]]", (400, "ragged", 2, None)),
        ('{"x": 1}', (422, "unknown_feature", 1, "x")),
        ('[{"a": 1}, {"A": 1}]', (422, "unknown_feature", 2, "A")),
        ('{"instances": [[1, 2, 3]], "key": 1}', (400, "json", None, None)),
        ('{"instances": 5, "parameters": {}}', (400, "json", None, None)),
        ('{"inputs": [1, 2]}', (400, "oip", None, None)),
        ('{"inputs": {"a": 1}}', (400, "oip", None, None)),
        ('[[1, 2, "x"]]', (400, "number", 1, "c")),
        ("[[1, 2, [3]]]", (400, "number", 1, "c")),
        ('[[1, 2, {"c": 3}]]', (400, "number", 1, "c")),
        ("[[1, 2, 1e39]]", (422, "non_finite", 1, "c")),
        ('[[1, 2, "inf"]]', (422, "non_finite", 1, "c")),
        ("[[1, 2, 1e400]]", (400, "json", None, None)),
        ("[[1, 2, NaN]]", (400, "json", None, None)),
        ("[[1, 2, Infinity]]", (400, "json", None, None)),
        ("[[1, 2, 3],]", (400, "json", None, None)),
        (b"[[1, 2, \xff]]", (400, "json", None, None)),
        (b"\x00", (400, "json", None, None)),
        ('[[1, 2, "\\ud800"]]', (400, "json", None, None)),
        ("[" * 2000 + "]" * 2000, (400, "json", None, None)),
        ("[[1, 2, " + "[" * 900 + "]" * 900 + "]]", (400, "number", 1, "c")),
    ],
)  # fmt: skip
def test_a_bad_json_body_has_its_code_row_and_column(body: bytes | str, expected: Any) -> None:
    assert refused(body, JSON) == expected


def test_integers_beyond_64_bits_are_numbers() -> None:
    big = 2**70
    assert decode(f"[[{big}, {-big}, {2**63 + 1}]]", JSON) == [
        [float(np.float32(big)), float(np.float32(-big)), float(np.float32(2**63))]
    ]
    assert refused(f"[[1, 2, {10**39}]]", JSON) == (422, "non_finite", 1, "c")


def test_an_empty_record_is_a_row_of_missing_values_unless_the_schema_asks_for_all() -> None:
    assert decode("[{}]", JSON) == [[NAN, NAN, NAN]]
    strict = replace(NUMBERS, absent_column="error")
    assert refused("[{}]", JSON, strict) == (422, "missing_feature", 1, "a")
    assert refused('[{"a": 1, "c": 2}]', JSON, strict) == (422, "missing_feature", 1, "b")


def test_what_stands_beside_instances_is_named() -> None:
    with pytest.raises(RequestError, match="'signature_name' cannot stand beside \"instances\""):
        decode('{"signature_name": "s", "instances": [[1, 2, 3]]}', JSON)


def test_a_column_called_inputs_is_a_column() -> None:
    schema = Schema("s", None, (Column("inputs"),), ("inputs",))
    assert decode('{"inputs": 1}', JSON, schema) == [[1]]


def test_a_column_called_instances_or_features_is_a_column() -> None:
    schema = Schema("s", None, (Column("instances"), Column("features")), ("instances", "features"))
    assert decode('{"instances": 1}', JSON, schema) == [[1, NAN]]
    assert decode('{"features": 2}', JSON, schema) == [[NAN, 2]]


def test_json_lines_hold_one_row_each() -> None:
    body = '{"a": 1, "b": 2}\r\n[3, 4, 5]\n'
    assert refused(body, LINES) == (400, "json", 2, None)
    assert decode('{"a": 1, "b": 2}\r\n{"c": "5"}\n\n', LINES) == [[1, 2, NAN], [NAN, NAN, 5]]
    assert decode('{"features": [1, 2, 3]}\n[4, 5, 6]', LINES) == [[1, 2, 3], [4, 5, 6]]
    assert decode("\ufeff[1, 2, 3]\n", LINES) == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[1, 2, 3]\n\n[4, 5, 6]", (400, "blank_row", 2, None)),
        ("\n[4, 5, 6]", (400, "blank_row", 1, None)),
        ("[1, 2, 3]\n[4, 5", (400, "json", 2, None)),
        ("[1, 2, 3]\n7", (400, "json", 2, None)),
        ("7", (400, "json", 1, None)),
        ("[1, 2, 3]\n[4, 5, null, 6]", (400, "ragged", 2, None)),
        ('{"a": 1}\n{"d": 1}', (422, "unknown_feature", 2, "d")),
        ('{"instances": [[1, 2, 3]]}', (422, "unknown_feature", 1, "instances")),
    ],
)
def test_a_bad_json_line_is_named(body: str, expected: Any) -> None:
    assert refused(body, LINES) == expected


# ---- any bytes

pieces = st.sampled_from(
    [b"a", b"b", b"c", b",", b";", b"\n", b"\r\n", b'"', b"1", b"-2.5", b"1e39", b"NA", b"red",
     b"[", b"]", b"{", b"}", b":", b"null", b'"a"', b'"instances"', b'"features"', b"\x00",
     b"\xff", b"\xef\xbb\xbf", b" ", b"\t", b"|", b"2013-04-01", b"\xc4\xb1nf", b"1e400", b"true"]
)  # fmt: skip
bodies = st.one_of(st.binary(max_size=60), st.lists(pieces, max_size=25).map(b"".join))


@pytest.mark.parametrize("schema", [NUMBERS, SINGLE, MIXED], ids=lambda schema: schema.name)
@pytest.mark.parametrize("content", [CSV, JSON, LINES], ids=lambda content: content.name)
@settings(max_examples=300, deadline=None)
@given(body=bodies)
def test_any_bytes_give_a_finite_matrix_or_a_request_error(
    schema: Schema, content: media.MediaType, body: bytes
) -> None:
    try:
        matrix = Decoder(schema).decode(body, content)
    except RequestError as error:
        matrix = np.empty((0, len(schema.features)), dtype=np.float32)
        event(error.code)
    else:
        assert len(matrix) > 0
    assert matrix.shape[1] == len(schema.features)
    assert not np.isinf(matrix).any()
