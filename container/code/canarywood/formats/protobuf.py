"""The wire format of protocol buffers, as far as SageMaker's Record needs it. Needs numpy.

Source: the encoding guide of protocol buffers. Every fault is a BodyError; nothing is
allocated on the word of a length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_FEW = 40  # bytes that are read faster one by one

Field = tuple[int, int, int | bytes]


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message: number, wire type, and an int (VARINT) or bytes (all others)."""
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise malformed("a field has an impossible number")
        if wire == VARINT:
            value, at = varint(data, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = varint(data, at)
        elif wire == FIXED32:
            size = 4
        elif wire == FIXED64:
            size = 8
        else:
            raise malformed(f"wire type {wire} is not supported")
        if size > end - at:
            raise malformed("a field is longer than its message")
        yield number, wire, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned 64-bit varint and the position after it."""
    result = 0
    for shift, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        result |= (byte & 127) << (7 * shift)
        if byte < 128:
            return result & 0xFFFFFFFFFFFFFFFF, at + shift + 1
    raise malformed("a number has no end")


def varints(data: bytes) -> NDArray[np.uint64]:
    """A packed field of varints."""
    if data.isascii():  # all of one byte
        return np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
    if len(data) < _FEW:
        found, at = [], 0
        while at < len(data):
            value, at = varint(data, at)
            found.append(value)
        return np.array(found, dtype=np.uint64)
    octets = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(octets < 128)
    if octets[-1] >= 128:
        raise malformed("a number has no end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    if sizes.max() > _LONGEST_VARINT:
        raise malformed("a number has no end")
    shifts = 7 * (np.arange(len(octets)) - np.repeat(starts, sizes))
    parts = (octets & 127).astype(np.uint64) << shifts.astype(np.uint64)
    result: NDArray[np.uint64] = np.bitwise_or.reduceat(parts, starts)
    return result


def repeated_integers(found: list[Field]) -> NDArray[np.uint64]:
    """A repeated integer field, packed, unpacked, or both."""
    parts: list[NDArray[np.uint64]] = []
    for _, wire, value in found:
        if isinstance(value, int):
            parts.append(np.array([value], dtype=np.uint64))
        elif wire == BYTES:
            parts.append(varints(value))
        else:
            raise malformed("a list of integers holds something else")
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.uint64), *parts])


def repeated_floats(found: list[Field], dtype: str) -> NDArray[Any]:
    """A repeated field of `<f4` or `<f8`, packed, unpacked, or both."""
    size = int(dtype[-1])
    single = FIXED32 if size == 4 else FIXED64
    parts = []
    for _, wire, value in found:
        if isinstance(value, int) or wire not in (BYTES, single) or len(value) % size:
            raise malformed(f"a list of {8 * size}-bit floats holds something else")
        parts.append(value)
    return np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), dtype=dtype)


def text(value: int | bytes) -> str:
    """A field of text."""
    if isinstance(value, int):
        raise malformed("a text is a number")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise malformed("a text is not UTF-8") from error


def encoded(number: int, payload: bytes) -> bytes:
    """One field of bytes: a text, a message, or a packed list."""
    return _varint(number << 3 | BYTES) + _varint(len(payload)) + payload


def packed_integers(number: int, values: list[int]) -> bytes:
    """One packed field of unsigned integers."""
    return encoded(number, b"".join(map(_varint, values)))


def malformed(what: str) -> RequestError:
    """The error for bytes that are no message."""
    return BodyError(f"the record is not a protobuf message: {what}", code="recordio")


def _varint(value: int) -> bytes:
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    result.append(value)
    return bytes(result)
