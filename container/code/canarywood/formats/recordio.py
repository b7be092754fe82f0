"""SageMaker's recordio-protobuf: framed `aialgs.data.Record` messages. Needs numpy.

A frame is the magic number, the length (its top three bits say whether the frame is a whole
record, or the first, a middle or the last part of one), the bytes, and zeros up to a multiple
of four. Parts are joined by the magic number, which is why they were parted.
Source: dmlc-core's recordio.h. A dense record of the SDK is read many at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError
from canarywood.formats import records
from canarywood.formats.matrix import (
    MAX_INDEX,
    Float,
    SparseRows,
    check_width,
    duplicate,
    no_row,
    outside,
    settled,
)
from canarywood.formats.numbers import FLOAT32_LIMIT
from canarywood.formats.records import Tensor

MAGIC = 0xCED7230A
_MAGIC = struct.pack("<I", MAGIC)
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_LENGTH = (1 << 29) - 1
_MANY = 8  # records from which on it pays to read them at once

DType = np.dtype[Any]


@dataclass(frozen=True)
class RecordRows:
    """What a recordio body holds.

    Attributes:
        rows: (rows, columns) as float32 or float64, or sparse where a record names its columns.
        labels: (rows,), NaN where a record has none; None where no record has one.
    """

    rows: NDArray[Any] | SparseRows
    labels: NDArray[np.float64] | None


def read(body: bytes, *, width: int | None) -> RecordRows:
    """The rows of a recordio-protobuf body.

    Args:
        body: the frames.
        width: columns of the model; None takes what the records say.

    Raises:
        BodyError: `empty_body`, `recordio`, `ragged`, `duplicate_index`; the row is named.
        RowsError: `feature_count`, `non_finite`.
    """
    with np.errstate(invalid="ignore"):  # numpy warns of a signalling NaN, which is missing too
        return _uniform(body, width) or _one_by_one(body, width)


def _one_by_one(body: bytes, width: int | None) -> RecordRows:
    tensors: list[Tensor] = []
    labels: list[float] = []
    try:
        for message in frames(body):
            features, label = records.decoded(message)
            tensors.append(_checked(features, width, len(tensors) + 1))
            labels.append(label)
    except RequestError as error:
        error.row = len(tensors) + 1
        raise
    if not tensors:
        raise no_row()
    is_sparse = any(tensor.is_sparse for tensor in tensors)
    return _rows(_sparse(tensors, width) if is_sparse else _dense(tensors), np.array(labels))


def _rows(rows: NDArray[Any] | SparseRows, labels: NDArray[np.float64]) -> RecordRows:
    return RecordRows(rows, None if np.isnan(labels).all() else labels)


def frames(body: bytes) -> Iterator[bytes]:
    """The records of a body, parts joined."""
    at, parts = 0, list[bytes]()
    while at < len(body):
        if len(body) - at < 8:
            raise _framing("a frame ends within its head")
        if _word(body, at) != MAGIC:
            raise _framing("a frame does not begin with the magic number 0xced7230a")
        head = _word(body, at + 4)
        flag, size = head >> 29, head & _LENGTH
        begin, at = at + 8, at + 8 + (size + 3) // 4 * 4
        if at > len(body):
            raise _framing("a frame is longer than the body")
        if flag > _LAST or (flag in (_WHOLE, _FIRST)) is bool(parts):
            raise _framing("the parts of a record are out of order")
        parts.append(body[begin : begin + size])
        if flag in (_WHOLE, _LAST):
            yield _MAGIC.join(parts)
            parts = []
    if parts:
        raise _framing("the last part of a record is missing")


def _word(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 4], "little")


def write(rows: NDArray[Any], labels: NDArray[Any] | None = None) -> bytes:
    """Dense rows (rows, columns) as records, one a row, the way SageMaker's SDK writes them."""
    if labels is None:
        return _Template.of(rows.shape[1], rows.dtype, None).filled(rows, None)
    return _Template.of(rows.shape[1], rows.dtype, labels.dtype).filled(rows, labels[:, None])


def answer(label: Mapping[str, bytes]) -> bytes:
    """One framed record of an answer: by name, what `records.numbers` or `texts` made."""
    items = (records.entry(records.LABEL, name, value) for name, value in label.items())
    return framed(b"".join(items))


def scores(values: NDArray[np.float32], name: str = "score") -> bytes:
    """Predictions, (rows,) or (rows, outputs), as records; record i holds row i alone."""
    if not len(values):
        return b""
    table = np.asarray(values, dtype=np.float32).reshape(len(values), -1)
    blank, marked = (
        answer({name: records.numbers(_filler(table.shape[1], table.dtype, byte))})
        for byte in (b"\0", b"\xff")
    )
    template = _Template(_octets(blank), _octets(blank) != _octets(marked), None)
    return template.filled(table, None)


def framed(message: bytes) -> bytes:
    """One record as one frame."""
    return struct.pack("<II", MAGIC, len(message)) + message + bytes(-len(message) % 4)


# ---- many records of one form at once


@dataclass(frozen=True)
class _Template:
    """A frame whose likes differ in the bytes of their values alone."""

    blank: NDArray[np.uint8]
    features: NDArray[np.bool_]
    label: NDArray[np.bool_] | None

    @classmethod
    def of(cls, width: int, features: DType, label: DType | None) -> _Template:
        """The frame that SageMaker's SDK writes for a dense row, with or without a label."""

        def frame(of_features: bytes, of_label: bytes) -> NDArray[np.uint8]:
            values = records.numbers(_filler(width, features, of_features))
            message = records.entry(records.FEATURES, records.VALUES, values)
            if label is not None:
                value = records.numbers(_filler(1, label, of_label))
                message += records.entry(records.LABEL, records.VALUES, value)
            return _octets(framed(message))

        blank = frame(b"\0", b"\0")
        return cls(
            blank,
            blank != frame(b"\xff", b"\0"),
            None if label is None else blank != frame(b"\0", b"\xff"),
        )

    def filled(self, features: NDArray[Any], labels: NDArray[Any] | None) -> bytes:
        """One frame a row."""
        result = np.tile(self.blank, (len(features), 1))
        for place, values in ((self.features, features), (self.label, labels)):
            if place is not None and values is not None:
                little = np.ascontiguousarray(values, dtype=_little(values.dtype))
                result[:, place] = little.view(np.uint8).reshape(len(features), -1)
        return result.tobytes()

    def fits(self, table: NDArray[np.uint8]) -> bool:
        """Whether all frames of a table (rows, bytes) are of this form."""
        fixed = ~self.features if self.label is None else ~(self.features | self.label)
        return bool((table[:, fixed] == self.blank[fixed]).all())


def _uniform(body: bytes, width: int | None) -> RecordRows | None:
    """Dense records of one form, or None where there is anything else, or any fault."""
    try:
        first = next(frames(body), b"")
        features, _ = records.decoded(first)
    except RequestError:
        return None
    size = len(framed(first))
    count = len(features.values)
    if len(body) < _MANY * size:
        return None
    if len(body) % size or not count or (width is not None and count != width):
        return None
    table = _octets(body).reshape(-1, size)
    for label in (None, np.dtype(np.float32), np.dtype(np.float64)):
        template = _Template.of(count, features.values.dtype, label)
        if len(template.blank) == size and template.fits(table):
            return _taken(table, template, features.values.dtype, label)
    return None


def _taken(
    table: NDArray[np.uint8], template: _Template, features: DType, label: DType | None
) -> RecordRows | None:
    matrix = _values(table, template.features, features)
    labels = np.full(len(table), np.nan)
    if label is not None and template.label is not None:
        labels = _values(table, template.label, label)[:, 0].astype(np.float64)
        if (np.abs(labels) >= FLOAT32_LIMIT).any():
            return None
    return _rows(settled(matrix, _float_of(matrix)), labels)


def _values(table: NDArray[np.uint8], place: NDArray[np.bool_], dtype: DType) -> NDArray[Any]:
    return np.ascontiguousarray(table[:, place]).view(_little(dtype))


def _filler(count: int, dtype: DType, byte: bytes) -> NDArray[Any]:
    """Values that are made of one byte."""
    kind = np.dtype(np.float64 if dtype == np.float64 else np.float32)
    return np.frombuffer(byte * (count * kind.itemsize), dtype=kind)


def _little(dtype: DType) -> str:
    return "<f8" if dtype == np.float64 else "<f4"


def _octets(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)


# ---- rows


def _checked(tensor: Tensor, width: int | None, row: int) -> Tensor:
    """The tensor, where it is one row of the model."""
    if not tensor.is_sparse:
        if tensor.width != len(tensor.values):
            raise BodyError(
                f"the shape {list(tensor.shape)[:4]} does not hold {len(tensor.values)} values",
                code="recordio",
            )
        check_width(len(tensor.values), width, row)
        return tensor
    if len(tensor.keys) != len(tensor.values):
        raise BodyError(
            f"the record has {len(tensor.keys)} keys and {len(tensor.values)} values",
            code="recordio",
        )
    if tensor.shape:
        check_width(tensor.width, width, row)
    limit = tensor.width if tensor.shape else MAX_INDEX if width is None else width
    if len(tensor.keys) and int(tensor.keys.max()) >= limit:
        raise outside(int(tensor.keys.max()), 0, min(limit, MAX_INDEX), row)
    if tensor.width > MAX_INDEX:
        raise BodyError(f"{tensor.width} columns are too many", code="recordio")
    return tensor


def _dense(tensors: list[Tensor]) -> NDArray[Any]:
    width = len(tensors[0].values)
    for index, tensor in enumerate(tensors):
        if len(tensor.values) != width:
            raise BodyError(
                f"the row has {len(tensor.values)} values, the first has {width}",
                code="ragged",
                row=index + 1,
            )
    if not width:
        raise BodyError("the record has no value", code="recordio", row=1)
    matrix = np.stack([tensor.values for tensor in tensors])
    return settled(matrix, _float_of(matrix))


def _sparse(tensors: list[Tensor], width: int | None) -> SparseRows:
    """Rows of which some name their columns."""
    widest = max(tensor.width if tensor.shape else _last(tensor) + 1 for tensor in tensors)
    if not widest:
        raise BodyError("the records have no column", code="recordio", row=1)
    counts = [len(tensor.values) for tensor in tensors]
    row = np.repeat(np.arange(len(tensors)), counts)
    keys = np.concatenate(
        [
            tensor.keys if tensor.is_sparse else np.arange(len(tensor.values), dtype=np.uint64)
            for tensor in tensors
        ]
    ).astype(np.int32)
    values = np.concatenate([tensor.values for tensor in tensors])
    same = row[1:] == row[:-1]
    if (same & (keys[1:] <= keys[:-1])).any():
        order = np.lexsort((keys, row))
        keys, values = keys[order], values[order]
        twice = np.flatnonzero(same & (keys[1:] == keys[:-1]))
        if len(twice):
            raise duplicate(int(keys[twice[0]]), int(row[twice[0]]) + 1)
    return SparseRows(
        np.concatenate([[0], np.cumsum(counts)]),
        keys,
        _finite(values, row, keys),
        widest if width is None else width,
    )


def _finite(values: NDArray[Any], row: NDArray[np.int64], keys: NDArray[np.int32]) -> NDArray[Any]:
    try:
        matrix = settled(values[:, None], _float_of(values))
    except RequestError as error:
        entry = (error.row or 1) - 1
        error.row, error.column = int(row[entry]) + 1, int(keys[entry]) + 1
        raise
    result: NDArray[Any] = matrix[:, 0]
    return result


def _float_of(values: NDArray[Any]) -> type[Float]:
    return np.float32 if values.dtype.itemsize == 4 else np.float64


def _last(tensor: Tensor) -> int:
    """The last column that a tensor without a shape names."""
    if not tensor.is_sparse:
        return len(tensor.values) - 1
    return int(tensor.keys.max())


def _framing(what: str) -> RequestError:
    return BodyError(f"the body is not recordio: {what}", code="recordio")
