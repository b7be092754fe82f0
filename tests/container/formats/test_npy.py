"""numpy's .npy files."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError, RowsError
from canarywood.formats import npy


def saved(array: NDArray[Any], version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def raw(header: str, values: bytes = b"\0" * 24, version: int = 1) -> bytes:
    text = header.encode("latin-1")
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + values


def header(descr: str = "<f4", order: str = "False", shape: str = "(2, 3)") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


NUMBERS = np.array([[1.5, -2, 3], [4, 5, 6.25]])


@pytest.mark.parametrize(
    "dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "<i4", ">i8", "i1", "u1", "<u2", "?"]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_kind_of_number_and_order_gives_the_same_rows(dtype: str, order: Any) -> None:
    array = np.asarray(NUMBERS.astype(dtype), order=order)
    matrix = npy.read(saved(array), width=3)
    assert matrix.dtype == np.float32
    assert matrix.dtype.isnative
    np.testing.assert_array_equal(matrix, NUMBERS.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_is_read(version: tuple[int, int]) -> None:
    np.testing.assert_array_equal(npy.read(saved(NUMBERS, version), width=3), NUMBERS)


def test_one_dimension_is_one_row() -> None:
    assert npy.read(saved(np.arange(3.0)), width=3).tolist() == [[0, 1, 2]]


def test_nan_stays_a_missing_value_and_zero_has_one_sign() -> None:
    matrix = npy.read(saved(np.array([[math.nan, -0.0]])), width=2)
    assert math.isnan(matrix[0, 0])
    assert math.copysign(1, matrix[0, 1]) == 1


def test_a_signalling_nan_is_a_missing_value_without_a_warning() -> None:
    values = (b"\x01\0\xa0\x7f" * 6, b"\x01\0\0\0\0\0\xf4\x7f" * 6)
    for descr, content in zip(("<f4", "<f8"), values, strict=True):
        assert np.isnan(npy.read(raw(header(descr), content), width=3)).all()


def test_float64_is_kept_where_it_is_asked_for() -> None:
    assert npy.read(saved(np.array([[0.1]])), width=1, dtype=np.float64).tolist() == [[0.1]]


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e39])
def test_what_float32_cannot_hold_is_refused_with_its_place(value: float) -> None:
    with pytest.raises(RowsError) as caught:
        npy.read(saved(np.array([[1, 2], [3, value]])), width=2)
    error = caught.value
    assert (error.code, error.row, error.column) == ("non_finite", 2, 2)


def test_a_matrix_of_another_width_does_not_fit() -> None:
    with pytest.raises(RowsError) as caught:
        npy.read(saved(NUMBERS), width=10)
    assert (caught.value.code, caught.value.row) == ("feature_count", 1)
    assert "3 values, the model takes 10" in caught.value.detail


class Trap:
    """Raises an alarm where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


def test_an_object_is_never_unpickled() -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(BodyError, match=r"'\|O' are not supported"):
        npy.read(stream.getvalue(), width=1)


@pytest.mark.parametrize(
    "body",
    [
        b"1,2,3\n",
        b"\x93NUMPY",
        raw(header(), b"\0" * 23),
        raw(header(), b"\0" * 25),
        raw(header(shape="(999999999999999999, 999999999999999999)")),
        raw(header(shape=f"({10**19}, 1)")),
        raw(header(shape="(1, 2, 3)")),
        raw(header(shape="()"), b"\0" * 4),
        raw(header(shape="(2, -3)")),
        raw(header(shape="(6)")),
        raw(header(descr="|O")),
        raw(header(descr="<U6")),
        raw(header(descr="<c8")),
        raw(header(descr="<M8[s]")),
        raw(header(descr="<f16")),
        raw(header(order="1")),
        raw("{}"),
        raw("[]"),
        raw("__import__('os')"),
        raw("{'descr': '<f4', 'fortran_order': False}"),
        raw("{'descr': '<f4' 'fortran_order': False, 'shape': (2, 3)}"),
        raw(header(), version=4),
        raw("{" + " " * 20_000 + header()[1:]),
        raw(header())[:40],
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError) as caught:
        npy.read(body, width=None)
    assert caught.value.code == "npy"


@pytest.mark.parametrize("body", [b"", saved(np.zeros((0, 3))), saved(np.zeros((3, 0)))])
def test_no_row_is_an_empty_body(body: bytes) -> None:
    with pytest.raises(BodyError) as caught:
        npy.read(body, width=3)
    assert caught.value.code == "empty_body"


def test_headers_of_other_writers_are_read() -> None:
    text = '{"shape": (2,3),"fortran_order": False,"descr": "<f4"}'
    assert npy.read(raw(text), width=3).tolist() == [[0, 0, 0], [0, 0, 0]]


shapes = arrays.array_shapes(min_dims=1, max_dims=2, max_side=5)
matrices = st.sampled_from(["f4", "f8", "f2"]).flatmap(
    lambda kind: arrays.arrays(kind, shapes, elements={"min_value": -100, "max_value": 100})
)


@settings(max_examples=100, deadline=None)
@given(matrices)
def test_what_numpy_writes_is_read_to_the_same_bits(array: NDArray[Any]) -> None:
    expected = np.atleast_2d(array).astype(np.float32) + np.float32(0)
    assert npy.read(saved(array), width=None).tobytes() == expected.tobytes()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_are_rows_or_a_request_error(data: st.DataObject) -> None:
    body = bytearray(saved(NUMBERS))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for mutated in (bytes(body), bytes(body[:cut]), data.draw(st.binary(max_size=40))):
        try:
            assert npy.read(mutated, width=None).ndim == 2
        except RequestError:
            continue
