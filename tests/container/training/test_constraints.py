from __future__ import annotations

from typing import Any

import pytest

from canarywood.errors import HyperparameterError
from canarywood.training.constraints import resolve

FEATURES = ("age", "income", "zip")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"income": -1, "age": 1}, "(1, -1, 0)"),
        ((1, 0, -1), "(1, 0, -1)"),
        ([0, 1], "(0, 1)"),
        (1, "(1,)"),
        ({}, "(0, 0, 0)"),
    ],
)
def test_monotone_constraints_go_by_name_or_position(value: Any, text: str) -> None:
    found = resolve({"eta": 0.1, "monotone_constraints": value}, FEATURES)

    assert found == {"eta": 0.1, "monotone_constraints": text}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([["age", "zip"], ["income"]], "[[0, 2], [1]]"),
        ([[0, 1], [2]], "[[0, 1], [2]]"),
        ([], "[]"),
    ],
)
def test_interaction_constraints_go_by_name_or_position(value: Any, text: str) -> None:
    found = resolve({"interaction_constraints": value}, FEATURES)

    assert found["interaction_constraints"] == text


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"monotone_constraints": {"incom": 1}},
            "monotone_constraints: the model has no feature 'incom'; did you mean income?",
        ),
        (
            {"monotone_constraints": (1, 1, 1, 1)},
            "monotone_constraints: 4 directions for 3 features",
        ),
        (
            {"monotone_constraints": (1, 2)},
            "monotone_constraints: 2 is no direction; write 1 (rising), -1 (falling) or 0, "
            'as in (1,0,-1) or {"age": 1}',
        ),
        (
            {"interaction_constraints": [["age", 5]]},
            "interaction_constraints: the model has no feature 5",
        ),
        (
            {"interaction_constraints": "age,zip"},
            "interaction_constraints: write lists of features, "
            'as in [["age","income"]] or [[0,1],[2]]',
        ),
    ],
)
def test_a_constraint_on_nothing_is_refused(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HyperparameterError) as caught:
        resolve(parameters, FEATURES)

    assert str(caught.value) == sentence
