"""SageMaker's `aialgs.data.Record` message, read and written. Needs numpy.

    Record {1: features map<string, Value>, 2: label map<string, Value>, 3: uid, 4: metadata}
    Value  {2: float32_tensor, 3: float64_tensor, 7: int32_tensor, 9: bytes {1: value, 2: type}}
    Tensor {1: values, 2: keys (sparse), 3: shape}; all packed

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import BodyError
from canarywood.formats import protobuf
from canarywood.formats.numbers import FLOAT32_LIMIT, non_finite
from canarywood.formats.protobuf import malformed

FEATURES, LABEL = 1, 2
VALUES = "values"  # the name that SageMaker gives to a record's only feature and label
_FLOAT32, _FLOAT64, _INT32, _BYTES = 2, 3, 7, 9


@dataclass(frozen=True)
class Tensor:
    """A vector: dense, or, where it has keys or leaves all values out, sparse."""

    values: NDArray[Any]
    keys: NDArray[np.uint64]
    shape: tuple[int, ...]

    @property
    def is_sparse(self) -> bool:
        """Whether `keys` say which columns the values belong to."""
        return bool(len(self.keys)) or (bool(self.shape) and not len(self.values))

    @property
    def width(self) -> int:
        """Columns by the shape, or by the values where there is none."""
        product = 1
        for size in self.shape:
            product *= size
        return product if self.shape else len(self.values)


def decoded(message: bytes) -> tuple[Tensor, float]:
    """The features and the label (NaN where there is none) of one record."""
    features, label = None, float("nan")
    for number, wire, value in protobuf.fields(message):
        if number not in (FEATURES, LABEL):
            continue
        if wire != protobuf.BYTES or isinstance(value, int):
            raise malformed("features and label are maps")
        name, content = _named(value)
        if name != VALUES:
            continue
        if number == FEATURES:
            features = _tensor(content)
        else:
            label = _label(_tensor(content))
    if features is None:
        raise BodyError('the record has no feature named "values"', code="recordio")
    return features, label


def _named(item: bytes) -> tuple[str, bytes]:
    """Key and value of a map's entry; what comes last counts."""
    name, content = "", b""
    for number, wire, value in protobuf.fields(item):
        if number == 1 and wire == protobuf.BYTES:
            name = protobuf.text(value)
        elif number == 2 and wire == protobuf.BYTES and not isinstance(value, int):
            content += value  # messages merge by concatenation
    return name, content


def _tensor(value: bytes) -> Tensor:
    kind, content = 0, b""
    for number, wire, part in protobuf.fields(value):
        if wire != protobuf.BYTES or isinstance(part, int):
            raise malformed("a value is a tensor")
        if number == _BYTES:
            raise BodyError("values of bytes are not supported; send numbers", code="recordio")
        if number in (_FLOAT32, _FLOAT64, _INT32):
            content = content + part if number == kind else part
            kind = number
    if not kind:
        raise BodyError("the record has a value without a tensor of numbers", code="recordio")
    found: dict[int, list[protobuf.Field]] = {1: [], 2: [], 3: []}
    for part_of in protobuf.fields(content):
        found.get(part_of[0], []).append(part_of)
    return Tensor(
        values=_numbers(found[1], kind),
        keys=protobuf.repeated_integers(found[2]),
        shape=tuple(protobuf.repeated_integers(found[3]).tolist()),
    )


def _numbers(found: list[protobuf.Field], kind: int) -> NDArray[Any]:
    if kind == _INT32:
        return protobuf.repeated_integers(found).astype(np.int32).astype(np.float64)
    return protobuf.repeated_floats(found, "<f4" if kind == _FLOAT32 else "<f8")


def _label(tensor: Tensor) -> float:
    if tensor.is_sparse or len(tensor.values) != 1:
        raise BodyError("a label is one number", code="recordio")
    label = float(tensor.values[0])
    if abs(label) >= FLOAT32_LIMIT:
        raise non_finite(label)
    return label


def entry(number: int, name: str, value: bytes) -> bytes:
    """One entry of a record's map."""
    return protobuf.encoded(number, protobuf.encoded(1, name.encode()) + protobuf.encoded(2, value))


def numbers(values: NDArray[Any], shape: Sequence[int] = ()) -> bytes:
    """A Value of 64-bit floats where they are such, else of 32-bit ones.

    The shape is told where the values are more than a list.
    """
    is_double = values.dtype == np.float64
    flat = values.astype("<f8" if is_double else "<f4").tobytes()
    tensor = protobuf.encoded(1, flat)
    if shape:
        tensor += protobuf.packed_integers(3, list(shape))
    return protobuf.encoded(_FLOAT64 if is_double else _FLOAT32, tensor)


def texts(values: Sequence[str]) -> bytes:
    """A Value of texts: UTF-8 bytes with their type."""
    items = b"".join(protobuf.encoded(1, value.encode()) for value in values)
    return protobuf.encoded(_BYTES, items + protobuf.encoded(2, b"text/plain"))
