"""SageMaker's recordio-protobuf, held to bytes that SageMaker's own SDK wrote."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError, RowsError
from canarywood.formats import protobuf, recordio, records
from canarywood.formats.matrix import SparseRows

# Written by sagemaker 2.257.7 and protobuf 7.36.2: write_numpy_to_dense_tensor,
# write_spmatrix_to_sparse_tensor, Record.SerializeToString.
DENSE = bytes.fromhex(
    "0a23d7ce300000000a1a0a0676616c7565731210120e0a0c0000c03f000000c00000c07f12120a0676616c756573"
    "120812060a040000803f0a23d7ce300000000a1a0a0676616c7565731210120e0a0ccdcccc3d00000000e6b1617f"
    "12120a0676616c756573120812060a0400000000"
)
DOUBLE = bytes.fromhex(
    "0a23d7ce380000000a1e0a0676616c75657312141a120a10000000000000f83f9a9999999999b93f12160a067661"
    "6c756573120c1a0a0a080000000000000440"
)
INTEGERS = bytes.fromhex(
    "0a23d7ce2e0000000a1b0a0676616c75657312113a0f0a0d01feffffffffffffffff01ac02120f0a0676616c7565"
    "7312053a030a010300000a23d7ce3a0000000a1e0a0676616c75657312143a120a1000ffffffff0780808080f8ff"
    "ffffff0112180a0676616c756573120e3a0c0a0affffffffffffffffff010000"
)
SPARSE = bytes.fromhex(
    "0a23d7ce350000000a1f0a0676616c756573121512130a080000c03f000000c0120300ab021a02ac0212120a0676"
    "616c756573120812060a040000803f0000000a23d7ce260000000a100a0676616c756573120612041a02ac021212"
    "0a0676616c756573120812060a040000000000000a23d7ce300000000a1a0a0676616c7565731210120e0a040000"
    "e040120282011a02ac0212120a0676616c756573120812060a040000803f"
)
EXTRAS = bytes.fromhex(
    "0a23d7ce370000000a0e0a056f7468657212054a030a01780a160a0676616c756573120c120a0a080000803f0000"
    "00401a05726f772d3122027b7d2a027b7d00"
)
ANSWER = bytes.fromhex(
    "0a23d7ce1f000000121d0a0d70726f626162696c6974696573120c120a0a080000803e0000403f00"
)
NAMED = bytes.fromhex(
    "0a23d7ce2c000000122a0a0f7072656469637465645f6c6162656c12174a150a076f6e2074696d65120a74657874"
    "2f706c61696e"
)
FLOAT32, FLOAT64, INT32, BYTES = 2, 3, 7, 9


def dense(body: bytes, width: int | None = None) -> NDArray[Any]:
    rows = recordio.read(body, width=width).rows
    return rows.dense() if isinstance(rows, SparseRows) else rows


def tensor(
    values: bytes = b"", keys: bytes = b"", shape: bytes = b"", kind: int = FLOAT32
) -> bytes:
    """A framed record of one tensor, its lists already encoded."""
    lists = enumerate((values, keys, shape), 1)
    content = b"".join(protobuf.encoded(number, data) for number, data in lists if data)
    return record(protobuf.encoded(kind, content))


def record(value: bytes) -> bytes:
    return recordio.framed(records.entry(records.FEATURES, records.VALUES, value))


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def fault(body: bytes, width: int | None = None) -> RequestError:
    with pytest.raises(RequestError) as caught:
        recordio.read(body, width=width)
    return caught.value


# ---- what the SDK writes


def test_dense_records_of_the_sdk_are_read() -> None:
    found = recordio.read(DENSE, width=3)
    expected = np.array([[1.5, -2, np.nan], [0.1, 0, 3e38]], dtype=np.float32)
    assert isinstance(found.rows, np.ndarray)
    assert found.rows.dtype == np.float32
    np.testing.assert_array_equal(found.rows, expected)
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0]


def test_doubles_and_integers_of_the_sdk_are_read() -> None:
    found = recordio.read(DOUBLE, width=2)
    assert isinstance(found.rows, np.ndarray)
    assert found.rows.tolist() == [[1.5, 0.1]]
    assert found.labels is not None
    assert found.labels.tolist() == [2.5]
    found = recordio.read(INTEGERS, width=3)
    assert isinstance(found.rows, np.ndarray)
    assert found.rows.tolist() == [[1, -2, 300], [0, 2147483647, -2147483648]]
    assert found.labels is not None
    assert found.labels.tolist() == [3, -1]


def test_sparse_records_of_the_sdk_leave_out_what_is_missing() -> None:
    found = recordio.read(SPARSE, width=300)
    assert isinstance(found.rows, SparseRows)
    assert found.rows.indptr.tolist() == [0, 2, 2, 3]
    assert found.rows.indices.tolist() == [0, 299, 130]
    assert found.rows.values.tolist() == [1.5, -2, 7]
    assert np.isnan(found.rows.dense()[1]).all()
    assert recordio.read(SPARSE, width=None).rows.width == 300  # type: ignore[union-attr]


def test_other_fields_of_a_record_change_nothing() -> None:
    found = recordio.read(EXTRAS, width=2)
    assert isinstance(found.rows, np.ndarray)
    assert found.rows.tolist() == [[1, 2]]
    assert found.labels is None


def test_what_we_write_is_what_the_sdk_writes() -> None:
    rows = np.array([[1.5, -2, np.nan], [0.1, 0, 3e38]], dtype=np.float32)
    assert recordio.write(rows, np.array([1, 0], dtype=np.float32)) == DENSE
    assert recordio.write(np.array([[1.5, 0.1]]), np.array([2.5])) == DOUBLE
    value = records.numbers(np.array([0.25, 0.75], dtype=np.float32))
    assert recordio.answer({"probabilities": value}) == ANSWER
    assert recordio.answer({"predicted_label": records.texts(["on time"])}) == NAMED


# ---- forms


def test_unpacked_lists_are_read() -> None:
    content = (
        b"".join(b"\x0d" + floats(value) for value in (1.5, 2.5)) + b"\x10\x05\x10\x02\x18\x07"
    )
    expected = [[None, None, 2.5, None, None, 1.5, None]]
    matrix = dense(record(protobuf.encoded(FLOAT32, content)))
    assert [[None if np.isnan(x) else x for x in row] for row in matrix.tolist()] == expected


def test_a_record_in_parts_is_joined_by_the_magic_number() -> None:
    magic = struct.unpack("<f", struct.pack("<I", recordio.MAGIC))[0]
    body = recordio.write(np.array([[1, magic, 3]], dtype=np.float32))
    at = body.index(floats(magic), 8)
    message = body[8 : 8 + int.from_bytes(body[4:8], "little")]
    parts = [message[: at - 8], message[at - 4 :]]
    heads = [flag << 29 | len(part) for flag, part in zip((1, 3), parts, strict=True)]
    split = b"".join(
        struct.pack("<II", recordio.MAGIC, head) + part + bytes(-len(part) % 4)
        for head, part in zip(heads, parts, strict=True)
    )
    assert dense(split).tolist() == dense(body).tolist() == [[1, magic, 3]]


def test_records_of_different_forms_are_rows_of_one_body() -> None:
    sparse = tensor(floats(7), b"\x01", b"\x03")
    np.testing.assert_array_equal(
        dense(DENSE + sparse, 3)[1:], np.array([[0.1, 0, 3e38], [np.nan, 7, np.nan]], np.float32)
    )
    wide = recordio.write(np.array([[1.0, 2.0]])) + recordio.write(np.zeros((1, 2), np.float32))
    assert dense(wide).tolist() == [[1, 2], [0, 0]]


def test_keys_may_come_in_any_order() -> None:
    assert dense(tensor(floats(3, 1), b"\x01\x00", b"\x02")).tolist() == [[1, 3]]


def test_labels_are_nan_where_only_some_records_have_one() -> None:
    rows = np.zeros((1, 2), dtype=np.float32)
    body = recordio.write(rows, np.ones(1, dtype=np.float32)) + recordio.write(rows)
    np.testing.assert_array_equal(recordio.read(body, width=2).labels, [1, np.nan])


def test_a_signalling_nan_is_a_missing_value_without_a_warning() -> None:
    signal = np.frombuffer(b"\x01\0\xa0\x7f" * 2, dtype=np.float32)
    body = recordio.write(np.tile(signal, (9, 1)), np.tile(signal[:1], 9))
    assert np.isnan(dense(body)).all()
    assert np.isnan(dense(body[: len(body) // 9])).all()
    assert np.isnan(dense(body + DOUBLE)[0]).all()
    assert np.isnan(dense(tensor(signal.tobytes(), b"\x00\x01"))).all()


# ---- faults


@pytest.mark.parametrize(
    ("body", "code", "row"),
    [
        (b"", "empty_body", None),
        (b"abc", "recordio", 1),
        (b"1,2,3\n4,5,6\n", "recordio", 1),
        (DENSE + b"\0", "recordio", 3),
        (DENSE[:-1], "recordio", 2),
        (struct.pack("<II", recordio.MAGIC, (1 << 29) - 1), "recordio", 1),
        (struct.pack("<II", recordio.MAGIC, 1 << 29), "recordio", 1),
        (struct.pack("<II", recordio.MAGIC, 2 << 29), "recordio", 1),
        (struct.pack("<II", recordio.MAGIC, 3 << 29), "recordio", 1),
        (struct.pack("<II", recordio.MAGIC, 7 << 29), "recordio", 1),
        (recordio.framed(b""), "recordio", 1),
        (recordio.framed(b"\x0a\xff\xff\xff\xff\x0f"), "recordio", 1),
        (recordio.framed(b"\x0a" + b"\xff" * 11), "recordio", 1),
        (recordio.framed(b"\x0b"), "recordio", 1),
        (recordio.framed(b"\x00\x01"), "recordio", 1),
        (record(b""), "recordio", 1),
        (record(protobuf.encoded(BYTES, b"")), "recordio", 1),
        (tensor(b"\0" * 5), "recordio", 1),
        (tensor(floats(1), b"\x80"), "recordio", 1),
        (tensor(floats(1), b"\xff" * 11 + b"\x01"), "recordio", 1),
        (tensor(floats(1, 2), b"\x01", b"\x03"), "recordio", 1),
        (tensor(floats(1, 2), b"", b"\x03"), "recordio", 1),
        (tensor(b"", b"", b"\xff" * 9 + b"\x01"), "recordio", 1),
        (tensor(b"", b"", b"\x00"), "recordio", 1),
        (DENSE + tensor(floats(1)), "ragged", 3),
        (DENSE + tensor(floats(1, 2), b"\x01\x01", b"\x03"), "duplicate_index", 3),
        (DENSE + tensor(floats(1), b"\x03", b"\x03"), "feature_count", 3),
        (DENSE + tensor(floats(1, 2, np.inf)), "non_finite", 3),
        (tensor(struct.pack("<d", 1e39), b"", b"", FLOAT64), "non_finite", 1),
        (DENSE + tensor(floats(np.inf), b"\x01", b"\x03"), "non_finite", 3),
    ],
)
def test_a_fault_is_named_with_its_record(body: bytes, code: str, row: int | None) -> None:
    error = fault(body)
    assert (error.code, error.row) == (code, row)
    is_of_the_schema = code in ("feature_count", "non_finite")
    assert isinstance(error, RowsError if is_of_the_schema else BodyError)


def test_a_label_that_is_no_finite_number_is_refused() -> None:
    for count in (2, 20):
        rows = np.zeros((count, 1), dtype=np.float32)
        labels = np.array([0] * (count - 1) + [np.inf], dtype=np.float32)
        error = fault(recordio.write(rows, labels))
        assert (error.code, error.row) == ("non_finite", count)


def test_a_fault_of_many_records_is_named_with_its_record() -> None:
    rows = np.zeros((20, 3), dtype=np.float32)
    rows[13, 1] = np.inf
    error = fault(recordio.write(rows))
    assert (error.code, error.row, error.column) == ("non_finite", 14, 2)
    error = fault(recordio.write(rows), 10)
    assert (error.code, error.row) == ("feature_count", 1)


@pytest.mark.parametrize("body", [DENSE, SPARSE])
def test_records_of_another_width_do_not_fit(body: bytes) -> None:
    error = fault(body, 10)
    assert (error.code, error.row) == ("feature_count", 1)


def test_a_key_beyond_the_width_does_not_fit() -> None:
    body = tensor(floats(1), b"\x0a")
    assert fault(body, 10).code == "feature_count"
    assert dense(body, 11)[0, 10] == 1


def test_a_sparse_record_that_claims_a_huge_shape_allocates_nothing() -> None:
    rows = recordio.read(tensor(floats(1), b"\x01", b"\xfe\xff\xff\xff\x07"), width=None).rows
    assert isinstance(rows, SparseRows)
    with pytest.raises(RequestError) as caught:
        rows.dense()
    assert caught.value.code == "too_many_cells"


# ---- answers


def test_record_i_of_the_scores_holds_row_i_alone() -> None:
    scores = np.array([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]], dtype=np.float32)
    each = [recordio.answer({"score": records.numbers(row)}) for row in scores]
    assert recordio.scores(scores) == b"".join(each)
    one = recordio.scores(np.array([0.5], dtype=np.float32))
    assert one == recordio.answer({"score": records.numbers(np.array([0.5], np.float32))})
    assert len(recordio.scores(np.zeros(100, np.float32))) == 100 * len(one)
    assert recordio.scores(np.zeros(0, np.float32)) == b""


# ---- any bytes

widths = st.integers(1, 6)
matrices = st.tuples(st.integers(1, 5), widths).flatmap(
    lambda shape: arrays.arrays(
        np.float32, shape, elements=st.floats(-1e6, 1e6, width=32) | st.just(np.nan)
    )
)


@settings(max_examples=200, deadline=None)
@given(matrices, st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_rows_come_back_as_they_were_written(
    rows: NDArray[Any], has_labels: bool, dtype: Any
) -> None:
    labels = np.arange(len(rows), dtype=np.float32) if has_labels else None
    rows = np.tile(rows, (8, 1))  # many are read at once, a few one by one
    labels = None if labels is None else np.tile(labels, 8)
    body = recordio.write(rows.astype(dtype), labels)
    found = recordio.read(body, width=rows.shape[1])
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.labels, labels)
    # a record of another form sends all of them the long way
    other = recordio.framed(
        records.entry(records.FEATURES, records.VALUES, records.numbers(rows[0])) + b"\x1a\x01x"
    )
    longer = recordio.read(body + other, width=rows.shape[1])
    np.testing.assert_array_equal(longer.rows, np.vstack([rows, rows[:1]]))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_bytes_are_rows_or_a_request_error(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([DENSE, DOUBLE, INTEGERS, SPARSE, EXTRAS])))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    for mutated in (bytes(body), recordio.framed(data.draw(st.binary(max_size=60)))):
        try:
            found = recordio.read(mutated, width=None)
        except RequestError:
            continue
        assert found.labels is None or len(found.labels) == len(found.rows)


@given(st.binary(max_size=30).map(lambda tail: tail + b"\x01" * 40))
def test_packed_numbers_are_those_read_one_by_one(data: bytes) -> None:
    found, at = [], 0
    try:
        while at < len(data):
            value, at = protobuf.varint(data, at)
            found.append(value)
    except RequestError:
        with pytest.raises(BodyError):
            protobuf.varints(data)
        return
    assert protobuf.varints(data).tolist() == found
