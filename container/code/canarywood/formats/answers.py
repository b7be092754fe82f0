"""Selected outputs as bytes: csv, json, jsonlines, recordio-protobuf. Needs numpy and orjson.

A number is written in the shortest form that reads back as the same float32; what is not finite
is null, so that every strict reader takes the answer. In csv null is an empty cell, and a list
is one quoted cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from canarywood.formats import recordio, records
from canarywood.formats.outputs import Column

_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def as_json(columns: Sequence[Column], rows: int) -> bytes:
    """`{"predictions":[{"predicted_label":1,...},...]}`."""
    return b'{"predictions":[%b]}' % b",".join(_objects(columns, rows))


def as_json_lines(columns: Sequence[Column], rows: int) -> bytes:
    """One object a line."""
    return b"".join(line + b"\n" for line in _objects(columns, rows))


def as_csv(columns: Sequence[Column], rows: int) -> bytes:
    r"""One line a row, each ended by \n: `1,"[0.1, 0.9]"`."""
    cells = [_cells(column, rows) for column in columns]
    return b"".join(b",".join(row) + b"\n" for row in zip(*cells, strict=True))


def as_recordio(columns: Sequence[Column], rows: int) -> bytes:
    """Record i holds row i alone: one label a key, without values where it is null.

    Numbers are 32-bit floats, a list of lists with its shape; names are bytes of text.
    """
    values = [_record_values(column, rows) for column in columns]
    names = [column.name for column in columns]
    return b"".join(
        recordio.answer(dict(zip(names, row, strict=True))) for row in zip(*values, strict=True)
    )


def _objects(columns: Sequence[Column], rows: int) -> list[bytes]:
    names = [orjson.dumps(column.name).replace(b"%", b"%%") for column in columns]
    texts = [
        _named_texts(column) if column.parts and rows else _texts(column.values, rows)
        for column in columns
    ]
    return _filled(names, zip(*texts, strict=True))


def _filled(names: Sequence[bytes], rows: Iterable[Sequence[bytes]]) -> list[bytes]:
    template = b"{%b}" % b",".join(name + b":%b" for name in names)
    return [template % tuple(row) for row in rows]


def _named_texts(column: Column) -> list[bytes]:
    """Each row's values (rows, parts) or (rows, outputs, parts) as an object, or a list of such."""
    values = np.asarray(column.values)
    names = [orjson.dumps(name).replace(b"%", b"%%") for name in column.parts]
    flat = values.reshape(-1, values.shape[-1])
    found = _filled(names, (text[1:-1].split(b",") for text in _texts(flat, len(flat))))
    if values.ndim == 2:
        return found
    outputs = values.shape[1]
    starts = range(0, len(found), outputs)
    return [b"[%b]" % b",".join(found[start : start + outputs]) for start in starts]


def _texts(values: NDArray[Any] | None, rows: int) -> list[bytes]:
    """The JSON text of each row's value."""
    if values is None:
        return [b"null"] * rows
    if not rows:
        return []
    if _is_constant(values):
        return [orjson.dumps(values[0].tolist())] * rows
    if values.dtype == object or values.ndim > 2:
        return [orjson.dumps(_plain(row), option=_NUMPY) for row in values]
    text = orjson.dumps(np.ascontiguousarray(values), option=_NUMPY)
    if values.ndim == 1:
        return text[1:-1].split(b",")
    return [b"[%b]" % row for row in text[2:-2].split(b"],[")]


def _plain(row: Any) -> Any:
    """A row of names as Python's own; a row of numbers as it is."""
    if isinstance(row, np.ndarray):
        return row.tolist() if row.dtype == object else np.ascontiguousarray(row)
    return row


def _is_constant(values: NDArray[Any]) -> bool:
    """Whether all rows are one and the same list, as the classes are."""
    return values.ndim > 1 and values.strides[0] == 0


def _cells(column: Column, rows: int) -> list[bytes]:
    values = column.values
    if values is None:
        return [b""] * rows
    if values.ndim == 1 and values.dtype == object:
        return [_quoted_name(name) for name in values]
    if values.ndim == 1:
        return [b"" if text == b"null" else text for text in _texts(values, rows)]
    if _is_constant(values):
        return [_quoted(_spaced(values[0].tolist()))] * rows if rows else []
    if values.dtype == object:
        return [_quoted(_spaced(row.tolist())) for row in values]
    return [_quoted(text.replace(b",", b", ")) for text in _texts(values, rows)]


def _spaced(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _quoted(text: bytes) -> bytes:
    return b'"%b"' % text.replace(b'"', b'""')


def _quoted_name(name: str) -> bytes:
    text = name.encode()
    is_plain = text and not any(mark in text for mark in (b",", b'"', b"\n", b"\r"))
    return text if is_plain else _quoted(text)


def _record_values(column: Column, rows: int) -> list[bytes]:
    values = column.values
    if values is None:
        return [records.numbers(np.zeros(0, dtype=np.float32))] * rows
    if rows and _is_constant(values):
        return [_record_value(values[0])] * rows
    return [_record_value(row) for row in values]


def _record_value(value: Any) -> bytes:
    table = np.atleast_1d(np.asarray(value))
    if table.dtype.kind in "OU":
        return records.texts([str(name) for name in table.ravel()])
    return records.numbers(table.astype(np.float32), table.shape if table.ndim > 1 else ())
