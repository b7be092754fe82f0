"""Monotone and interaction constraints: by feature name or by position, checked for this table.

XGBoost itself takes a direction of 2 and a feature that is not there, without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from canarywood.errors import HyperparameterError
from canarywood.training.phrases import did_you_mean

MONOTONE = "monotone_constraints"
INTERACTION = "interaction_constraints"


def resolve(parameters: dict[str, Any], features: Sequence[str]) -> dict[str, Any]:
    """The parameters with both constraints as XGBoost reads them: by position.

    Raises:
        HyperparameterError: an unknown feature, a wrong direction, too many entries.
    """
    result = dict(parameters)
    if MONOTONE in result:
        result[MONOTONE] = str(_monotone(result[MONOTONE], features))
    if INTERACTION in result:
        result[INTERACTION] = str(_interaction(result[INTERACTION], features))
    return result


def _monotone(value: Any, features: Sequence[str]) -> tuple[int, ...]:
    """One direction for each feature: 1 rising, -1 falling, 0 free."""
    if isinstance(value, dict):
        directions: list[Any] = [0] * len(features)
        for name, direction in value.items():
            directions[_position(MONOTONE, name, features)] = direction
    elif isinstance(value, list | tuple):
        directions = list(value)
    else:
        directions = [value]
    if len(directions) > len(features):
        raise HyperparameterError(
            f"{MONOTONE}: {len(directions)} directions for {len(features)} features"
        )
    wrong = [item for item in directions if isinstance(item, bool) or item not in (-1, 0, 1)]
    if wrong:
        raise HyperparameterError(
            f"{MONOTONE}: {wrong[0]!r} is no direction; write 1 (rising), -1 (falling) or 0, "
            'as in (1,0,-1) or {"age": 1}'
        )
    return tuple(directions)


def _interaction(value: Any, features: Sequence[str]) -> list[list[int]]:
    """Groups of features that may stand on one path of a tree."""
    if not isinstance(value, list) or not all(isinstance(group, list) for group in value):
        raise HyperparameterError(
            f'{INTERACTION}: write lists of features, as in [["age","income"]] or [[0,1],[2]]'
        )
    return [[_position(INTERACTION, item, features) for item in group] for group in value]


def _position(parameter: str, item: Any, features: Sequence[str]) -> int:
    if item in features:
        return features.index(item)
    if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < len(features):
        return item
    hint = did_you_mean(str(item), features)
    raise HyperparameterError(f"{parameter}: the model has no feature {item!r}{hint}")
