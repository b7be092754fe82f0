"""The Open Inference Protocol, version 2."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood.errors import BodyError, RequestError
from canarywood.formats import oip


def tensor(
    data: object, shape: object, datatype: object = "FP32", name: object = "x"
) -> dict[str, object]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def request(*tensors: object, **more: object) -> dict[str, object]:
    return {"inputs": list(tensors), **more}


def rows(*tensors: object) -> list[Any]:
    return oip.read(request(*tensors)).rows


@pytest.mark.parametrize("data", [[1, 2, 3, 4.5, None, 6], [[1, 2, 3], [4.5, None, 6]]])
def test_one_tensor_of_two_dimensions_holds_the_rows(data: object) -> None:
    assert rows(tensor(data, [2, 3])) == [[1, 2, 3], [4.5, None, 6]]


def test_one_tensor_a_column_makes_rows_by_name() -> None:
    found = rows(
        tensor([1.5, None], [2], "FP64", "distance"),
        tensor(["UA", None], [2, 1], "BYTES", "carrier"),
        tensor([[True], [False]], [2, 1], "BOOL", "late"),
    )
    assert found == [
        {"distance": 1.5, "carrier": "UA", "late": True},
        {"distance": None, "carrier": None, "late": False},
    ]


def test_one_tensor_of_one_dimension_is_a_named_column() -> None:
    assert rows(tensor([1, 2], [2], "INT64", "a")) == [{"a": 1}, {"a": 2}]


def test_texts_may_be_a_matrix_of_rows() -> None:
    assert rows(tensor(["UA", "5"], [1, 2], "BYTES")) == [["UA", "5"]]


def test_identifier_and_wanted_outputs_are_kept() -> None:
    found = oip.read(request(tensor([1], [1, 1]), id="a-1", outputs=[{"name": "predict"}]))
    assert (found.id, found.outputs) == ("a-1", ("predict",))
    assert oip.read(request(tensor([1], [1, 1]))).outputs == ()


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("INT8", -128, 127),
        ("UINT8", 0, 255),
        ("INT32", -(2**31), 2**31 - 1),
        ("UINT64", 0, 2**64 - 1),
    ],
)
def test_whole_numbers_hold_their_range_at_its_edge(kind: str, low: int, high: int) -> None:
    assert rows(tensor([low, high], [1, 2], kind)) == [[low, high]]
    for value in (low - 1, high + 1):
        with pytest.raises(BodyError, match=f"outside of {kind}"):
            rows(tensor([value, 0], [1, 2], kind))


GOOD = tensor([1, 2], [2])


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"inputs": {}},
        {"inputs": []},
        request(7),
        request({}),
        request(GOOD, id=7),
        request(GOOD, outputs="predict"),
        request(GOOD, outputs=[{}]),
        request(tensor([1], [1], name=3)),
        request(tensor([1, 2, 3], [2])),
        request(tensor([1, 2, 3], [2, 2])),
        request(tensor([[1, 2], [3]], [2, 2])),
        request(tensor([[1, 2], 3], [2, 2])),
        request(tensor([[1, 2]], [2, 2])),
        request(tensor([[1], [2]], [2])),
        request(tensor([1], [])),
        request(tensor([1], [1, 1, 1])),
        request(tensor([1], [True])),
        request(tensor([1], [1.0])),
        request(tensor([1], [-1])),
        request(tensor([1], "1")),
        request(tensor(1, [1])),
        request(tensor([1], [10**15, 10**15])),
        request(tensor([1], [10**18])),
        request(tensor([1], [1e20])),
        request(tensor([1], [1], "FP8")),
        request(tensor([1], [1], None)),
        request(tensor([1], [1], ["FP32"])),
        request(tensor(["1"], [1])),
        request(tensor([True], [1])),
        request(tensor([1.5], [1], "INT32")),
        request(tensor([True], [1], "INT32")),
        request(tensor([1], [1], "BOOL")),
        request(tensor([1], [1], "BYTES")),
        request(tensor([{}], [1], "BYTES")),
        request({"name": "x", "shape": [1], "datatype": "FP32"}),
        request(GOOD, GOOD),
        request(GOOD, tensor([1], [1], name="y")),
        request(GOOD, tensor([1, 2, 3, 4], [2, 2], name="y")),
    ],
)
def test_what_is_no_request_is_a_400(value: object) -> None:
    with pytest.raises(BodyError) as caught:
        oip.read(value)
    assert caught.value.code == "oip"


@pytest.mark.parametrize("size", [10**18, 1e20])  # orjson reads what 64 bits cannot hold as floats
def test_a_shape_of_too_many_values_is_said_to_be_too_large(size: float) -> None:
    with pytest.raises(BodyError, match="the shape is too large"):
        oip.read(request(tensor([1], [size])))


def test_a_fault_names_its_tensor_and_row() -> None:
    with pytest.raises(BodyError) as caught:
        rows(tensor([[1, 2], [3]], [2, 2], name="features"))
    assert (caught.value.column, caught.value.row) == ("features", 2)


@pytest.mark.parametrize("shape", [[0, 3], [0], [3, 0]])
def test_no_row_is_an_empty_body(shape: list[int]) -> None:
    with pytest.raises(BodyError) as caught:
        rows(tensor([], shape))
    assert caught.value.code == "empty_body"


def test_a_record_or_instances_are_no_request() -> None:
    assert oip.is_request(request(GOOD))
    for value in ({"instances": [[1]]}, {"inputs": 7}, {"inputs": [1, 2]}, [GOOD], 7):
        assert not oip.is_request(value)


def test_the_answer_holds_the_shortest_text_of_each_number() -> None:
    scores = np.array([0.1, 0.61970204], dtype=np.float32)
    assert oip.answer({"predict": scores}, model="flights", version="1", identifier="a") == (
        b'{"model_name":"flights","model_version":"1","id":"a","outputs":[{"name":"predict",'
        b'"shape":[2],"datatype":"FP32","data":[0.1,0.61970204]}]}'
    )


def test_outputs_have_their_shape_and_type() -> None:
    outputs: dict[str, Any] = {
        "probabilities": np.array([[0.25, 0.75], [0.5, np.nan]], dtype=np.float32),
        "label": ["late", "on time"],
        "number": np.array([1, 0]),
        "is_late": np.array([True, False]),
    }
    found = json.loads(oip.answer(outputs, model="m"))
    assert list(found) == ["model_name", "outputs"]
    assert [tuple(item.values()) for item in found["outputs"]] == [
        ("probabilities", [2, 2], "FP32", [0.25, 0.75, 0.5, None]),
        ("label", [2], "BYTES", ["late", "on time"]),
        ("number", [2], "INT64", [1, 0]),
        ("is_late", [2], "BOOL", [True, False]),
    ]


def test_only_the_wanted_outputs_are_given() -> None:
    outputs = {"a": np.zeros(1), "b": np.ones(1)}
    found = json.loads(oip.answer(outputs, model="m", wanted=("b",)))
    assert [item["name"] for item in found["outputs"]] == ["b"]
    with pytest.raises(BodyError, match="no output 'c'; it has a, b"):
        oip.answer(outputs, model="m", wanted=("c",))


def test_metadata_has_the_form_of_the_protocol() -> None:
    assert oip.server_metadata("canarywood", "0.1.0") == {
        "name": "canarywood", "version": "0.1.0", "extensions": [],
    }  # fmt: skip
    assert oip.live(True) == {"live": True}
    assert oip.ready(False) == {"ready": False}
    assert oip.model_ready("m", is_ready=True) == {"name": "m", "ready": True}
    assert oip.model_metadata(
        "m",
        inputs=[("distance", "FP32"), ("carrier", "BYTES")],
        outputs=[("predict", "FP32", 1), ("leaf", "INT64", 5)],
        versions=["1"],
    ) == {
        "name": "m",
        "versions": ["1"],
        "platform": "xgboost",
        "inputs": [
            {"name": "distance", "datatype": "FP32", "shape": [-1]},
            {"name": "carrier", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [
            {"name": "predict", "datatype": "FP32", "shape": [-1]},
            {"name": "leaf", "datatype": "INT64", "shape": [-1, 5]},
        ],
    }


scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "y"]) | anything,
        "shape": st.lists(st.integers(0, 3), max_size=3) | anything,
        "datatype": st.sampled_from([*oip.DATATYPES]) | anything,
        "data": st.lists(st.integers(0, 2), max_size=6) | anything,
    }
)


@settings(max_examples=200, deadline=None)
@given(st.lists(tensors, max_size=3) | anything, anything)
def test_any_value_is_rows_or_a_request_error(inputs: object, other: object) -> None:
    for value in ({"inputs": inputs}, {"inputs": inputs, "outputs": other, "id": other}, other):
        try:
            found = oip.read(value)
        except RequestError:
            continue
        assert found.rows
        assert len({len(row) for row in found.rows}) == 1
