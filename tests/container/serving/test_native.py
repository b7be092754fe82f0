"""The C library called directly answers what XGBoost's own package answers, bit for bit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from canarywood.errors import ArtifactError
from canarywood.serving.native import NativeBooster, version, version_of
from tests.container import deprecations

FEATURES = 7
PARAMETERS: list[dict[str, Any]] = [
    {"objective": "binary:logistic"},
    {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.3},
    {"objective": "reg:squarederror"},
    {"objective": "multi:softprob", "num_class": 3},
    {"objective": "multi:softmax", "num_class": 3},
    {"objective": "count:poisson"},
    {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
    {"objective": "binary:logistic", "booster": "gblinear"},
]


def rows(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(count, FEATURES)).astype(np.float32)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    return matrix


def train(parameters: dict[str, Any], seed: int = 0) -> xgboost.Booster:
    matrix = np.nan_to_num(rows(300, seed))
    classes = parameters.get("num_class", 2)
    labels = (np.abs(matrix[:, 0] * 2).astype(int) % classes).astype(np.float32)
    data = xgboost.DMatrix(matrix, labels)
    return xgboost.train({**parameters, "seed": seed, "nthread": 1}, data, 7)


@deprecations.of_boosters
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "count:poisson"])
def test_dart_is_predicted_as_booster_predict_does_and_not_in_place(
    tmp_path: Path, objective: str, seed: int
) -> None:
    booster = train({"objective": objective, "booster": "dart", "base_score": 0.7}, seed)
    path = tmp_path / "model.ubj"
    booster.save_model(path)
    matrix = rows(200, seed)
    expected = booster.predict(xgboost.DMatrix(matrix))
    np.testing.assert_array_equal(NativeBooster(path).predict(matrix), expected)
    if version() < (3, 4):  # where the in-place way of dart was mended
        assert not np.array_equal(booster.inplace_predict(matrix), expected)


@deprecations.of_boosters
@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda p: "-".join(map(str, p.values())))
@pytest.mark.parametrize("ending", ["ubj", "json"])
def test_predictions_equal_xgboosts_own_bit_for_bit(
    tmp_path: Path, parameters: dict[str, Any], ending: str
) -> None:
    booster = train(parameters)
    path = tmp_path / f"model.{ending}"
    booster.save_model(path)
    native = NativeBooster(path)
    for count in (1, 2, 100):
        matrix = rows(count, seed=count)
        expected = booster.predict(xgboost.DMatrix(matrix))
        np.testing.assert_array_equal(native.predict(matrix), expected)
    assert native.objective == parameters["objective"]
    assert native.features == FEATURES


def test_an_early_stopped_model_answers_with_its_best_round(tmp_path: Path) -> None:
    booster = train({"objective": "reg:squarederror"})
    booster.set_attr(best_iteration="2")
    path = tmp_path / "model.ubj"
    booster.save_model(path)
    matrix = rows(20)
    expected = booster.predict(xgboost.DMatrix(matrix), iteration_range=(0, 3))
    np.testing.assert_array_equal(NativeBooster(path).predict(matrix), expected)


def test_names_and_types_of_the_features_are_read(tmp_path: Path) -> None:
    data = xgboost.DMatrix(
        np.array([[0, 1.5], [1, 2.5]], dtype=np.float32),
        label=[0, 1],
        feature_names=["color", "size"],
        feature_types=["c", "q"],
        enable_categorical=True,
    )
    path = tmp_path / "model.ubj"
    xgboost.train({"max_cat_to_onehot": 1}, data, 2).save_model(path)
    native = NativeBooster(path)
    assert native.names == ("color", "size")
    assert native.types == ("c", "q")


def test_no_rows_give_no_predictions(tmp_path: Path) -> None:
    for objective in ("reg:squarederror", "multi:softprob"):
        path = tmp_path / "model.ubj"
        classes = {"num_class": 3} if "multi" in objective else {}
        train({"objective": objective, **classes}).save_model(path)
        assert len(NativeBooster(path).predict(rows(0))) == 0


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, FEATURES - 1), np.float32), np.zeros((1, FEATURES), np.float64)]
)
def test_a_matrix_of_another_width_or_type_never_reaches_the_library(
    tmp_path: Path, wrong: np.ndarray[Any, Any]
) -> None:
    path = tmp_path / "model.ubj"
    train({}).save_model(path)
    with pytest.raises(ValueError, match=r"float32 \(rows, 7\) needed"):
        NativeBooster(path).predict(wrong)


def test_threads_share_one_booster(tmp_path: Path) -> None:
    booster = train({"objective": "binary:logistic"})
    path = tmp_path / "model.ubj"
    booster.save_model(path)
    native = NativeBooster(path)
    cases = [rows(n, seed=n) for n in range(1, 9)]
    expected = [booster.predict(xgboost.DMatrix(case)) for case in cases]
    wrong: list[int] = []

    def ask(index: int) -> None:
        wrong.extend(
            index
            for _ in range(200)
            if not np.array_equal(native.predict(cases[index]), expected[index])
        )

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"hello", b'{"version":[3,1,0]}', b"\x80\x04K\x01."]
)
def test_a_damaged_file_is_an_artifact_error_without_a_stack(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "xgboost-model"
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        NativeBooster(path)
    assert "is not an XGBoost model" in str(caught.value)
    assert "Stack trace" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["ubj", "json"])
def test_a_model_of_a_newer_xgboost_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"model.{ending}"
    train({}).save_model(path)
    content = path.read_bytes()
    assert version_of(content) == version()
    major, minor, patch = version()
    if ending == "ubj":
        newer = content.replace(
            bytes([*b"i", major, *b"i", minor]), bytes([*b"i", major, *b"i", 99])
        )
    else:
        newer = content.replace(
            f"[{major},{minor},{patch}]".encode(), f"[{major},99,{patch}]".encode()
        )
    path.write_bytes(newer)
    with pytest.raises(ArtifactError, match=r"was written by xgboost 3\.99"):
        NativeBooster(path)
