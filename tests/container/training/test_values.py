from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canarywood.training.values import is_finite, typed, words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-1", -1),
        ("+3", 3),
        ("007", 7),
        (" 6 ", 6),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("3.", 3.0),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("[1,2]", [1, 2]),
        ("[]", []),
        ("(1,-1)", (1, -1)),
        ("(1,)", (1,)),
        ("( 1 , 0.5 )", (1, 0.5)),
        ("[auc, error@0.7]", ["auc", "error@0.7"]),
        ("['auc','error']", ["auc", "error"]),
        ('["auc","error"]', ["auc", "error"]),
        ("[[0,1],[2]]", [[0, 1], [2]]),
        ('[["age","income"],["zip"]]', [["age", "income"], ["zip"]]),
        ('{"age": 1, "income": -1}', {"age": 1, "income": -1}),
        ('"binary:logistic"', "binary:logistic"),
        ('"6"', 6),
        ("binary:logistic", "binary:logistic"),
        ("auc,error", "auc,error"),
        ("", ""),
        ("[", "["),
        ("{age: 1}", "{age: 1}"),
        ("((1,2),3)", "((1,2),3)"),
        ("1_000", "1_000"),
        ("\uff11\uff12", "\uff11\uff12"),
        ("0x10", "0x10"),
        ("1e", "1e"),
        ("[" * 3000 + "]" * 3000, "[" * 3000 + "]" * 3000),
    ],
)
def test_text_becomes_the_value_it_stands_for(text: str, value: object) -> None:
    found = typed(text)

    assert found == value
    assert type(found) is type(value)


numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    numbers | st.booleans(), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)


@given(values | st.dictionaries(st.text(max_size=5), numbers, max_size=3))
def test_what_json_writes_is_read_back(value: object) -> None:
    assert typed(json.dumps(value)) == value


@given(st.lists(numbers, max_size=6).map(tuple))
def test_what_python_writes_of_a_tuple_is_read_back(value: tuple[float, ...]) -> None:
    assert typed(repr(value)) == value


@given(st.text(max_size=40))
def test_any_text_is_read_without_an_error(text: str) -> None:
    is_finite(typed(text))


@pytest.mark.parametrize(
    "text", ["nan", "-inf", "Infinity", "1e400", "9" * 5000, "[1, NaN]", '{"a": 1e999}']
)
def test_no_number_is_not_finite(text: str) -> None:
    assert not is_finite(typed(text))


def test_a_long_number_is_read_whole() -> None:
    assert typed("1e-320") > 0
    assert not math.isnan(typed("1" * 300))


@pytest.mark.parametrize(
    ("value", "names"),
    [("auc", ["auc"]), ("auc, error", ["auc", "error"]), (["auc"], ["auc"]), ("", []), ([], [])],
)
def test_names_are_a_word_a_comma_list_or_a_list(value: object, names: list[str]) -> None:
    assert words(value) == names
