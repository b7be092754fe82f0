r"""LIBSVM text: `[label] [qid:n] index:value ...  # comment`, one row a line. Needs numpy, orjson.

An empty line is a row of which everything is missing; a line that holds a comment alone is no
row. Lines end with \n or \r\n, the last one also with the end of the body.

The text is read in pieces of whole lines. A piece that is plain is read at once: its separators
alone, beside its numbers alone, say what each number is. Any other piece is read line by line,
which also finds the fault and names its row; both ways give the same bits.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from canarywood.errors import BodyError, RequestError
from canarywood.formats.matrix import MAX_INDEX, SparseRows, duplicate, no_row, outside
from canarywood.formats.numbers import FLOAT32_LIMIT, number, shown

_PIECE = 1 << 20
_DIGITS = b"0123456789"
_NUMBERS = _DIGITS + b"+-.eE"
_COMMAS = bytes.maketrans(b": \n", b",,,")
_NOT_WHOLE = (b"-:", b"+:", b".:", b"e:", b"E:")
_COLON, _BLANK, _LINE = b": \n"
_LARGEST_GROUP = 2**53  # beyond it a float64 no longer counts in ones
_whole = re.compile(r"0*([0-9]{1,18})").fullmatch
_plain_group = re.compile(rb"(?<![^ \n])qid:[0-9]{1,15}(?=[ \n])").findall
_comment_line = re.compile(rb"(?m)^[ \t]*#[^\n]*\n")
_comment = re.compile(rb"#[^\n]*")


@dataclass(frozen=True)
class LibsvmRows:
    """What a LIBSVM text holds.

    Attributes:
        rows: the features.
        labels: (rows,), NaN where a row has none; None where no row has one.
        groups: (rows,), the `qid`, -1 where a row has none; None where no row has one.
    """

    rows: SparseRows
    labels: NDArray[np.float64] | None
    groups: NDArray[np.int64] | None


@dataclass(frozen=True)
class _Form:
    base: int
    width: int | None
    missing: AbstractSet[str]


@dataclass(frozen=True)
class _Piece:
    counts: NDArray[np.int64]  # entries of each row
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    labels: NDArray[np.float64]
    groups: NDArray[np.int64]


def read(
    body: bytes, *, width: int | None, index_base: int, missing: AbstractSet[str] = frozenset()
) -> LibsvmRows:
    """The rows of a LIBSVM text.

    Args:
        body: the text.
        width: columns of the model; None takes as many as the largest index says.
        index_base: what the first column is called, 0 or 1.
        missing: texts that stand for "no value"; a number among them stays that number.

    Raises:
        BodyError: `empty_body`, `encoding`, `libsvm`, `number`, `duplicate_index`.
        RowsError: `feature_count` for an index that is no column, `non_finite`.
    """
    form = _Form(index_base, width, missing)
    pieces: list[_Piece] = []
    row = 0
    for text in _pieces(body.removeprefix(codecs.BOM_UTF8)):
        pieces.append(_plain(text, form) or _by_line(text, form, row))
        row += len(pieces[-1].counts)
    if not row:
        raise no_row()
    columns = np.concatenate([piece.columns for piece in pieces])
    labels = np.concatenate([piece.labels for piece in pieces])
    groups = np.concatenate([piece.groups for piece in pieces])
    counts = np.concatenate([piece.counts for piece in pieces])
    values = np.concatenate([piece.values for piece in pieces])
    if width is None:
        width = int(columns.max()) + 1 if len(columns) else 0
    return LibsvmRows(
        rows=SparseRows(np.concatenate([[0], np.cumsum(counts)]), columns, values, width),
        labels=None if np.isnan(labels).all() else labels,
        groups=None if (groups < 0).all() else groups,
    )


def _pieces(body: bytes) -> Iterator[bytes]:
    """Whole lines, each ended by one newline, their blanks single, without comments."""
    start = 0
    while start < len(body):
        end = body.find(b"\n", start + _PIECE) + 1 or len(body)
        text = body[start:end]
        start = end
        if not text.endswith(b"\n"):
            text += b"\n"
        if b"#" in text:
            text = _comment.sub(b"", _comment_line.sub(b"", text))
            if not text:
                continue
        text = text.replace(b"\r\n", b"\n").replace(b"\t", b" ")
        while b"  " in text:
            text = text.replace(b"  ", b" ")
        yield text.replace(b" \n", b"\n").replace(b"\n ", b"\n").removeprefix(b" ")


# ---- a plain piece at once


def _plain(text: bytes, form: _Form) -> _Piece | None:
    """A piece of plain numbers, or None where it is anything else."""
    if any(mark in text.translate(None, _DIGITS) for mark in _NOT_WHOLE):
        return None  # before `qid` is given the index -1, which no index can be
    lines = np.frombuffer(text, dtype=np.uint8) == _LINE
    ends = np.flatnonzero(lines)
    filled = np.flatnonzero(np.diff(ends, prepend=-1) > 1)
    if len(filled) < len(ends):
        text = re.sub(rb"\n+", b"\n", text).removeprefix(b"\n")
    if b"q" in text:
        if len(_plain_group(text)) < text.count(b"q"):
            return None
        text = text.replace(b"qid:", b"-1:")
    marks = text.translate(None, _NUMBERS)
    if marks.translate(None, b": \n"):
        return None
    if b"+" in text:  # `+1`: a number to us, not to JSON
        if b"+-" in text:
            return None
        text = text.removeprefix(b"+").replace(b"\n+", b"\n").replace(b":+", b":")
    try:
        numbers = np.array(orjson.loads(b"[%b]" % text[:-1].translate(_COMMAS)), dtype=np.float64)
    except (orjson.JSONDecodeError, OverflowError):
        return None  # `.5`, `5.`, `01`: numbers to us, not to JSON
    if len(numbers) != len(marks) or bool((np.abs(numbers) >= FLOAT32_LIMIT).any()):
        return None
    return _assembled(numbers, np.frombuffer(marks, dtype=np.uint8), filled, len(ends), form)


def _assembled(
    numbers: NDArray[np.float64],
    after: NDArray[np.uint8],
    filled: NDArray[np.int64],
    rows: int,
    form: _Form,
) -> _Piece | None:
    """The piece of its numbers and of the mark that follows each, or None where it is faulty."""
    before = np.concatenate([[_LINE], after])[:-1]
    is_index, is_value, is_first = after == _COLON, before == _COLON, before == _LINE
    is_label = ~is_index & ~is_value
    if (is_index & is_value).any() or (is_label & ~is_first).any():
        return None
    row_of = filled[np.cumsum(is_first) - 1]
    row, index, value = row_of[is_index], numbers[is_index], numbers[is_value]
    labels = np.full(rows, np.nan)
    labels[row_of[is_label]] = numbers[is_label]

    is_group = index == -1
    groups = np.full(rows, -1, dtype=np.int64)
    if is_group.any():
        found, group = row[is_group], value[is_group]
        if len(np.unique(found)) < len(found):
            return None
        groups[found] = group
        row, index, value = row[~is_group], index[~is_group], value[~is_group]

    column = index - form.base
    last = MAX_INDEX if form.width is None else form.width - 1
    if len(column) and not (column.min() >= 0 and column.max() <= last):
        return None
    ordered = _ordered(row, column.astype(np.int32))
    if ordered is None:
        return None
    order, columns = ordered
    counts = np.bincount(row, minlength=rows)
    return _Piece(counts, columns, value[order] + 0.0, labels + 0.0, groups)  # one zero


def _ordered(
    row: NDArray[np.int64], column: NDArray[np.int32]
) -> tuple[NDArray[np.int64] | slice, NDArray[np.int32]] | None:
    """The order that makes columns ascend in each row; None where a row has one twice."""
    same = row[1:] == row[:-1]
    if not (same & (column[1:] <= column[:-1])).any():
        return slice(None), column
    order = np.lexsort((column, row))
    column = column[order]
    return None if (same & (column[1:] == column[:-1])).any() else (order, column)


# ---- any piece, line by line


def _by_line(text: bytes, form: _Form, rows_before: int) -> _Piece:
    lines = text[:-1].split(b"\n")
    counts = np.zeros(len(lines), dtype=np.int64)
    labels = np.full(len(lines), np.nan)
    groups = np.full(len(lines), -1, dtype=np.int64)
    columns: list[int] = []
    values: list[float] = []
    for position, line in enumerate(lines):
        row = rows_before + position + 1
        try:
            label, group, entries = _row(_decoded(line), form, row)
        except RequestError as error:
            error.row = row
            raise
        counts[position] = len(entries)
        labels[position], groups[position] = label, group
        for column in sorted(entries):
            columns.append(column)
            values.append(entries[column])
    return _Piece(
        counts,
        np.array(columns, dtype=np.int32),
        np.array(values, dtype=np.float64) + 0.0,
        labels + 0.0,
        groups,
    )


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BodyError(f"the body is not UTF-8: {error.reason}", code="encoding") from error


def _row(line: str, form: _Form, row: int) -> tuple[float, int, dict[int, float]]:
    """Label (NaN where there is none), group (-1), and value by column."""
    label, group = float("nan"), -1
    entries: dict[int, float] = {}
    for position, token in enumerate(line.split(" ") if line else []):
        name, colon, text = token.partition(":")
        if not colon:
            if position:
                raise _malformed(token)
            label = number(token, form.missing)
        elif not name or not text:
            raise _malformed(token)
        elif name == "qid":
            if group >= 0:
                raise BodyError("qid occurs twice in the row", code="duplicate_index")
            group = _group(text)
        else:
            index = _index(name)
            column = index - form.base
            if column < 0 or column > (MAX_INDEX if form.width is None else form.width - 1):
                raise outside(index, form.base, form.width, row)
            if column in entries:
                raise duplicate(index, row)
            entries[column] = _value(text, index, form)
    return label, group, entries


def _value(text: str, index: int, form: _Form) -> float:
    try:
        return number(text, form.missing)
    except RequestError as error:
        error.column = index
        raise


def _index(text: str) -> int:
    found = _whole(text)
    if found is None:
        if text.isascii() and text.isdigit():
            return 10**18  # beyond every model
        raise BodyError(
            f"{shown(text)} is not an index: a whole number of digits alone", code="libsvm"
        )
    return int(found[1])


def _group(text: str) -> int:
    found = _whole(text)
    if found is None or int(found[1]) >= _LARGEST_GROUP:
        raise BodyError(
            f"qid {shown(text)} is not a whole number from 0 to 2**53 - 1", code="libsvm"
        )
    return int(found[1])


def _malformed(token: str) -> RequestError:
    return BodyError(
        f"{shown(token)} is not index:value; a row is [label] [qid:n] index:value ...",
        code="libsvm",
    )
