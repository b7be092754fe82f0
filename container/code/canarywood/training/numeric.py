"""LIBSVM and recordio-protobuf channels: numbered columns, labels in the rows themselves."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from canarywood.errors import DataError, RequestError
from canarywood.formats import libsvm, recordio
from canarywood.formats.matrix import SparseRows
from canarywood.schema.definition import MISSING_TOKENS, Schema
from canarywood.training.sources import LIBSVM, Source

MAX_CELLS = 1 << 31  # 8 GiB as float32


@dataclass(frozen=True)
class Numbered:
    """Rows whose columns have numbers.

    Attributes:
        matrix: (rows, columns) float64, NaN where missing.
        labels: (rows,), NaN where a row has none.
        groups: (rows,) or None.
        starts: rows before each file, for messages.
    """

    matrix: NDArray[Any]
    labels: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    starts: tuple[tuple[int, str], ...]

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.matrix.shape[1])

    def place(self, row: int) -> str:
        """Where a row (from 1) came from: `a.libsvm, row 12`."""
        start, name = next(item for item in reversed(self.starts) if item[0] < row)
        return f"{name}, row {row - start}"

    def widened(self, width: int) -> Numbered:
        """With more columns, all missing."""
        if width <= self.width:
            return self
        more = np.full((len(self.matrix), width - self.width), np.nan, dtype=self.matrix.dtype)
        return dataclasses.replace(self, matrix=np.hstack([self.matrix, more]))

    def without_first(self) -> Numbered:
        """Without column 0, which files that count from 1 leave empty."""
        return dataclasses.replace(self, matrix=self.matrix[:, 1:])

    @property
    def first_is_empty(self) -> bool:
        """Whether no row has column 0."""
        return self.width > 1 and bool(np.isnan(self.matrix[:, 0]).all())

    def table(self, names: tuple[str, ...]) -> pa.Table:
        """The columns under names, as a schema reads them."""
        return pa.table(
            {name: pa.array(self.matrix[:, i], from_pandas=True) for i, name in enumerate(names)}
        )


def read(source: Source, schema: Schema | None) -> Numbered:
    """All files of a channel.

    Args:
        schema: says how many columns there are, what the first is called, what is missing; without
            one, columns are numbered from 0.

    Raises:
        DataError: with file and row.
    """
    width = len(schema.inputs) if schema else None
    base = schema.index_base if schema else 0
    missing = frozenset(schema.missing if schema else MISSING_TOKENS)
    parse: Callable[[bytes], tuple[Any, Any, Any]]
    if source.kind == LIBSVM:

        def parse(body: bytes) -> tuple[Any, Any, Any]:
            found = libsvm.read(body, width=width, index_base=base, missing=missing)
            return found.rows, found.labels, found.groups
    else:

        def parse(body: bytes) -> tuple[Any, Any, Any]:
            found = recordio.read(body, width=width)
            return found.rows, found.labels, None

    parts: list[tuple[NDArray[Any], NDArray[np.float64], Any]] = []
    starts: list[tuple[int, str]] = []
    for path in source.files:
        try:
            matrix, labels, groups = parse(_content(path))
        except RequestError as error:
            row = f", row {error.row}" if error.row else ""
            raise DataError(f"{path.name}{row}: {error.detail}") from error
        starts.append((sum(len(rows) for rows, _, _ in parts), path.name))
        dense = _dense(matrix)
        parts.append((dense, _filled(labels, len(dense)), groups))
    return _joined(parts, tuple(starts))


def _joined(
    parts: list[tuple[NDArray[Any], NDArray[np.float64], Any]], starts: tuple[tuple[int, str], ...]
) -> Numbered:
    width = max(matrix.shape[1] for matrix, _, _ in parts)
    matrices = [
        Numbered(matrix, labels, None, ()).widened(width).matrix for matrix, labels, _ in parts
    ]
    with_groups = [groups is not None for _, _, groups in parts]
    if any(with_groups) and not all(with_groups):
        raise DataError(f"{starts[with_groups.index(False)][1]} has no qid, other files have")
    return Numbered(
        np.concatenate(matrices),
        np.concatenate([labels for _, labels, _ in parts]),
        np.concatenate([groups for _, _, groups in parts]) if any(with_groups) else None,
        starts,
    )


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} is not readable gzip: {error}") from error


def _dense(rows: NDArray[Any] | SparseRows) -> NDArray[Any]:
    return rows.dense(max_cells=MAX_CELLS) if isinstance(rows, SparseRows) else rows


def _filled(labels: NDArray[np.float64] | None, rows: int) -> NDArray[np.float64]:
    return np.full(rows, np.nan) if labels is None else labels
