"""Boosters that go on where another process stopped, with the same bits.

XGBoost keeps state beside the model: cached predictions, the draws of its column sampler, dropped
trees. A run that is interrupted loses it. So a run with checkpoints gives it up at every one of
them: the booster is made anew of its own bytes. Measured with xgboost 3.2: to load the bytes into
the booster that is there is not enough. `seed_per_iteration` and the true number of the round do
the rest: the draws of a round then depend on nothing before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import xgboost as xgb


class ContinuedBooster(xgb.Booster):  # type: ignore[misc]  # no types
    """A booster for a training loop that counts from 0, though `rounds` are done."""

    def __init__(self, configured: xgb.Booster, model: bytes, rounds: int) -> None:
        super().__init__()
        self._rounds_done = rounds
        _exchange(self, _rebuilt(configured, model))

    def update(self, dtrain: xgb.DMatrix, iteration: int, fobj: Any = None) -> None:
        """One round, under its true number."""
        super().update(dtrain, iteration + self._rounds_done, fobj)


def renew(booster: xgb.Booster) -> bytes:
    """Make a booster anew of its own bytes, in place; returns them."""
    model = bytes(booster.save_raw("ubj"))
    _exchange(booster, _rebuilt(booster, model))
    return model


def _rebuilt(configured: xgb.Booster, model: bytes) -> xgb.Booster:
    """A booster of a model, with the parameters of another.

    The parameters are asked of the booster, because the user's train may have changed them.
    """
    text = configured.save_config()
    result = xgb.Booster(model_file=bytearray(model))
    result.load_config(text)
    result.set_param(list(_forgotten(json.loads(text)["learner"])))
    return result


def _forgotten(learner: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Parameters that load_config does not hand on: to the metrics, and to gblinear."""
    yield from _parameters(learner["objective"])
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        yield from _parameters(booster)
        yield from _parameters(booster["updater"])


def _parameters(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in part.items():
        if name.endswith("_param"):
            yield from value.items()


def _exchange(one: xgb.Booster, other: xgb.Booster) -> None:
    one.handle, other.handle = other.handle, one.handle
