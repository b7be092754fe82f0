"""Arrow IPC and Parquet bodies."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood.errors import BodyError, RequestError, TooLargeError
from canarywood.formats import arrow

CODE = Path(arrow.__file__).parents[2]
MOMENT = dt.datetime(2013, 4, 1, 6, 0)  # noqa: DTZ001 - a time as it is written, without a zone
TABLE = pa.table(
    {
        "distance": [1400.0, None, 2475.0],
        "hour": pa.array([5, 6, None], pa.int8()),
        "carrier": ["UA", "AA", None],
        "origin": pa.array(["EWR", "JFK", "EWR"]).dictionary_encode(),
        "at": pa.array([MOMENT, None, MOMENT], pa.timestamp("ns")),
        "day": [dt.date(2013, 4, 1)] * 3,
        "price": [Decimal("1.5"), None, Decimal("2.0")],
        "late": [True, False, None],
        "nothing": pa.nulls(3),
    }
)
RECORDS = [
    {
        "distance": 1400.0, "hour": 5, "carrier": "UA", "origin": "EWR", "at": MOMENT,
        "day": dt.date(2013, 4, 1), "price": 1.5, "late": True, "nothing": None,
    },
    {
        "distance": None, "hour": 6, "carrier": "AA", "origin": "JFK", "at": None,
        "day": dt.date(2013, 4, 1), "price": None, "late": False, "nothing": None,
    },
    {
        "distance": 2475.0, "hour": None, "carrier": None, "origin": "EWR", "at": MOMENT,
        "day": dt.date(2013, 4, 1), "price": 2.0, "late": None, "nothing": None,
    },
]  # fmt: skip


def stream(table: pa.Table, compression: str | None = None, *, is_file: bool = False) -> bytes:
    sink = io.BytesIO()
    make = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as out:
        out.write_table(table)
    return sink.getvalue()


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("is_file", [False, True])
def test_a_stream_and_a_file_hold_the_same_rows(compression: str | None, is_file: bool) -> None:
    assert arrow.records(arrow.ipc(stream(TABLE, compression, is_file=is_file))) == RECORDS


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("use_dictionary", [False, True])
def test_parquet_holds_the_same_rows(compression: str, use_dictionary: bool) -> None:
    body = parquet(TABLE, compression=compression, use_dictionary=use_dictionary)
    assert arrow.records(arrow.parquet(body)) == RECORDS


def test_rows_of_many_batches_and_row_groups_keep_their_order() -> None:
    table = pa.table({"n": range(40_000), "t": [str(i % 7) for i in range(40_000)]})
    assert arrow.parquet(parquet(table, row_group_size=999)).equals(table)
    assert arrow.ipc(stream(table)).equals(table)


READERS: list[tuple[Any, Any]] = [(arrow.ipc, stream), (arrow.parquet, parquet)]


@pytest.mark.parametrize(("read", "write"), READERS)
@pytest.mark.parametrize(
    ("table", "code", "column"),
    [
        (TABLE.slice(0, 0), "empty_body", None),
        (pa.table({"a": [[1, 2]]}), "column_type", "a"),
        (pa.table({"a": [{"b": 1}]}), "column_type", "a"),
        (pa.table({"a": [b"x"]}), "column_type", "a"),
        (pa.table([[1], [2]], names=["a", "a"]), "duplicate_column", None),
    ],
)
def test_a_table_that_is_no_rows_of_plain_values_is_refused(
    read: Any, write: Any, table: pa.Table, code: str, column: str | None
) -> None:
    with pytest.raises(BodyError) as caught:
        read(write(table))
    assert (caught.value.code, caught.value.column) == (code, column)


@pytest.mark.parametrize(("read", "write"), READERS)
def test_the_limit_of_rows_holds_at_its_edge(read: Any, write: Any) -> None:
    table = pa.table({"a": range(100)})
    assert read(write(table), max_rows=100).num_rows == 100
    with pytest.raises(TooLargeError) as caught:
        read(write(table), max_rows=99)
    assert caught.value.code == "too_many_rows"


def test_runs_without_bytes_and_texts_that_unfold_are_refused() -> None:
    endless = pa.RunEndEncodedArray.from_arrays([2**31 - 1], [1.0])
    with pytest.raises(BodyError) as caught:
        arrow.ipc(stream(pa.table({"a": endless})))
    assert caught.value.code == "column_type"
    # 1 MiB of text, named 2000 times by 2000 numbers
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), ["x" * (1 << 20)])
    table = pa.table({"a": texts})
    for body, read in ((stream(table), arrow.ipc), (parquet(table), arrow.parquet)):
        assert len(body) < 3 << 20
        with pytest.raises(TooLargeError) as refused:
            read(body)
        assert refused.value.code == "too_many_cells"


def test_nulls_without_bytes_count_as_rows() -> None:
    with pytest.raises(TooLargeError) as caught:
        arrow.ipc(stream(pa.table({"a": pa.nulls(1_000_001)})))
    assert caught.value.code == "too_many_rows"


@pytest.mark.parametrize(("read", "code"), [(arrow.ipc, "arrow"), (arrow.parquet, "parquet")])
def test_other_bytes_are_refused_without_the_librarys_words(read: Any, code: str) -> None:
    for body in (b"1,2,3\n", b"PAR1PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff\0\0\0\0"):
        with pytest.raises(BodyError) as caught:
            read(body)
        assert caught.value.code in (code, "empty_body")
        assert "not a readable" in caught.value.detail or "not readable" in caught.value.detail
    with pytest.raises(BodyError) as caught:
        read(b"")
    assert caught.value.code == "empty_body"


def test_a_time_that_does_not_exist_is_a_fault_of_the_body() -> None:
    table = pa.table({"at": pa.array([2**62], pa.timestamp("s"))})
    with pytest.raises(BodyError) as caught:
        arrow.records(arrow.ipc(stream(table)))
    assert caught.value.code == "time"


def test_importing_the_formats_imports_no_pyarrow() -> None:
    program = (
        "import sys, canarywood.formats.arrow, canarywood.formats.answers, canarywood.formats.oip, "
        "canarywood.formats.libsvm, canarywood.formats.npy\n"
        "print([m for m in ('pyarrow', 'scipy', 'pandas', 'xgboost') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(CODE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


BODIES: list[tuple[Any, bytes]] = [
    (arrow.ipc, stream(TABLE)),
    (arrow.ipc, stream(TABLE, "lz4", is_file=True)),
    (arrow.parquet, parquet(TABLE)),
    (arrow.parquet, parquet(TABLE, compression="zstd", use_dictionary=False)),
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_are_rows_or_a_request_error(data: st.DataObject) -> None:
    read, whole = data.draw(st.sampled_from(BODIES))
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert arrow.records(read(bytes(body)))
    except RequestError:
        return
