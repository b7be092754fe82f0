"""Selectable outputs, held to XGBoost's own predictions."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from canarywood.errors import SettingsError
from canarywood.formats import answers, outputs, protobuf, recordio, records
from canarywood.formats.outputs import Column

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(120, 4)).astype(np.float32)
SCORE = FEATURES[:, 0] + 0.3 * RANDOM.normal(size=120)
CLASSES = ("on time", 'late, "very"', "lost")

LABELS: dict[str, NDArray[Any]] = {
    "binary": (SCORE > 0).astype(int),
    "multi": np.digitize(SCORE, [-0.5, 0.5]),
    "count": np.abs(np.round(SCORE * 3)),
    "positive": np.abs(SCORE) + 0.1,
    "unit": 1 / (1 + np.exp(-SCORE)),
}
REGRESSION = {
    "reg:squarederror": "unit",
    "reg:squaredlogerror": "positive",
    "reg:logistic": "unit",
    "reg:pseudohubererror": "unit",
    "reg:absoluteerror": "unit",
    "reg:gamma": "positive",
    "reg:tweedie": "positive",
    "reg:quantileerror": "unit",
    "count:poisson": "count",
    "survival:cox": "positive",
    "survival:aft": "positive",
    "rank:ndcg": "multi",
    "rank:map": "binary",
    "rank:pairwise": "multi",
}


def booster(objective: str, labels: NDArray[Any], **more: Any) -> xgboost.Booster:
    data = xgboost.DMatrix(FEATURES, labels)
    if objective.startswith("rank:"):
        data.set_group([60, 60])
    if objective == "survival:aft":
        data.set_float_info("label_lower_bound", labels)
        data.set_float_info("label_upper_bound", labels)
    parameters = {"objective": objective, "max_depth": 3, "nthread": 1, **more}
    if objective.startswith("multi:"):
        parameters["num_class"] = 3
    return xgboost.train(parameters, data, num_boost_round=5)


def predicted(model: xgboost.Booster) -> tuple[NDArray[Any], NDArray[Any]]:
    data = xgboost.DMatrix(FEATURES)
    return model.predict(data), model.predict(data, output_margin=True)


def selected(
    objective: str, label: str, keys: tuple[str, ...] = outputs.KEYS, classes: Any = ()
) -> tuple[dict[str, Any], NDArray[Any], NDArray[Any]]:
    predictions, margins = predicted(booster(objective, LABELS[label]))
    columns = outputs.columns(
        keys, objective=objective, predictions=predictions, margins=margins, classes=classes
    )
    return {column.name: column.values for column in columns}, predictions, margins


# ---- values


@pytest.mark.parametrize(("objective", "label"), REGRESSION.items())
def test_the_score_of_every_other_objective_is_its_prediction(objective: str, label: str) -> None:
    more = {"quantile_alpha": [0.1, 0.9]} if objective == "reg:quantileerror" else {}
    predictions, _ = predicted(booster(objective, LABELS[label], **more))
    columns = outputs.columns(outputs.KEYS, objective=objective, predictions=predictions)
    assert columns[0].name == "predicted_score"
    np.testing.assert_array_equal(columns[0].values, predictions)
    assert [column.values for column in columns[1:]] == [None] * 6
    assert outputs.valid_keys(objective) == ("predicted_score",)


def test_every_classification_of_xgboost_is_in_the_table() -> None:
    with pytest.raises(xgboost.core.XGBoostError) as caught:
        booster("no:such", LABELS["binary"])
    known = set(re.findall(r"Objective candidate: (\S+)", str(caught.value)))
    assert len(known) > 15
    classifications = {name for name in known if name.startswith(("binary:", "multi:"))}
    assert classifications == set(outputs.VALID_KEYS)


def test_a_users_own_objective_has_a_score() -> None:
    assert outputs.valid_keys("mine") == ("predicted_score",)


def test_binary_logistic_has_all_but_the_score() -> None:
    found, predictions, margins = selected("binary:logistic", "binary")
    assert found["predicted_score"] is None
    np.testing.assert_array_equal(found["predicted_label"], predictions > 0.5)
    assert set(found["predicted_label"].tolist()) == {0, 1}
    assert found["labels"].shape == (120, 2)
    assert found["labels"][7].tolist() == [0, 1]
    np.testing.assert_array_equal(found["probability"], predictions)
    np.testing.assert_array_equal(found["probabilities"][:, 1], predictions)
    np.testing.assert_array_equal(found["probabilities"][:, 0], 1 - predictions)
    np.testing.assert_array_equal(found["raw_score"], margins)
    np.testing.assert_array_equal(found["raw_scores"], np.stack([-margins, margins], axis=1))
    odds = 1 / (1 + np.exp(-found["raw_scores"].astype(np.float64)))
    np.testing.assert_allclose(found["probabilities"], odds, atol=1e-6)


@pytest.mark.parametrize("objective", ["binary:logitraw", "binary:hinge"])
def test_logitraw_and_hinge_have_margins_and_no_probability(objective: str) -> None:
    found, _, margins = selected(objective, "binary")
    np.testing.assert_array_equal(found["predicted_label"], margins > 0)
    np.testing.assert_array_equal(found["raw_score"], margins)
    np.testing.assert_array_equal(found["raw_scores"], np.stack([-margins, margins], axis=1))
    for key in ("predicted_score", "probability", "probabilities"):
        assert found[key] is None


def test_softprob_has_all_but_the_score() -> None:
    found, predictions, margins = selected("multi:softprob", "multi")
    winner = predictions.argmax(axis=1)
    rows = np.arange(120)
    assert found["predicted_score"] is None
    assert found["predicted_label"].tolist() == winner.tolist()
    assert found["labels"][3].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found["probability"], predictions.max(axis=1))
    np.testing.assert_array_equal(found["probabilities"], predictions)
    np.testing.assert_array_equal(found["raw_score"], margins[rows, winner])
    np.testing.assert_array_equal(found["raw_scores"], margins)


def test_softmax_has_integer_labels_and_true_margins() -> None:
    found, predictions, margins = selected("multi:softmax", "multi")
    assert found["predicted_label"].dtype == np.int64
    assert found["predicted_label"].tolist() == predictions.tolist()
    assert found["predicted_label"].tolist() == margins.argmax(axis=1).tolist()
    assert found["labels"][3].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found["raw_score"], margins.max(axis=1))
    np.testing.assert_array_equal(found["raw_scores"], margins)
    assert found["probability"] is None
    assert found["probabilities"] is None


@pytest.mark.parametrize("objective", ["multi:softmax", "multi:softprob"])
def test_classes_are_named_where_they_have_names(objective: str) -> None:
    keys = ("predicted_label", "labels")
    numbers, _, _ = selected(objective, "multi", keys)
    names, _, _ = selected(objective, "multi", keys, CLASSES)
    expected = [CLASSES[number] for number in numbers["predicted_label"]]
    assert names["predicted_label"].tolist() == expected
    assert names["labels"][5].tolist() == list(CLASSES)


def test_one_half_is_class_0_and_the_first_of_equals_wins() -> None:
    half = np.array([0.5, np.nextafter(np.float32(0.5), np.float32(1))], dtype=np.float32)
    (label,) = outputs.columns(("predicted_label",), objective="binary:logistic", predictions=half)
    assert label.values is not None
    assert label.values.tolist() == [0, 1]
    zero = np.array([0, 1e-30], dtype=np.float32)
    (label,) = outputs.columns(("predicted_label",), objective="binary:logitraw", predictions=zero)
    assert label.values is not None
    assert label.values.tolist() == [0, 1]
    tied = np.array([[0.2, 0.4, 0.4], [0.4, 0.2, 0.4]], dtype=np.float32)
    (label,) = outputs.columns(("predicted_label",), objective="multi:softprob", predictions=tied)
    assert label.values is not None
    assert label.values.tolist() == [1, 0]


def test_several_targets_have_one_value_each() -> None:
    targets = np.stack([SCORE > 0, FEATURES[:, 1] > 0], axis=1).astype(int)
    predictions, margins = predicted(booster("binary:logistic", targets))
    found = {
        column.name: column.values
        for column in outputs.columns(
            outputs.KEYS, objective="binary:logistic", predictions=predictions, margins=margins
        )
    }
    np.testing.assert_array_equal(found["predicted_label"], predictions > 0.5)
    assert found["labels"].shape == (120, 2, 2)  # type: ignore[union-attr]
    assert found["probabilities"].shape == (120, 2, 2)  # type: ignore[union-attr]
    np.testing.assert_array_equal(found["raw_score"], margins)


def test_margins_are_needed_for_raw_scores_alone() -> None:
    assert outputs.needs_margins(("raw_score",), "binary:logistic")
    assert outputs.needs_margins(("labels",), "multi:softmax")
    assert not outputs.needs_margins(("labels", "probability"), "multi:softprob")
    assert not outputs.needs_margins(("raw_score",), "count:poisson")


# ---- the setting


def test_keys_are_read_in_their_order() -> None:
    found = outputs.keys(" probability, predicted_label ", "binary:logistic")
    assert found == ("probability", "predicted_label")
    assert outputs.keys(" ", "binary:logistic") == ()


def test_a_key_of_another_objective_is_null_and_no_error() -> None:
    assert outputs.keys("predicted_score", "binary:logistic") == ("predicted_score",)


def test_unknown_keys_are_named_with_the_valid_ones() -> None:
    with pytest.raises(SettingsError) as caught:
        outputs.keys("foo,probability,Labels", "binary:hinge")
    assert str(caught.value) == (
        "'foo', 'Labels': no such output; for binary:hinge choose from "
        "predicted_label, labels, raw_score, raw_scores"
    )
    for text in ("labels,labels", "labels,"):
        with pytest.raises(SettingsError):
            outputs.keys(text, "multi:softprob")


# ---- bytes

PROBABILITIES = np.array([[0.1, 0.9], [0.61970204, 0.38029796]], dtype=np.float32)
COLUMNS = [
    Column("predicted_label", np.array(['late, "very"', "on time"], dtype=object)),
    Column("labels", np.broadcast_to(np.array(CLASSES[:2], dtype=object), (2, 2))),
    Column("predicted_score", None),
    Column("probability", np.array([0.9, np.nan], dtype=np.float32)),
    Column("probabilities", PROBABILITIES),
    Column("number", np.array([1, 0])),
]


def test_json_is_strict_and_has_null_for_what_does_not_apply() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(answers.as_json(COLUMNS, 2), parse_constant=refuse)
    first, second = found["predictions"]
    assert list(first) == [column.name for column in COLUMNS]
    assert first["predicted_label"] == 'late, "very"'
    assert first["labels"] == second["labels"] == ["on time", 'late, "very"']
    assert first["predicted_score"] is None
    assert second["probability"] is None
    assert (first["number"], second["number"]) == (1, 0)
    lines = answers.as_json_lines(COLUMNS, 2)
    assert [json.loads(line) for line in lines.splitlines()] == [first, second]
    assert lines.endswith(b"}\n")


def test_numbers_are_in_their_shortest_form() -> None:
    body = answers.as_json(COLUMNS[4:5], 2)
    assert body == (
        b'{"predictions":[{"probabilities":[0.1,0.9]},{"probabilities":[0.61970204,0.38029796]}]}'
    )


def test_a_list_is_one_quoted_cell_of_csv() -> None:
    columns = [COLUMNS[5], COLUMNS[4], COLUMNS[2], COLUMNS[3]]
    assert answers.as_csv(columns, 2) == (b'1,"[0.1, 0.9]",,0.9\n0,"[0.61970204, 0.38029796]",,\n')


def test_csv_reads_back_to_the_same_texts() -> None:
    rows = list(csv.reader(io.StringIO(answers.as_csv(COLUMNS, 2).decode()), strict=True))
    assert rows[0][0] == 'late, "very"'
    assert rows[1][0] == "on time"
    assert json.loads(rows[0][1]) == ["on time", 'late, "very"']
    assert rows[0][2] == ""
    assert rows[1][3] == ""


def test_a_null_alone_is_an_empty_line() -> None:
    assert answers.as_csv(COLUMNS[2:3], 2) == b"\n\n"


def test_no_rows_are_an_empty_answer() -> None:
    columns = [Column("number", np.zeros(0)), Column("predicted_score", None)]
    assert answers.as_json(columns, 0) == b'{"predictions":[]}'
    assert answers.as_json_lines(columns, 0) == b""
    assert answers.as_csv(columns, 0) == b""
    assert answers.as_recordio(columns, 0) == b""


def labels_of(message: bytes) -> dict[str, list[tuple[int, bytes]]]:
    """Name -> fields of the value, of one record."""
    found = {}
    for number, _, entry in protobuf.fields(message):
        assert number == records.LABEL
        assert isinstance(entry, bytes)
        name, value = (part[2] for part in protobuf.fields(entry))
        assert isinstance(name, bytes)
        assert isinstance(value, bytes)
        found[name.decode()] = [(part[0], bytes(part[2])) for part in protobuf.fields(value)]
    return found


def test_record_i_holds_row_i_alone() -> None:
    found = [labels_of(message) for message in recordio.frames(answers.as_recordio(COLUMNS, 2))]
    assert len(found) == 2
    for index, record in enumerate(found):
        assert list(record) == [column.name for column in COLUMNS]
        assert record["probabilities"] == [(2, b"\x0a\x08" + PROBABILITIES[index].tobytes())]
        assert record["predicted_score"] == [(2, b"\x0a\x00")]
    assert found[1]["predicted_label"] == [(9, b"\x0a\x07on time\x12\x0atext/plain")]
    assert found[0]["number"] == [(2, b"\x0a\x04" + np.float32(1).tobytes())]


def test_the_size_of_recordio_grows_with_the_rows_alone() -> None:
    def column(rows: int) -> list[Column]:
        return [Column("probabilities", np.full((rows, 2), 0.5, dtype=np.float32))]

    assert len(answers.as_recordio(column(50), 50)) == 50 * len(answers.as_recordio(column(1), 1))


def test_a_table_a_row_keeps_its_shape() -> None:
    table = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    column = [Column("probabilities", table)]
    assert answers.as_json_lines(column, 2).splitlines()[1] == (
        b'{"probabilities":[[4.0,5.0],[6.0,7.0]]}'
    )
    assert answers.as_csv(column, 2).splitlines()[0] == b'"[[0.0, 1.0], [2.0, 3.0]]"'
    (first, _) = recordio.frames(answers.as_recordio(column, 2))
    assert labels_of(first)["probabilities"][0][1].endswith(b"\x1a\x02\x02\x02")


def test_names_of_several_targets_are_lists() -> None:
    names = np.array([["on time", "a,b"], ["lost", "lost"]], dtype=object)
    column = [Column("predicted_label", names)]
    assert answers.as_csv(column, 2).splitlines()[0] == b'"[""on time"", ""a,b""]"'
    assert (
        answers.as_json_lines(column, 2).splitlines()[1] == b'{"predicted_label":["lost","lost"]}'
    )
