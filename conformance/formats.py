"""Encoders and decoders of the other formats, made for the suite alone from their descriptions.

LIBSVM text; SageMaker's recordio-protobuf (dmlc-core's recordio.h, AWS "Common data formats");
.npy; the version 2 protocol's JSON; Parquet and Arrow where pyarrow is at hand.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from conformance.bodies import UnreadableError
from conformance.client import Answer
from conformance.given import Floats
from conformance.subject import NotApplicable

LIBSVM = "text/libsvm"
RECORDIO = "application/x-recordio-protobuf"
PARQUET = "application/x-parquet"
ARROW = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
NPY = "application/x-npy"

MAGIC = 0xCED7230A
FEATURES, LABEL = 1, 2
FLOAT32, FLOAT64 = 2, 3
_BYTES_WIRE = 2

Record = dict[str, list[float]]


def libsvm(rows: Floats, base: int = 0, labels: Floats | None = None) -> bytes:
    """`label index:value ...` a line; a NaN is left out."""
    lines = []
    for number, row in enumerate(rows):
        found = np.flatnonzero(~np.isnan(row))
        cells = [f"{index + base}:{row[index]!s}" for index in found]
        label = [] if labels is None else [f"{labels[number]:g}"]
        lines.append(" ".join([*label, *cells]) + "\n")
    return "".join(lines).encode()


def npy(rows: Floats) -> bytes:
    """numpy's own file."""
    buffer = io.BytesIO()
    np.save(buffer, rows, allow_pickle=False)
    return buffer.getvalue()


def v2(rows: Floats) -> bytes:
    """One tensor of two dimensions; null for a NaN."""
    data = [None if np.isnan(cell) else float(str(cell)) for cell in rows.ravel()]
    tensor = {"name": "input-0", "shape": list(rows.shape), "datatype": "FP32", "data": data}
    return json.dumps({"id": "7", "inputs": [tensor]}).encode()


# ---- recordio-protobuf


def frame(message: bytes) -> bytes:
    """One whole record: magic number, length, message, zeros up to a multiple of four."""
    return struct.pack("<II", MAGIC, len(message)) + message + bytes(-len(message) % 4)


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    return varint(number << 3 | _BYTES_WIRE) + varint(len(content)) + content


def entry(place: int, name: str, value: bytes) -> bytes:
    """An entry of the map `features` or `label`."""
    return field(place, field(1, name.encode()) + field(2, value))


def tensor(values: Sequence[float], keys: Sequence[int] = (), kind: int = FLOAT32) -> bytes:
    """A Value with one tensor, sparse where there are keys; all fields packed."""
    letter = "f" if kind == FLOAT32 else "d"
    content = field(1, struct.pack(f"<{len(values)}{letter}", *values))
    if keys:
        content += field(2, b"".join(map(varint, keys)))
    return field(kind, content)


def recordio(rows: Floats, labels: Floats | None = None) -> bytes:
    """One dense record a row."""
    found = []
    for number, row in enumerate(rows):
        message = entry(FEATURES, "values", tensor([float(cell) for cell in row]))
        if labels is not None:
            message += entry(LABEL, "values", tensor([float(labels[number])]))
        found.append(frame(message))
    return b"".join(found)


def records_of(answer: Answer) -> list[tuple[Record, int]]:
    """Names and numbers of the labels of each record of an answer, and the record's size.

    Raises:
        UnreadableError: the body is not what its description says.
    """
    try:
        return [(_labels(message), len(message)) for message in _messages(answer.body)]
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise UnreadableError(f"not recordio-protobuf: {error}") from error


def recordio_numbers(answer: Answer) -> Floats:
    """All numbers of all labels of an answer, in order."""
    found = [value for record, _ in records_of(answer) for values in record.values()
             for value in values]  # fmt: skip
    return np.asarray(found, dtype=np.float32)


def _messages(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        magic, size = struct.unpack_from("<II", body, at)
        if magic != MAGIC or size >> 29 or at + 8 + size > len(body):
            raise UnreadableError(f"no whole frame at byte {at}")
        yield body[at + 8 : at + 8 + size]
        at += 8 + (size + 3) // 4 * 4


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each length-delimited field; there are no others in an answer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 != _BYTES_WIRE:
            raise UnreadableError(f"a field of wire type {tag & 7}")
        size, at = _varint(message, at)
        if at + size > len(message):
            raise UnreadableError("a field is longer than its message")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = message[at]
        result |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return result, at
        shift += 7


def _labels(message: bytes) -> Record:
    found: Record = {}
    for place, content in _fields(message):
        if place != LABEL:
            continue
        parts = dict(_fields(content))
        found[parts.get(1, b"").decode()] = _tensor(parts.get(2, b""))
    return found


def _tensor(value: bytes) -> list[float]:
    for kind, content in _fields(value):
        if kind in (FLOAT32, FLOAT64):
            packed = dict(_fields(content)).get(1, b"")
            dtype = "<f4" if kind == FLOAT32 else "<f8"
            return [float(number) for number in np.frombuffer(packed, dtype=dtype)]
    return []


# ---- Parquet and Arrow


def arrow_table(columns: dict[str, Any]) -> Any:
    """A pyarrow.Table; NotApplicable where there is no pyarrow."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise NotApplicable("the suite needs pyarrow to write such bodies") from error
    return pa.table(columns)


def _table(rows: Floats, names: Sequence[str]) -> Any:
    return arrow_table({name: rows[:, index] for index, name in enumerate(names)})


def parquet_of(table: Any) -> bytes:
    """A Parquet file."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def stream_of(table: Any) -> bytes:
    """An Arrow IPC stream."""
    import pyarrow as pa

    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def parquet(rows: Floats, names: Sequence[str]) -> bytes:
    """One float32 column a feature."""
    return parquet_of(_table(rows, names))


def arrow_stream(rows: Floats, names: Sequence[str]) -> bytes:
    """One float32 column a feature."""
    return stream_of(_table(rows, names))


def arrow_file(rows: Floats, names: Sequence[str]) -> bytes:
    """One float32 column a feature, random access."""
    import pyarrow as pa

    table = _table(rows, names)
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()
