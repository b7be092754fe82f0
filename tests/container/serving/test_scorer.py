"""A loaded artifact, ours or another's, answers what XGBoost answers, or refuses."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

from canarywood import media
from canarywood.artifact import MODEL_FILE, SCHEMA_FILE, Manifest
from canarywood.errors import ArtifactError, RequestError
from canarywood.schema.definition import Column, Schema, Target, plain
from canarywood.serving.native import Kind
from canarywood.serving.scorer import Scorer
from canarywood.steps import StepError

CSV, JSON = media.MediaType(media.CSV), media.MediaType(media.JSON)
COLORS = ["red", "bl\u00fce", "green", "white", "black"]


def data(names: list[str] | None = None) -> tuple[np.ndarray[Any, Any], xgboost.DMatrix]:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(200, 3)).astype(np.float32)
    labels = (matrix[:, 0] > 0).astype(np.float32)
    return matrix, xgboost.DMatrix(matrix, labels, feature_names=names)


def colored(as_frame: bool) -> tuple[np.ndarray[Any, Any], xgboost.DMatrix]:
    """Rows whose label depends on a category; as a data frame the model stores the texts."""
    random = np.random.default_rng(0)
    codes, size = random.integers(0, 5, 400), random.normal(size=400)
    labels = (codes % 2) * 2 + size
    matrix = np.stack([codes, size], 1).astype(np.float32)
    if as_frame:
        column = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(COLORS))
        table = pa.table({"color": column, "size": size.astype(np.float32)})
        return matrix, xgboost.DMatrix(table, labels, enable_categorical=True)
    return matrix, xgboost.DMatrix(
        matrix,
        labels,
        feature_names=["color", "size"],
        feature_types=["c", "q"],
        enable_categorical=True,
    )


def saved(
    folder: Path, train: xgboost.DMatrix, schema: Schema | None = None, **parameters: Any
) -> xgboost.Booster:
    booster = xgboost.train({"nthread": 1, **parameters}, train, 5)
    booster.save_model(folder / "m.ubj")
    (folder / "m.ubj").rename(folder / MODEL_FILE)
    if schema is not None:
        schema.write(folder / SCHEMA_FILE)
    return booster


def body_of(matrix: np.ndarray[Any, Any]) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in matrix.tolist()).encode()


@pytest.mark.parametrize("names", [None, ["x", "y", "z"]])
def test_a_plain_model_of_another_image_answers_as_xgboost_does(
    tmp_path: Path, names: list[str] | None
) -> None:
    matrix, train = data(names)
    booster = saved(tmp_path, train, objective="binary:logistic")
    scorer = Scorer.load(tmp_path)
    expected = booster.predict(xgboost.DMatrix(matrix, feature_names=names))
    features = scorer.decode(body_of(matrix), CSV)
    np.testing.assert_array_equal(scorer.predict(features), expected)
    assert scorer.schema.input_names == tuple(names or ("f0", "f1", "f2"))
    assert (scorer.objective, scorer.outputs, scorer.manifest) == ("binary:logistic", 1, None)
    form = scorer.form(media.Accepted(media.CSV))
    text = scorer.encode({Kind.VALUE: scorer.predict(features)}, form)
    np.testing.assert_array_equal(np.array(text.split(), dtype=np.float32), expected)


def test_names_of_the_booster_are_those_of_a_header_and_of_records(tmp_path: Path) -> None:
    _, train = data(["x", "y", "z"])
    saved(tmp_path, train)
    scorer = Scorer.load(tmp_path)
    expected = scorer.predict(scorer.decode(b"1,2,3\n", CSV)).tolist()
    assert scorer.predict(scorer.decode(b"z,x,y\n3,1,2\n", CSV)).tolist() == expected
    assert scorer.predict(scorer.decode(b'{"y": 2, "z": 3, "x": 1}', JSON)).tolist() == expected


def test_a_model_of_several_classes_has_several_outputs(tmp_path: Path) -> None:
    _, train = data()
    saved(tmp_path, train, objective="multi:softprob", num_class=4)
    scorer = Scorer.load(tmp_path)
    assert scorer.outputs == 4
    scorer.warm_up()


@pytest.mark.parametrize("booster", ["gbtree", "dart"])
def test_codes_of_a_foreign_categorical_model_are_checked(tmp_path: Path, booster: str) -> None:
    matrix, train = colored(as_frame=False)
    model = saved(tmp_path, train, max_cat_to_onehot=1, booster=booster)
    scorer = Scorer.load(tmp_path)
    # of fresh rows: of those it trained on, XGBoost keeps sums that are rounded otherwise
    expected = model.predict(colored(as_frame=False)[1])
    known = len(scorer.schema.inputs[0].categories)
    rows = matrix[:, 0] < known
    found = scorer.predict(scorer.decode(body_of(matrix[rows]), CSV))
    np.testing.assert_array_equal(found, expected[rows])
    for code in ("-1", "0.5", "17", "1e7", "3000000000", "red"):
        with pytest.raises(RequestError) as caught:
            scorer.decode(f"0,1\n{code},1\n".encode(), CSV)
        assert (caught.value.status, caught.value.code) == (422, "unknown_category")
        assert (caught.value.row, caught.value.column) == (2, "color")
    missing = xgboost.DMatrix(
        np.array([[np.nan, 1]], dtype=np.float32),
        feature_names=["color", "size"],
        feature_types=["c", "q"],
        enable_categorical=True,
    )
    assert (
        scorer.predict(scorer.decode(b"[null, 1]", JSON)).tolist()
        == model.predict(missing).tolist()
    )


def test_texts_of_a_foreign_categorical_model_are_its_categories(tmp_path: Path) -> None:
    matrix, train = colored(as_frame=True)
    model = saved(tmp_path, train, max_cat_to_onehot=1)
    scorer = Scorer.load(tmp_path)
    assert scorer.schema.inputs[0].categories == tuple(COLORS)
    records = [{"color": COLORS[int(code)], "size": size} for code, size in matrix.tolist()]
    features = scorer.decode(json.dumps(records).encode(), JSON)
    expected = model.predict(colored(as_frame=True)[1])
    np.testing.assert_array_equal(scorer.predict(features), expected)
    with pytest.raises(RequestError) as caught:
        scorer.decode(b"color,size\npink,1\n", CSV)
    assert (caught.value.status, caught.value.code) == (422, "unknown_category")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (plain(2), "describes 2 features, the booster takes 3"),
        (plain(3, ("x", "z", "y")), r"feature 'y' .* is 'z'|feature 'z' .* is 'y'"),
        (
            Schema("s", None, (Column("x"), Column("y"), Column("z", "category")), ("x", "y", "z")),
            r"feature 'z' \(c\)",
        ),
    ],
)
def test_a_schema_of_another_training_is_refused(tmp_path: Path, schema: Schema, said: str) -> None:
    matrix, _ = data()
    names, types = ["x", "y", "z"], ["q", "q", "q"]
    train = xgboost.DMatrix(matrix, matrix[:, 0], feature_names=names, feature_types=types)
    saved(tmp_path, train, schema)
    with pytest.raises(ArtifactError, match=said):
        Scorer.load(tmp_path)


def test_our_artifact_is_read_by_its_schema_and_its_digests(tmp_path: Path) -> None:
    _, train = data()
    schema = Schema("s", Target("t", "regression"), plain(3).inputs, ("f0", "f1", "f2"))
    saved(tmp_path, train, schema)
    manifest = Manifest("", "", "", "", "reg:squarederror", rounds=5, features=3, outputs=1)
    manifest.write(tmp_path)
    scorer = Scorer.load(tmp_path)
    assert scorer.manifest is not None
    assert scorer.schema.target == Target("t", "regression")
    with (tmp_path / MODEL_FILE).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(ArtifactError, match="sha256 differs"):
        Scorer.load(tmp_path)


class Trap:
    """A pickle of it creates a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, protocol: int) -> None:
    sprung = tmp_path / "sprung"
    (tmp_path / MODEL_FILE).write_bytes(pickle.dumps(Trap(sprung), protocol))
    with pytest.raises(ArtifactError, match=r"is a pickle|is not an XGBoost model"):
        Scorer.load(tmp_path)
    assert not sprung.exists()


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_best_iteration_that_is_no_number_is_refused(tmp_path: Path, value: str) -> None:
    _, train = data()
    booster = xgboost.train({"nthread": 1}, train, 3)
    booster.set_attr(best_iteration=value)
    booster.save_model(tmp_path / "m.ubj")
    (tmp_path / "m.ubj").rename(tmp_path / MODEL_FILE)
    with pytest.raises(ArtifactError, match="best_iteration"):
        Scorer.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"features": ["f0", "f1", "gone"]},
        {"features": []},
        {"features": ["f0", "f0", "f1"]},
        {"inputs": [{"name": "f0"}, {"name": "f0"}]},
        {"inputs": "abc"},
        {"inputs": [{"name": "f0", "kind": "text"}]},
        {"derived": [{"name": "d", "op": "sum", "of": ["f0", "gone"]}]},
        {"derived": [{"name": "d", "op": "cube", "of": ["f0"]}]},
        {"unknown_category": "ignore"},
        {"format": 2},
        {"surprise": 1},
    ],
)
def test_a_schema_that_cannot_work_is_refused_when_it_is_loaded(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    _, train = data()
    saved(tmp_path, train, plain(3))
    path = tmp_path / SCHEMA_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError):
        Scorer.load(tmp_path)


# ---- the user's serve.py


@pytest.fixture
def users_serve() -> Iterator[Any]:
    """model/serve.py as a module whose functions a test may write; it is left as it was."""
    import model.serve as module

    before = dict(vars(module))
    yield module
    vars(module).clear()
    vars(module).update(before)


def test_the_users_load_and_predict_answer(tmp_path: Path, users_serve: Any) -> None:
    _, train = data()
    saved(tmp_path, train)
    users_serve.load = lambda model_dir: model_dir / "mine"
    users_serve.predict = lambda model, features: [
        float(model == tmp_path / "mine") + row[0] for row in features
    ]
    scorer = Scorer.load(tmp_path)
    scores = scorer.predict(scorer.decode(b"1,2,3\n2,3,4\n", CSV))
    assert scores.dtype == np.float32
    assert scores.tolist() == [2.0, 3.0]


@pytest.mark.parametrize("answer", [[1.0], 1.0, [[[1.0]], [[2.0]]]])
def test_a_predict_that_does_not_answer_row_by_row_is_caught(
    tmp_path: Path, users_serve: Any, answer: Any
) -> None:
    _, train = data()
    saved(tmp_path, train)
    users_serve.load, users_serve.predict = (lambda _: None), (lambda *_: answer)
    with pytest.raises(StepError, match="predict returned shape"):
        Scorer.load(tmp_path).predict(np.zeros((2, 3), dtype=np.float32))


def test_a_predict_without_a_load_is_named(tmp_path: Path, users_serve: Any) -> None:
    _, train = data()
    saved(tmp_path, train)
    users_serve.predict = lambda *_: [1.0]
    with pytest.raises(StepError, match=r"model/serve\.py lacks the function load"):
        Scorer.load(tmp_path)
