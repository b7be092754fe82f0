"""Rows of numbers as the body of every format that a client may send."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from canarywood import media
from canarywood.formats import recordio

Row = Sequence[float | None]
Body = Callable[[Sequence[Row], Sequence[str]], bytes]


def csv(rows: Sequence[Row], _: Sequence[str] = ()) -> bytes:
    lines = (",".join("" if v is None else repr(v) for v in row) for row in rows)
    return "".join(line + "\n" for line in lines).encode()


def csv_with_label(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    return b"".join(b"0.5,%b\n" % line for line in csv(rows, names).splitlines())


def json_rows(rows: Sequence[Row], _: Sequence[str]) -> bytes:
    return json.dumps({"instances": list(map(list, rows))}).encode()


def json_records(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows]).encode()


def json_lines(rows: Sequence[Row], _: Sequence[str]) -> bytes:
    return "".join(json.dumps(list(row)) + "\n" for row in rows).encode()


def libsvm(rows: Sequence[Row], _: Sequence[str] = (), base: int = 0) -> bytes:
    def line(row: Row) -> str:
        return " ".join(f"{i + base}:{v!r}" for i, v in enumerate(row) if v is not None)

    return "".join(line(row) + "\n" for row in rows).encode()


def records(rows: Sequence[Row], _: Sequence[str] = ()) -> bytes:
    return recordio.write(matrix(rows))


def npy(rows: Sequence[Row], _: Sequence[str] = ()) -> bytes:
    stream = io.BytesIO()
    np.save(stream, matrix(rows))
    return stream.getvalue()


def table(rows: Sequence[Row], names: Sequence[str]) -> pa.Table:
    columns = [pa.array(list(column), pa.float64()) for column in zip(*rows, strict=True)]
    return pa.table(columns, names=list(names))


def arrow_stream(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    stream = io.BytesIO()
    found = table(rows, names)
    with pa.ipc.new_stream(stream, found.schema) as writer:
        writer.write_table(found, max_chunksize=70)
    return stream.getvalue()


def arrow_file(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    stream = io.BytesIO()
    found = table(rows, names)
    with pa.ipc.new_file(stream, found.schema) as writer:
        writer.write_table(found)
    return stream.getvalue()


def parquet(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table(rows, names), stream)
    return stream.getvalue()


def v2_rows(rows: Sequence[Row], _: Sequence[str]) -> bytes:
    return json.dumps(v2(rows)).encode()


def v2_columns(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": list(column)}
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    ]
    return json.dumps({"inputs": inputs}).encode()


def v2(rows: Sequence[Row], **further: object) -> dict[str, object]:
    data = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": data}
    return {"inputs": [tensor], **further}


def matrix(rows: Sequence[Row]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=np.float64)


WITH_LABEL = media.MediaType(media.CSV, {"label_size": "1"})
BODIES: dict[str, tuple[media.MediaType, Body]] = {
    "csv": (media.MediaType(media.CSV), csv),
    "csv with label": (WITH_LABEL, csv_with_label),
    "json rows": (media.MediaType(media.JSON), json_rows),
    "json records": (media.MediaType(media.JSON), json_records),
    "jsonlines": (media.MediaType(media.JSON_LINES), json_lines),
    "libsvm": (media.MediaType(media.LIBSVM), libsvm),
    "recordio": (media.MediaType(media.RECORDIO), records),
    "npy": (media.MediaType(media.NPY), npy),
    "arrow stream": (media.MediaType(media.ARROW_STREAM), arrow_stream),
    "arrow file": (media.MediaType(media.ARROW_FILE), arrow_file),
    "parquet": (media.MediaType(media.PARQUET), parquet),
    "v2 rows": (media.MediaType(media.JSON), v2_rows),
    "v2 columns": (media.MediaType(media.JSON), v2_columns),
}
