"""What a row is answered with: selected outputs, contributions, leaves, several models."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from canarywood import media
from canarywood.artifact import MODEL_FILE, Manifest
from canarywood.errors import AcceptError, ArtifactError, BodyError, SettingsError
from canarywood.formats import recordio, records
from canarywood.formats.outputs import KEYS, valid_keys
from canarywood.serving.encoding import ACCEPTS
from canarywood.serving.native import Kind, NativeBooster
from canarywood.serving.scorer import Scorer
from tests.container import deprecations
from tests.container.serving import bodies
from tests.container.serving.models import World, data_of, flights_world, plain_world, save

JSON = media.MediaType(media.JSON)
OBJECTIVES: list[dict[str, Any]] = [
    {"objective": "binary:logistic"},
    {"objective": "binary:logitraw"},
    {"objective": "binary:hinge"},
    {"objective": "multi:softprob", "num_class": 3},
    {"objective": "multi:softmax", "num_class": 3},
    {"objective": "reg:squarederror"},
    {"objective": "count:poisson"},
    {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
]
BOOSTERS = ["gbtree", "dart", "gblinear"]


def answer(scorer: Scorer, world: World, accept: str, count: int = 20) -> bytes:
    """The whole way of a request, by its Accept."""
    form = scorer.form(media.accepted(accept, ACCEPTS))
    sent = bodies.json_rows(world.rows[:count], ())
    request = scorer.read(sent, JSON, form)
    found = {kind: scorer.predict(request.features, kind) for kind in request.form.kinds}
    return scorer.encode(found, request.form)


def predictions(scorer: Scorer, world: World, outputs: str) -> list[dict[str, Any]]:
    found = json.loads(answer(scorer, world, f"application/json; outputs={outputs}"))
    return found["predictions"]  # type: ignore[no-any-return]


def floats(values: Any) -> Any:
    return np.array(values, dtype=np.float64).astype(np.float32)


@deprecations.of_boosters
@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("parameters", OBJECTIVES, ids=lambda p: p["objective"])
def test_margins_contributions_and_leaves_are_those_of_xgboost(
    tmp_path: Path, parameters: dict[str, Any], booster: str
) -> None:
    world = plain_world(tmp_path, booster=booster, **parameters)
    native = NativeBooster(tmp_path / MODEL_FILE)
    for kind, asked in (
        (Kind.MARGIN, {"output_margin": True}),
        (Kind.CONTRIBUTIONS, {"pred_contribs": True}),
        (Kind.LEAVES, {"pred_leaf": True}),
    ):
        if kind is Kind.LEAVES and booster == "gblinear":
            with pytest.raises(AcceptError) as caught:
                world.scorer().predict(world.matrix, kind)
            assert caught.value.code == "unknown_output"
            continue
        for rows in (slice(1), slice(None)):
            expected = world.booster.predict(data_of(world.schema, world.matrix[rows]), **asked)
            np.testing.assert_array_equal(native.predict(world.matrix[rows], kind), expected)


@pytest.mark.parametrize("make", [plain_world, flights_world])
def test_contributions_have_the_names_of_their_features_and_sum_to_the_margin(
    tmp_path: Path, make: Any
) -> None:
    world = make(tmp_path)
    expected = world.booster.predict(world.data(), pred_contribs=True)[:20]
    margins = world.booster.predict(world.data(), output_margin=True)[:20]
    rows = predictions(world.scorer(), world, "contributions,raw_score")
    assert list(rows[0]) == ["contributions", "raw_score"]
    assert list(rows[0]["contributions"]) == [*world.schema.features, "bias"]
    found = floats([list(row["contributions"].values()) for row in rows])
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(floats([row["raw_score"] for row in rows]), margins)
    np.testing.assert_allclose(found.sum(axis=1), margins, atol=1e-5)


def test_contributions_to_several_classes_are_a_list_of_objects(tmp_path: Path) -> None:
    world = plain_world(tmp_path, objective="multi:softprob", num_class=3)
    expected = world.booster.predict(world.data(), pred_contribs=True)[:20]
    rows = predictions(world.scorer(), world, "contributions")
    found = [[list(part.values()) for part in row["contributions"]] for row in rows]
    np.testing.assert_array_equal(floats(found), expected)
    lines = answer(world.scorer(), world, "text/csv;outputs=contributions").decode()
    table = [json.loads(cell) for (cell,) in csv.reader(io.StringIO(lines))]
    np.testing.assert_array_equal(floats(table), expected)


def test_leaves_are_whole_numbers(tmp_path: Path) -> None:
    world = plain_world(tmp_path)
    expected = world.booster.predict(world.data(), pred_leaf=True)[:20]
    rows = predictions(world.scorer(), world, "leaves")
    assert [row["leaves"] for row in rows] == expected.astype(int).tolist()
    assert all(type(leaf) is int for leaf in rows[0]["leaves"])
    body = answer(world.scorer(), world, "application/x-recordio-protobuf;outputs=leaves")
    assert len(list(recordio.frames(body))) == 20


@pytest.mark.parametrize("parameters", OBJECTIVES, ids=lambda p: p["objective"])
@pytest.mark.parametrize("accept", ACCEPTS)
def test_every_key_is_answered_for_every_objective_in_every_type(
    tmp_path: Path, parameters: dict[str, Any], accept: str
) -> None:
    world = plain_world(tmp_path, **parameters)
    scorer = world.scorer(inference_output=",".join(KEYS))
    body = answer(scorer, world, accept)
    valid = valid_keys(parameters["objective"])
    if accept == media.RECORDIO:
        assert len(list(recordio.frames(body))) == 20
        return
    if accept == media.CSV:
        rows = [
            {key: cell or None for key, cell in zip(KEYS, row, strict=True)}
            for row in csv.reader(io.StringIO(body.decode()))
        ]
    elif accept == media.JSON:
        rows = json.loads(body)["predictions"]
    else:
        rows = [json.loads(line) for line in body.splitlines()]
    assert len(rows) == 20
    for row in rows:
        assert {key for key, value in row.items() if value is not None} == set(valid)
    expected = world.booster.predict(world.data())[:20]
    name = {"multi:softprob": "probabilities", "multi:softmax": "predicted_label"}.get(
        parameters["objective"], valid[0] if valid[0] == "predicted_score" else ""
    )
    if name:
        cells = [row[name] for row in rows]
        found = [json.loads(cell) if isinstance(cell, str) else cell for cell in cells]
        np.testing.assert_array_equal(floats(found), expected)


def test_names_of_classes_answer_where_the_schema_has_them(tmp_path: Path) -> None:
    world = flights_world(tmp_path)
    expected = world.booster.predict(world.data())[:20]
    rows = predictions(world.scorer(), world, "predicted_label,probability,labels")
    assert [r["predicted_label"] for r in rows] == [
        "late" if p > 0.5 else "on time" for p in expected
    ]
    assert rows[0]["labels"] == ["on time", "late"]
    np.testing.assert_array_equal(floats([row["probability"] for row in rows]), expected)


def test_a_request_may_ask_for_other_outputs_than_the_container_was_told(tmp_path: Path) -> None:
    world = plain_world(tmp_path)
    scorer = world.scorer(inference_output="predicted_label")
    assert list(predictions(scorer, world, "probability")[0]) == ["probability"]
    assert set(answer(scorer, world, "*/*").split()) <= {b"0", b"1"}


@pytest.mark.parametrize("outputs", ["nothing", "probability,nothing", "", "leaves,leaves"])
def test_an_output_that_there_is_not_is_a_406_before_anything_is_read(
    tmp_path: Path, outputs: str
) -> None:
    scorer = plain_world(tmp_path).scorer()
    with pytest.raises(AcceptError, match="choose from predicted_label, labels") as caught:
        scorer.form(media.accepted(f"text/csv;outputs={outputs}", ACCEPTS))
    assert (caught.value.status, caught.value.code) == (406, "unknown_output")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo", "SAGEMAKER_INFERENCE_OUTPUT: 'foo': no such output; for binary:logistic choose "
                "from predicted_label, labels, probability"),
        ("probability,foo,contributions", "'foo', 'contributions': no such output"),
        ("probability,probability", "twice"),
    ],
)  # fmt: skip
def test_a_setting_that_names_no_output_stops_the_start(
    tmp_path: Path, text: str, said: str
) -> None:
    world = plain_world(tmp_path)
    with pytest.raises(SettingsError, match=said):
        world.scorer(inference_output=text)


# ---- several models


def folds(tmp_path: Path, **parameters: Any) -> tuple[World, list[xgboost.Booster]]:
    """A world of which three boosters are stored, as AWS's own image does after a k-fold."""
    parameters = {"objective": "binary:logistic", **parameters}
    world = plain_world(tmp_path, **parameters)
    (tmp_path / MODEL_FILE).unlink()
    labels = np.arange(300) % parameters.get("num_class", 2)
    boosters = []
    for number in range(3):
        rows = slice(number * 60, 300)
        data = data_of(world.schema, world.matrix[rows], labels[rows])
        boosters.append(xgboost.train({**parameters, "nthread": 1, "eta": 1}, data, 4))
        save(boosters[-1], tmp_path, f"{MODEL_FILE}-{number}")
    return world, boosters


@pytest.mark.parametrize("parameters", OBJECTIVES, ids=lambda p: p["objective"])
def test_models_of_several_folds_answer_with_their_mean_or_their_vote(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    world, boosters = folds(tmp_path, **parameters)
    each = [booster.predict(world.data()) for booster in boosters]
    if parameters["objective"] in ("multi:softmax", "binary:hinge"):
        counts = np.stack([np.sum(np.stack(each) == k, axis=0) for k in range(3)])
        expected = counts.argmax(axis=0).astype(np.float32)
        assert (counts.max(axis=0) == 2).any()
    else:
        expected = np.mean(each, axis=0, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(world.scorer().predict(world.matrix), expected)
    first = world.scorer(ensemble=False)
    np.testing.assert_array_equal(first.predict(world.matrix), each[0])
    assert len(world.scorer().predict(world.matrix[:0])) == 0


def test_contributions_of_several_models_are_means_and_their_leaves_stand_side_by_side(
    tmp_path: Path,
) -> None:
    world, boosters = folds(tmp_path)
    data, scorer = world.data(), world.scorer()
    contributions = np.mean(
        [b.predict(data, pred_contribs=True) for b in boosters], axis=0, dtype=np.float64
    )
    leaves = np.hstack([b.predict(data, pred_leaf=True) for b in boosters])
    found = scorer.predict(world.matrix, Kind.CONTRIBUTIONS)
    np.testing.assert_array_equal(found, contributions.astype(np.float32))
    np.testing.assert_array_equal(scorer.predict(world.matrix, Kind.LEAVES), leaves)
    np.testing.assert_allclose(
        found.sum(axis=1), scorer.predict(world.matrix, Kind.MARGIN), atol=1e-5
    )


def test_only_what_the_manifest_names_is_a_model(tmp_path: Path) -> None:
    world, boosters = folds(tmp_path)
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "preprocessor.pkl").write_bytes(b"\x80\x04.")
    manifest = Manifest(
        "", "", "", "", "binary:logistic", rounds=4, features=5, outputs=1,
        models=(f"{MODEL_FILE}-0", f"{MODEL_FILE}-2"),
    )  # fmt: skip
    manifest.write(tmp_path)
    each = [boosters[number].predict(world.data()) for number in (0, 2)]
    expected = np.mean(each, axis=0, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(world.scorer().predict(world.matrix), expected)


def test_models_of_different_trainings_are_refused(tmp_path: Path) -> None:
    world, _ = folds(tmp_path)
    other = xgboost.train({}, data_of(world.schema, world.matrix, np.arange(300)), 1)
    save(other, tmp_path, f"{MODEL_FILE}-2")
    with pytest.raises(ArtifactError, match="model 2 of the archive has another objective"):
        world.scorer()


# ---- version 2


def infer(scorer: Scorer, world: World, accept: str = "*/*", **further: Any) -> Any:
    sent = json.dumps(bodies.v2(world.rows[:5], **further)).encode()
    request = scorer.read(sent, JSON, scorer.form(media.accepted(accept, ACCEPTS)))
    found = {kind: scorer.predict(request.features, kind) for kind in request.form.kinds}
    body = scorer.encode(found, request.form)
    return json.loads(body) if request.form.media == media.JSON else body


def test_a_version_2_request_has_a_version_2_answer(tmp_path: Path) -> None:
    world = flights_world(tmp_path)
    expected = world.booster.predict(world.data())[:5]
    found = infer(world.scorer(), world, id="17")
    assert {**found, "outputs": 0} == {
        "model_name": "flights", "model_version": "1", "id": "17", "outputs": 0,
    }  # fmt: skip
    (tensor,) = found["outputs"]
    assert (tensor["name"], tensor["datatype"], tensor["shape"]) == ("score", "FP32", [5])
    np.testing.assert_array_equal(floats(tensor["data"]), expected)
    assert infer(world.scorer(), world, outputs=[{"name": "score"}]) == infer(world.scorer(), world)
    text = infer(world.scorer(), world, accept="text/csv", id="17")
    np.testing.assert_array_equal(floats(text.decode().split()), expected)


def test_a_version_2_request_selects_its_outputs(tmp_path: Path) -> None:
    world = flights_world(tmp_path)
    names = ("labels", "predicted_label", "contributions", "leaves", "score", "probability")
    found = infer(world.scorer(), world, outputs=[{"name": name} for name in names])
    tensors = {tensor["name"]: tensor for tensor in found["outputs"]}
    assert tuple(tensors) == names
    assert (tensors["labels"]["datatype"], tensors["labels"]["shape"]) == ("BYTES", [5, 2])
    assert tensors["labels"]["data"] == ["on time", "late"] * 5
    assert tensors["leaves"]["datatype"] == "INT32"
    assert tensors["score"]["data"] == tensors["probability"]["data"]
    contributions = world.booster.predict(world.data(), pred_contribs=True)[:5]
    assert tensors["contributions"]["shape"] == [5, 5]
    np.testing.assert_array_equal(floats(tensors["contributions"]["data"]), contributions.ravel())


@pytest.mark.parametrize("name", ["nothing", "predicted_score"])
def test_an_output_that_a_version_2_request_cannot_have_is_a_400(tmp_path: Path, name: str) -> None:
    world = plain_world(tmp_path)
    with pytest.raises(BodyError) as caught:
        infer(world.scorer(), world, outputs=[{"name": name}])
    assert caught.value.code == "oip"


def test_a_record_holds_the_outputs_of_its_row_alone(tmp_path: Path) -> None:
    world = plain_world(tmp_path)
    expected = world.booster.predict(world.data())[:20]
    body = answer(world.scorer(), world, "application/x-recordio-protobuf")
    found = list(recordio.frames(body))
    for frame, score in zip(found, expected, strict=True):
        value = records.entry(records.LABEL, "score", records.numbers(floats([score])))
        assert frame == value
