"""Rows of numbers, dense and sparse: the rules that every binary format shares. Needs numpy.

NaN, and in sparse rows whatever is not named, is a missing value; it is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError, RowsError, TooLargeError
from canarywood.formats.numbers import non_finite

Float = np.float32 | np.float64
Values = NDArray[Float]

MAX_CELLS = 1 << 26  # of a dense matrix made of sparse rows: 256 MiB as float32
MAX_INDEX = 2**31 - 2  # XGBoost counts features in 32 bits


@dataclass(frozen=True)
class SparseRows:
    """Rows in CSR form, columns ascending and unique within a row.

    Attributes:
        indptr: (rows + 1,), where each row begins.
        indices: (entries,), columns from 0.
        values: (entries,); NaN is missing, as is what has no entry.
        width: columns of the matrix.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: Values
    width: int

    def __len__(self) -> int:
        """Rows."""
        return len(self.indptr) - 1

    def dense(self, dtype: type[Float] = np.float32, *, max_cells: int = MAX_CELLS) -> NDArray[Any]:
        """The matrix (rows, width), NaN where a row names nothing.

        Raises:
            TooLargeError: `too_many_cells`: a few bytes of empty rows may be a wide matrix.
        """
        if len(self) * self.width > max_cells:
            raise TooLargeError(
                f"{len(self)} rows of {self.width} columns are more than {max_cells} cells; "
                "send fewer rows",
                code="too_many_cells",
            )
        matrix: NDArray[Any] = np.full((len(self), self.width), np.nan, dtype=dtype)
        with np.errstate(invalid="ignore"):  # a signalling NaN
            matrix[rows_of(self.indptr), self.indices] = self.values
            return matrix + dtype(0)  # zeros of one sign


def rows_of(indptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of each entry."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def settled(matrix: NDArray[Any], dtype: type[Float]) -> NDArray[Any]:
    """A matrix (rows, columns) in `dtype`, zeros of one sign, in the machine's byte order.

    Raises:
        RowsError: `non_finite`, at the first value that float32 cannot hold.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # invalid: a signalling NaN
        result = matrix.astype(dtype, order="C")
        np.add(result, dtype(0), out=result)
        narrow = result.astype(np.float32, copy=False)
    infinite = np.isinf(narrow)
    if infinite.any():
        row, column = (int(i) for i in np.argwhere(infinite)[0])
        error = non_finite(matrix[row, column].item())
        error.row, error.column = row + 1, column + 1
        raise error
    return result


def check_width(found: int, width: int | None, row: int) -> None:
    """Raise RowsError `feature_count` where a row has not as many values as are expected."""
    if width is not None and found != width:
        raise RowsError(
            f"the row has {found} values, the model takes {width}", code="feature_count", row=row
        )


def outside(index: int, base: int, width: int | None, row: int) -> RequestError:
    """The error for an index that is no column of the model."""
    last = MAX_INDEX if width is None else width - 1 + base
    return RowsError(
        f"index {index if abs(index) < 10**18 else 'of more than 18 digits'} is not one of the "
        f"columns, which go from {base} to {last}",
        code="feature_count",
        row=row,
    )


def duplicate(index: int, row: int) -> RequestError:
    """The error for an index that a row names twice."""
    return BodyError(
        f"index {index} occurs twice in the row", code="duplicate_index", row=row, column=index
    )


def no_row() -> RequestError:
    """The error for a body without a row."""
    return BodyError("the body is empty; send at least one row", code="empty_body")
