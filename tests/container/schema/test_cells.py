"""How one cell is read."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from canarywood.errors import RequestError
from canarywood.schema import cells
from canarywood.schema.cells import Missing

NOTHING = Missing.of(())
OURS = Missing.of(("NA", "-999", "7.0"))


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("a,b;c", ","), ("a;b|c", ";"), ("a|b", "|"), ("a\tb|c", "\t"), ("a", ","), ("", ","),
        ('"a,b";c', ";"), ('"a,b"', ","), ('"a""b,";c', ";"), ('"a,b', ","),
    ],
)  # fmt: skip
def test_the_separator_is_the_first_mark_outside_quotes(line: str, mark: str) -> None:
    assert cells.delimiter(line) == mark


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", 1), (" +1.5e1\t", 15), (".5", 0.5), ("5.", 5), (True, 1), (2**63, 2.0**63), (0.1, 0.1)],
)
def test_a_number_is_read(value: object, expected: float) -> None:
    assert cells.number(value, NOTHING) == expected


@pytest.mark.parametrize("value", ["", " \t", None, "NA", " NA ", "-999", "-999.0", -999, -999.0])
def test_a_missing_number_is_nan(value: object) -> None:
    assert math.isnan(cells.number(value, OURS))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("NA", "number"), ("1_0", "number"), ("\u0131nf", "number"), ("\u0130nf", "number"),
        ("1\n", "number"), ([1], "number"), ({}, "number"), (b"1", "number"),
        ("inf", "non_finite"), (math.inf, "non_finite"), (10**400, "non_finite"),
        ("1e39", "non_finite"), (-1e39, "non_finite"),
    ],
)  # fmt: skip
def test_what_is_no_number_has_a_code(value: object, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        cells.number(value, NOTHING)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", "a"), ("", None), (None, None), (True, "true"), (False, "false"), (7, "7"),
        (7.0, "7"), ("7.0", "7"), ("-7.00", "-7"), ("7.", "7."), ("7.10", "7.10"), ("v1.0", "v1.0"),
        (0.1, "0.1"), (math.nan, None), (1e300, "1e+300"), (Decimal("7.0"), "7"),
        (date(2013, 4, 1), "2013-04-01"), (datetime(2013, 4, 1, tzinfo=UTC),
                                           "2013-04-01T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_a_value_has_one_spelling(value: object, text: str | None) -> None:
    assert cells.text_of(value, NOTHING) == text


@pytest.mark.parametrize("value", ["NA", " NA", -999, "-999.0", 7, "7", "7.0", 7.0])
def test_a_missing_text_is_none_in_every_spelling(value: object) -> None:
    assert cells.text_of(value, OURS) is None


@pytest.mark.parametrize("value", [[1], {}, b"x", object()])
def test_what_is_no_text_has_a_code(value: object) -> None:
    with pytest.raises(RequestError) as caught:
        cells.text_of(value, NOTHING)
    assert caught.value.code == "category"


def test_a_time_keeps_what_is_written() -> None:
    read = cells.moment("2013-04-01T06:30:00-05:00")
    assert read is not None
    assert (read.hour, read.tzinfo) == (6, None)
    kept = cells.moment("2013-04-01T06:30:00-05:00", keep_zone=True)
    assert kept is not None
    assert kept.astimezone(UTC).hour == 11
    assert cells.moment(None) is None


def test_a_shown_value_is_short_whatever_it_is() -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    for value in (nested, "x" * 10**6, "\x00" * 100, {"a": nested}, 10**50, b"x" * 1000):
        assert len(cells.shown(value)) <= 60
    assert cells.shown("a'b") == '"a\'b"'
