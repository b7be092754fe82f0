"""312 bad inputs: 12 kinds of content times 26 faults, each with the statuses that are right.

A fault of the bytes is the same for every kind; a fault of the table is written as each kind can
write it, and where a kind cannot (LIBSVM has no ragged rows), by the fault nearest to it.
"""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from conformance import formats
from conformance.given import Given
from conformance.kinds import KINDS, Kind, Table, v2_columns

LIMIT = 6_291_456  # bytes; AWS, InvokeEndpoint API: Body
UNDECODED = frozenset({400})
UNFIT = frozenset({422})
EITHER = UNDECODED | UNFIT
NOISE = b"\xfe" + np.random.default_rng(99).bytes(199)
PNG = b"\x89PNG\r\n\x1a\n" + NOISE
HTML = b"<!DOCTYPE html>\n<html><body>1,2,3</body></html>\n"


@dataclass(frozen=True)
class Bad:
    """One cell of the matrix.

    Attributes:
        allowed: the statuses that are right; any 4xx keeps the platform's rule.
    """

    kind: str
    fault: str
    body: bytes
    headers: Mapping[str, str]
    allowed: frozenset[int]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        spoil: the body for a kind and a good table.
        headers: beside or instead of the kind's Content-Type.
    """

    name: str
    spoil: Callable[[Kind, Table], bytes]
    allowed: frozenset[int]
    headers: Mapping[str, str] = field(default_factory=dict)


def good_table(given: Given) -> Table:
    """Three rows of the given model."""
    rows = tuple(tuple(float(str(cell)) for cell in row) for row in given.rows[:3])
    names = given.names or [f"f{index}" for index in range(given.width)]
    return Table(tuple(names), rows)


def cells(given: Given) -> list[Bad]:
    """All of them, kind by kind."""
    table = good_table(given)
    return [
        Bad(
            kind.name,
            fault.name,
            fault.spoil(kind, table),
            {"Content-Type": kind.media_type, **fault.headers},
            fault.allowed,
        )
        for kind in KINDS
        for fault in FAULTS
    ]


# ---- faults of the bytes


def _of_bytes(spoil: Callable[[bytes], bytes]) -> Callable[[Kind, Table], bytes]:
    return lambda kind, table: spoil(kind.write(table))


def _good(kind: Kind, table: Table) -> bytes:
    return kind.write(table)


def _cut(kind: Kind, table: Table) -> bytes:
    body = kind.write(table)
    if kind.name == "libsvm":
        return body[: body.rfind(b":") + 1]  # elsewhere the rest would be a row
    return body[: len(body) * 9 // 10] if kind.is_text else body[: len(body) * 3 // 4]


def _nulls(body: bytes) -> bytes:
    half = len(body) // 2
    return body[:half] + b"\0\0\0" + body[half:]


def _not_utf8(kind: Kind, table: Table) -> bytes:
    body = kind.write(table)
    half = len(body) // 2 if kind.is_text else 0
    return body[:half] + b"\xff\xfe" + body[half:]


def _utf16(kind: Kind, table: Table) -> bytes:
    body = kind.write(table)
    return body.decode().encode("utf-16") if kind.is_text else body[::-1]


def _another(kind: Kind, table: Table) -> bytes:
    return formats.recordio(np.asarray(table.rows, np.float32)) if kind.is_text else b"1,2,3\n"


def _too_long(kind: Kind, table: Table) -> bytes:
    body = kind.write(table)
    return body * (LIMIT // len(body)) + b"\n" * (LIMIT % len(body) + 1)


# ---- faults of the table


def _of_table(
    change: Callable[[Table], Table], special: Mapping[str, Callable[[Kind, Table], bytes]]
) -> Callable[[Kind, Table], bytes]:
    """Write the changed table; some kinds have a way of their own."""

    def spoil(kind: Kind, table: Table) -> bytes:
        if kind.name in special:
            return special[kind.name](kind, table)
        return kind.write(change(table))

    return spoil


def _fewer(table: Table) -> Table:
    return Table(table.names[:-1], tuple(row[:-1] for row in table.rows))


def _more(table: Table) -> Table:
    return Table((*table.names, "unheard_of"), tuple((*row, 0.5) for row in table.rows))


def _ragged(table: Table) -> Table:
    return replace(table, rows=(table.rows[0], table.rows[1][:-1], *table.rows[2:]))


def _text(content: str | bytes) -> Callable[[Kind, Table], bytes]:
    return lambda _, __: content.encode() if isinstance(content, str) else content


def _swapped(old: bytes, new: bytes) -> Callable[[Kind, Table], bytes]:
    return lambda kind, table: kind.write(table).replace(old, new, 1)


def _tables_of_lists(kind: Kind, table: Table) -> bytes:
    rows = tuple((*row[:-1], [row[-1]]) for row in table.rows)
    return kind.write(replace(table, rows=rows))


def _mixed_rows(kind: Kind, table: Table) -> bytes:
    named = next(other for other in KINDS if other.name == "jsonlines by name")
    other = named.write(table).splitlines()[1]
    if kind.name == "jsonlines":
        return kind.write(table) + other + b"\n"
    return kind.write(table).replace(b"]]}", b"], " + other + b"]}")


def _header(kind: Kind, table: Table) -> bytes:
    return (",".join(table.names) + "\n").encode() + kind.write(table)


def _structured(kind: Kind, table: Table) -> bytes:
    del kind
    return formats.npy(np.zeros(3, dtype=[(name, "<f4") for name in table.names]))


def _record(content: bytes) -> Callable[[Kind, Table], bytes]:
    return lambda kind, table: kind.write(table) + formats.frame(content)


def _twice(table: Table) -> Table:
    return table.with_names(table.names[1])


def _none(table: Table) -> Table:
    return replace(table, rows=())


UNHEARD = formats.entry(formats.FEATURES, "unheard_of", formats.tensor([0.5] * 10))
TWO_KEYS = formats.entry(formats.FEATURES, "values", formats.tensor([0.5, 1.5], [3, 3]))
XML = {"Content-Type": "application/xml"}
Special = dict[str, Callable[[Kind, Table], bytes]]

_FEWER: Special = {
    "csv with header": lambda kind, table: kind.write(replace(_fewer(table), names=table.names)),
    "json by name": lambda kind, table: kind.write(table.with_cell([0.5])),
    "jsonlines by name": lambda kind, table: kind.write(table.with_cell({"a": 1})),
    "libsvm": _text("0:1 -1:3\n"),
    "parquet": lambda kind, table: kind.write(_twice(table)),
    "arrow": lambda kind, table: kind.write(_twice(table)),
}
_RAGGED: Special = {
    "json by name": _swapped(b'{"instances": [', b'{"instances": [[1, 2], '),
    "jsonlines by name": lambda kind, table: b"[1, 2]\n" + kind.write(table),
    "libsvm": _text("0:1 1:2\n0:1 1\n"),
    "parquet": _tables_of_lists,
    "arrow": _tables_of_lists,
}
_UNKNOWN: Special = {
    "csv": lambda kind, table: _header(kind, table.with_names("unheard_of")),
    "json": _mixed_rows,
    "jsonlines": _mixed_rows,
    "v2": lambda _, table: v2_columns(table.with_names("unheard_of")),
    "libsvm": _text("0:1 unheard_of:2\n"),
    "recordio": _record(UNHEARD),
    "npy": _structured,
}
_DOUBLE: Special = {
    "csv": lambda kind, table: _header(kind, _twice(table)),
    "json": _swapped(b"]]}", b']], "instances": 5}'),
    "json by name": lambda kind, table: kind.write(table.with_cell([0.5, 0.25])),
    "jsonlines": _swapped(b"]\n", b"] [1]\n"),
    "jsonlines by name": _swapped(b"}\n", b'} {"age": 1}\n'),
    "v2": lambda _, table: v2_columns(_twice(table)),
    "libsvm": _text("0:1 3:2 3:2\n"),
    "recordio": _record(TWO_KEYS),
    "npy": lambda _, table: formats.npy(np.asarray(table.rows, np.float32)[:, :, None]),
}
_BLANK: Special = {
    "csv": _swapped(b"\n", b"\n\n"),
    "csv with header": lambda kind, table: kind.write(table)[:-1].replace(b"\n", b"\n\n"),
    "json": _swapped(b"], [", b"], null, ["),
    "json by name": _swapped(b"}, {", b"}, null, {"),
    "jsonlines": _swapped(b"\n", b"\nnull\n"),
    "jsonlines by name": _swapped(b"\n", b"\n\n"),
    "libsvm": _text("1 2 3\n"),
    "recordio": _record(b""),
}

FAULTS = (
    Fault("no byte", _of_bytes(lambda _: b""), UNDECODED),
    Fault("noise", _of_bytes(lambda _: NOISE), EITHER),
    Fault("a picture", _of_bytes(lambda _: PNG), EITHER),
    Fault("a web page", _of_bytes(lambda _: HTML), EITHER),
    Fault("a pickle", _of_bytes(lambda body: pickle.dumps({"rows": body})), EITHER),
    Fault("gzip, unsaid", _of_bytes(lambda body: gzip.compress(body, mtime=0)), EITHER),
    Fault("cut", _cut, EITHER),
    Fault("null bytes inside", _of_bytes(_nulls), EITHER),
    Fault("bytes that are not UTF-8", _not_utf8, EITHER),
    Fault("UTF-16, or the bytes reversed", _utf16, EITHER),
    Fault("5,000 brackets", _of_bytes(lambda _: b"[" * 5000), EITHER),
    Fault("another format", _another, EITHER),
    Fault("a column too few", _of_table(_fewer, _FEWER), EITHER),
    Fault("a column too many", _of_table(_more, {}), UNFIT),
    Fault("text in a number's place", _of_table(lambda t: t.with_cell("twelve"), {}), EITHER),
    Fault("infinity", _of_table(lambda t: t.with_cell(float("inf")), {}), EITHER),
    Fault("beyond float32", _of_table(lambda t: t.with_cell(1e39), {}), UNFIT),
    Fault("rows of unequal width", _of_table(_ragged, _RAGGED), EITHER),
    Fault("an unknown name", _of_table(lambda t: t.with_names("unheard_of"), _UNKNOWN), EITHER),
    Fault("something twice", _of_table(_twice, _DOUBLE), EITHER),
    Fault("an empty row, or none", _of_table(_none, _BLANK), EITHER),
    Fault("unknown Content-Type", _good, frozenset({415}), XML),
    Fault("garbled Content-Type", _good, frozenset({415}), {"Content-Type": ";;=/"}),
    Fault("unknown Accept", _good, frozenset({406}), {"Accept": "image/png"}),
    Fault("unknown output", _good, frozenset({406}), {"Accept": "text/csv; outputs=foo"}),
    Fault("a byte over the limit", _too_long, frozenset({413})),
)


def summary(statuses: Mapping[int, int]) -> str:
    """`230 x 400, 40 x 422`."""
    return ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
