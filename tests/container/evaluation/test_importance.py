"""Importance: XGBoost's own figures, added up as the page says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from canarywood.evaluation.importance import SAMPLE, importances
from tests.container import deprecations

NAMES, TYPES = ("strong", "weak", "unused"), ("q", "q", "q")


def data(rows: int = 500):
    features = np.random.default_rng(0).normal(0, 1, (rows, 3)).astype(np.float32)
    features[:, 2] = 1
    return features, (2 * features[:, 0] + 0.5 * features[:, 1]).astype(np.float32)


def saved(folder: Path, **parameters: object) -> tuple[Path, xgb.Booster]:
    booster = xgb.train({"nthread": 1, **parameters}, xgb.DMatrix(*data()), 10)
    path = folder / "xgboost-model"
    path.write_bytes(bytes(booster.save_raw("ubj")))
    return path, booster


def test_contributions_are_means_over_the_rows_and_gains_shares_of_all(tmp_path: Path):
    path, booster = saved(tmp_path)
    features, _ = data()
    found = importances(path, features, NAMES, TYPES)
    assert [each.feature for each in found] == ["strong", "weak", "unused"]
    matrix = xgb.DMatrix(features)
    expected = np.abs(booster.predict(matrix, pred_contribs=True))[:, :3].mean(axis=0)
    assert [each.contribution for each in found] == pytest.approx(expected.tolist(), rel=1e-5)
    assert sum(each.gain or 0 for each in found) == pytest.approx(1.0)
    assert found[2].gain == 0.0


@deprecations.of_boosters
def test_a_linear_booster_has_contributions_but_no_gain(tmp_path: Path):
    path, _ = saved(tmp_path, booster="gblinear")
    found = importances(path, data()[0], NAMES, TYPES)
    assert [each.gain for each in found] == [None, None, None]
    assert found[0].feature == "strong"


def test_outputs_of_several_classes_are_averaged(tmp_path: Path):
    features, _ = data()
    labels = (features[:, 0] > 0).astype(int) + (features[:, 0] > 1)
    booster = xgb.train(
        {"objective": "multi:softprob", "num_class": 3, "nthread": 1},
        xgb.DMatrix(features, labels),
        5,
    )
    path = tmp_path / "xgboost-model"
    path.write_bytes(bytes(booster.save_raw("ubj")))
    first, *others = importances(path, features, NAMES, TYPES)
    assert first.feature == "strong"
    assert first.contribution > 10 * max(each.contribution for each in others)


def test_only_a_sample_of_many_rows_is_explained(tmp_path: Path):
    path, _ = saved(tmp_path)
    features, _ = data(SAMPLE)
    many = np.repeat(features, 3, axis=0)
    whole = importances(path, features, NAMES, TYPES)
    part = importances(path, many, NAMES, TYPES)
    for one, other in zip(whole, part, strict=True):
        assert one.contribution == pytest.approx(other.contribution, rel=0.02)
