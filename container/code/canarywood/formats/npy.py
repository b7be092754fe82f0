"""numpy's .npy files, versions 1 to 3: the header is read by our own strict grammar.

Needs numpy. numpy's own reader evaluates the header as Python, allocates what it claims, and can
unpickle objects; none of that is for bytes from a stranger.
Source: numpy's reference of `numpy.lib.format`.
"""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError
from canarywood.formats.matrix import Float, check_width, no_row, settled
from canarywood.formats.numbers import shown

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000  # numpy's own limit
_ENTRY = (
    r"""\s*(?:(?:'descr'|"descr")\s*:\s*['"](?P<dtype>[^'"]{1,20})['"]"""
    r"""|(?:'fortran_order'|"fortran_order")\s*:\s*(?P<order>True|False)"""
    r"""|(?:'shape'|"shape")\s*:\s*\((?P<shape>[0-9, ]{0,80})\))\s*"""
)
_entry = re.compile(_ENTRY).match
_dtype = re.compile(r"[<>|=](?:b1|[iu][1248]|f[248])").fullmatch
_shape = re.compile(r" *[0-9]{1,18} *(?:,|, *[0-9]{1,18} *,?) *").fullmatch


def read(body: bytes, *, width: int | None, dtype: type[Float] = np.float32) -> NDArray[Any]:
    """The matrix (rows, columns) of a .npy body; one row where the array has one dimension.

    Raises:
        BodyError: `empty_body`, `npy`.
        RowsError: `feature_count`, `non_finite`.
    """
    if not body:
        raise no_row()
    header, start = _header(body)
    spelled, is_fortran, shape = _parsed(header)
    if prod(shape) * spelled.itemsize != len(body) - start:
        raise _malformed(
            f"the header promises {prod(shape)} values of {spelled.itemsize} bytes, "
            f"the body holds {len(body) - start} bytes of them"
        )
    if not prod(shape):
        raise no_row()
    matrix = np.frombuffer(body, dtype=spelled, offset=start)
    matrix = matrix.reshape(shape, order="F" if is_fortran else "C").reshape(-1, shape[-1])
    check_width(shape[-1], width, 1)
    return settled(matrix, dtype)


def _header(body: bytes) -> tuple[str, int]:
    """The text of the header, and where the values begin."""
    if not body.startswith(_MAGIC) or len(body) < 10:
        raise _malformed("it does not begin with the magic text of .npy")
    version = body[6]
    if version not in (1, 2, 3):
        raise _malformed(f"version {version} is not known")
    begin = 10 if version == 1 else 12
    size = int.from_bytes(body[8:begin], "little")
    if size > _LONGEST_HEADER or begin + size > len(body):
        raise _malformed("the header is longer than it can be")
    try:
        return body[begin : begin + size].decode("utf-8" if version == 3 else "latin-1"), (
            begin + size
        )
    except UnicodeDecodeError as error:
        raise _malformed("the header is not UTF-8") from error


def _parsed(header: str) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    text = header.strip()
    if not (text.startswith("{") and text.endswith("}")):
        raise _malformed("the header is not a dictionary")
    found: dict[str, str] = {}
    text = text[1:-1]
    while text.strip():
        entry = _entry(text)
        if entry is None:
            raise _malformed(f"the header cannot be read at {shown(text[:30])}")
        found.update((key, value) for key, value in entry.groupdict().items() if value is not None)
        text = text[entry.end() :]
        if text and not text.startswith(","):
            raise _malformed("the entries of the header are not separated by commas")
        text = text[1:]
    if len(found) != 3:
        raise _malformed("the header lacks descr, fortran_order or shape")
    return _spelled(found["dtype"]), found["order"] == "True", _sizes(found["shape"])


def _spelled(text: str) -> np.dtype[Any]:
    if _dtype(text) is None:
        raise _malformed(f"values of type {shown(text)} are not supported; send float32")
    return np.dtype(text)


def _sizes(text: str) -> tuple[int, ...]:
    if _shape(text) is None:
        raise _malformed(f"the shape ({text[:40]}) is not (rows, features) or (features,)")
    return tuple(int(size) for size in text.split(",") if size.strip())


def _malformed(what: str) -> RequestError:
    return BodyError(f"the body is not a .npy file that can be read: {what}", code="npy")
