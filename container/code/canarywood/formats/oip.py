"""The Open Inference Protocol, version 2, over REST: JSON values in, JSON bytes out.

    {"id"?, "inputs": [{"name", "shape", "datatype", "data"}, ...], "outputs"?: [{"name"}, ...]}

One tensor of two dimensions holds the rows; any other form is one tensor a column, by name.
`null` is a missing value. Needs numpy and orjson; names are checked by the schema, not here.
Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError
from canarywood.formats.matrix import no_row
from canarywood.formats.numbers import shown

_WHOLE = {f"{sign}INT{bits}": (sign, bits) for sign in ("", "U") for bits in (8, 16, 32, 64)}
_FLOATS = ("FP16", "FP32", "FP64")
DATATYPES = ("BOOL", *_WHOLE, *_FLOATS, "BYTES")

Dict = dict[str, Any]


@dataclass(frozen=True)
class InferRequest:
    """What a request asks.

    Attributes:
        id: to be given back in the answer; None where the request has none.
        rows: lists of values in the order of the columns, or objects by column name.
        outputs: names of the outputs that are asked for; empty where all are.
    """

    id: str | None
    rows: list[Any]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    values: list[Any]


def is_request(value: object) -> bool:
    """Whether a JSON value is a version 2 request, not a record or `{"instances": ...}`."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("inputs"), list)
        and all(isinstance(item, dict) and "datatype" in item for item in value["inputs"])
    )


def read(value: object) -> InferRequest:
    """The rows of a request.

    Raises:
        BodyError: `oip`, with the tensor's name as column; `empty_body`.
    """
    if not isinstance(value, dict):
        raise _malformed('a request is an object with "inputs"')
    identifier = value.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise _malformed('"id" must be a text')
    inputs = value.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise _malformed('"inputs" must be a list of at least one tensor')
    tensors = [_tensor(item) for item in inputs]
    return InferRequest(identifier, _rows(tensors), _outputs(value.get("outputs")))


def answer(
    outputs: Mapping[str, NDArray[Any] | Sequence[str]],
    *,
    model: str,
    version: str | None = None,
    identifier: str | None = None,
    wanted: Sequence[str] = (),
) -> bytes:
    """The response to a request: one tensor an output, numbers in their shortest form.

    Args:
        outputs: by name, numbers of shape (rows, ...) or one text a row.
        model: name of the model.
        version: of the model.
        identifier: of the request.
        wanted: names that the request asks for; all where there are none.

    Raises:
        BodyError: `oip`, where the model has no such output.
    """
    for name in wanted:
        if name not in outputs:
            raise _malformed(f"the model has no output {shown(name)}; it has {', '.join(outputs)}")
    tensors = [_output(name, outputs[name]) for name in wanted or outputs]
    result: Dict = {"model_name": model}
    if version is not None:
        result["model_version"] = version
    if identifier is not None:
        result["id"] = identifier
    result["outputs"] = tensors
    return orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY)


def server_metadata(name: str, version: str) -> Dict:
    """GET /v2."""
    return {"name": name, "version": version, "extensions": []}


def live(is_live: bool) -> Dict:
    """GET /v2/health/live."""
    return {"live": is_live}


def ready(is_ready: bool) -> Dict:
    """GET /v2/health/ready."""
    return {"ready": is_ready}


def model_ready(model: str, *, is_ready: bool) -> Dict:
    """GET /v2/models/NAME/ready."""
    return {"name": model, "ready": is_ready}


def model_metadata(
    model: str,
    *,
    inputs: Sequence[tuple[str, str]],
    outputs: Sequence[tuple[str, str, int]],
    versions: Sequence[str] = (),
) -> Dict:
    """GET /v2/models/NAME.

    Args:
        model: name of the model.
        inputs: name and datatype of each column.
        outputs: name, datatype and numbers a row of each output.
        versions: of the model.
    """
    return {
        "name": model,
        "versions": list(versions),
        "platform": "xgboost",
        "inputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in inputs],
        "outputs": [
            {"name": name, "datatype": kind, "shape": [-1] if width == 1 else [-1, width]}
            for name, kind, width in outputs
        ],
    }


# ---- request


def _tensor(item: object) -> _Tensor:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise _malformed("an input is an object with name, shape, datatype and data")
    name = item["name"]
    try:
        shape = _shape(item.get("shape"))
        kind = item.get("datatype")
        if kind not in DATATYPES:
            raise _malformed(f"datatype {shown(kind)} is not one of {', '.join(DATATYPES)}")
        if "data" not in item:
            raise _malformed("the tensor has no data; binary data is not supported")
        values = _flat(item["data"], shape)
        _check(values, kind)
    except RequestError as error:
        error.column = name[:60]
        raise
    return _Tensor(name, shape, values)


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= 2:
        raise _malformed("the shape must be [rows] or [rows, columns]")
    if any(type(size) in (int, float) and size >= 2**53 for size in value):
        raise _malformed("the shape is too large: the data cannot hold so many values")
    if not all(type(size) is int and size >= 0 for size in value):
        raise _malformed("the shape must be of whole numbers, 0 or more")
    return tuple(value)


def _flat(data: object, shape: tuple[int, ...]) -> list[Any]:
    """The values in row-major order; they may come flat or nested like the shape."""
    if not isinstance(data, list):
        raise _malformed("the data must be a list")
    if len(shape) == 2 and data and isinstance(data[0], list):
        if len(data) != shape[0]:
            raise _malformed(f"the data has {len(data)} rows, the shape says {shape[0]}")
        for index, row in enumerate(data):
            if not isinstance(row, list) or len(row) != shape[1]:
                error = _malformed(f"the row is not a list of {shape[1]} values")
                error.row = index + 1
                raise error
        data = [value for row in data for value in row]
    if len(data) != prod(shape):
        raise _malformed(f"the data has {len(data)} values, the shape says {prod(shape)}")
    return data


def _check(values: list[Any], kind: str) -> None:
    """Raise where a value is not of the datatype."""
    types = set(map(type, values)) - {type(None)}
    if kind == "BOOL":
        wrong = types - {bool}
    elif kind == "BYTES":
        wrong = types - {str}
    elif kind in _FLOATS:
        wrong = types - {float, int}
    else:
        wrong = types - {int}
        sign, bits = _WHOLE[kind]
        low, high = (0, 2**bits) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        if not wrong and not all(value is None or low <= value < high for value in values):
            raise _malformed(f"a value is outside of {kind}")
    if wrong:
        first = next(value for value in values if type(value) in wrong)
        raise _malformed(f"{shown(first)} is not a value of {kind}")


def _rows(tensors: list[_Tensor]) -> list[Any]:
    first = tensors[0]
    if len(tensors) == 1 and len(first.shape) == 2:
        count, width = first.shape
        if not count or not width:
            raise no_row()
        return [first.values[start : start + width] for start in range(0, count * width, width)]
    names = [tensor.name for tensor in tensors]
    for tensor in tensors:
        if names.count(tensor.name) > 1:
            raise _malformed(f"{shown(tensor.name)} is there twice")
        if tensor.shape[1:] not in ((), (1,)) or len(tensor.values) != len(first.values):
            raise _malformed(
                f"a tensor for each column has the shape [rows] or [rows, 1], {shown(tensor.name)} "
                f"has {list(tensor.shape)} where {shown(first.name)} has {list(first.shape)}"
            )
    if not first.values:
        raise no_row()
    columns = [tensor.values for tensor in tensors]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _outputs(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in value
    ):
        raise _malformed('"outputs" must be a list of objects with a name')
    return tuple(item["name"] for item in value)


# ---- response


def _output(name: str, values: NDArray[Any] | Sequence[str]) -> Dict:
    if not isinstance(values, np.ndarray):
        return _as_tensor(name, (len(values),), "BYTES", list(values))
    if values.dtype == object:
        return _as_tensor(name, values.shape, "BYTES", values.ravel().tolist())
    flat = np.ascontiguousarray(values).ravel()
    return _as_tensor(name, values.shape, _datatype(values.dtype), flat)


def _as_tensor(name: str, shape: tuple[int, ...], kind: str, data: Any) -> Dict:
    return {"name": name, "shape": list(shape), "datatype": kind, "data": data}


def _datatype(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "BOOL"
    bits = 8 * dtype.itemsize
    return f"FP{bits}" if dtype.kind == "f" else f"{'U' if dtype.kind == 'u' else ''}INT{bits}"


def _malformed(what: str) -> RequestError:
    return BodyError(what, code="oip")
