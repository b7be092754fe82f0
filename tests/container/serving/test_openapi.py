from __future__ import annotations

import jsonschema
import pytest

from canarywood.schema.definition import Column, Schema, Target
from canarywood.serving.decoding import CONTENT_TYPES
from canarywood.serving.openapi import document, example_record

ACCEPTS = ("text/csv", "application/json")

SCHEMA = Schema(
    name="flights",
    target=Target(column="arr_delay", task="binary", classes=("on time", "late")),
    inputs=(
        Column("distance", low=80.0, high=4983.0, minimum=0.0),
        Column("carrier", kind="category", categories=("AA", "UA")),
        Column("left", kind="time"),
    ),
    features=("distance", "carrier"),
)


def test_the_example_holds_values_that_the_model_knows() -> None:
    assert example_record(SCHEMA) == {
        "distance": 2531.5,
        "carrier": "AA",
        "left": "2024-01-31 12:00:00",
    }


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column("x"), 0.0),
        (Column("x", low=3.0, high=3.0), 3.0),
        (Column("x", minimum=5.0), 5.0),
        (Column("x", maximum=-5.0), -5.0),
        (Column("x", low=0.0001, high=0.0002), 0.0001),
        (Column("x", kind="category"), None),
    ],
)
def test_the_example_of_a_column_is_within_its_range(column: Column, expected: object) -> None:
    schema = Schema(name="m", target=None, inputs=(column,), features=("x",))
    assert example_record(schema)["x"] == expected


def test_the_document_is_openapi_and_names_every_route() -> None:
    found = document(SCHEMA, 1, ACCEPTS)
    assert found["openapi"] == "3.1.0"
    assert found["info"]["title"] == "flights"
    assert found["info"]["description"] == "Predicts arr_delay: binary (on time, late)."
    assert set(found["paths"]) == {
        "/ping",
        "/invocations",
        "/execution-parameters",
        "/metrics",
        "/openapi.json",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/flights",
        "/v2/models/flights/ready",
        "/v2/models/flights/infer",
    }


def fits(value: object, name: str, outputs: int = 1) -> bool:
    found = document(SCHEMA, outputs, ACCEPTS)
    schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def test_a_record_is_described_column_by_column() -> None:
    record = example_record(SCHEMA)
    assert fits(record, "Record")
    assert fits({**record, "carrier": None}, "Record")
    assert fits({"distance": 5}, "Record")
    assert not fits({**record, "distance": -1}, "Record")
    assert not fits({**record, "carrier": 4}, "Record")
    assert not fits({**record, "other": 4}, "Record")


def test_a_row_is_described_place_by_place() -> None:
    assert fits([10, "AA", None], "Row")
    assert not fits([10, "AA"], "Row")
    assert not fits(["AA", 10, None], "Row")


def test_an_answer_has_as_many_numbers_a_row_as_the_model() -> None:
    assert fits({"predictions": [{"score": 0.5}]}, "Predictions")
    assert not fits({"predictions": [{"score": [0.5, 0.5]}]}, "Predictions")
    assert fits({"predictions": [{"score": [0.2, 0.3, 0.5]}]}, "Predictions", outputs=3)


def test_an_answer_may_hold_the_outputs_that_were_selected() -> None:
    assert fits({"predictions": [{"predicted_label": "late", "contributions": {"bias": 1}}]},
                "Predictions")  # fmt: skip
    assert not fits({"predictions": [{"other": 1}]}, "Predictions")
    assert not fits({"predictions": [{}]}, "Predictions")


def test_requests_and_answers_of_version_2_are_described() -> None:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
    assert fits({"inputs": [tensor], "outputs": [{"name": "score"}], "id": "1"}, "InferRequest")
    assert not fits({"inputs": []}, "InferRequest")
    assert not fits({"inputs": [{"name": "x"}]}, "InferRequest")
    assert fits({"model_name": "m", "outputs": [tensor]}, "InferResponse")


def test_every_type_that_is_read_is_listed() -> None:
    post = document(SCHEMA, 1, ACCEPTS)["paths"]["/invocations"]["post"]
    assert set(post["requestBody"]["content"]) == set(CONTENT_TYPES)


def test_the_examples_fit_their_own_schema() -> None:
    found = document(SCHEMA, 1, ACCEPTS)
    body = found["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]
    schema = {**body["schema"], "components": found["components"]}
    for example in body["examples"].values():
        assert jsonschema.Draft202012Validator(schema).is_valid(example["value"])
