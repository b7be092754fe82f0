"""Arrow IPC (stream and file) and Parquet bodies as tables.

pyarrow is imported when such a body comes, never before: serving starts without it. Bytes from a
stranger may name offsets outside of their buffers and texts that unfold without end, so what is
read is checked in full, and counted, before anybody looks at a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from canarywood.errors import BodyError, TooLargeError
from canarywood.formats.matrix import MAX_CELLS, no_row
from canarywood.formats.numbers import shown

MAX_ROWS = 1_000_000
_MAX_BYTES = 1 << 30  # of the values, texts unfolded
_BATCH_ROWS = 1 << 14
_MAX_COLUMNS = 10_000
_FILE_MAGIC = b"ARROW1"


def ipc(body: bytes, *, max_rows: int = MAX_ROWS) -> Any:
    """The pyarrow.Table of an Arrow IPC stream or file.

    Raises:
        BodyError: `empty_body`, `arrow`, `column_type`, `duplicate_column`.
        TooLargeError: `too_many_rows`, `too_many_cells`.
    """
    import pyarrow as pa

    if not body:
        raise no_row()
    options = pa.ipc.IpcReadOptions(use_threads=False)  # a worker has one processor
    try:
        if body.startswith(_FILE_MAGIC):
            reader = pa.ipc.open_file(pa.BufferReader(body), options=options)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            reader = pa.ipc.open_stream(pa.BufferReader(body), options=options)
            batches = iter(reader)
        return _table(reader.schema, batches, max_rows)
    except _faults() as error:
        raise BodyError("the body is not readable Arrow IPC", code="arrow") from error


def parquet(body: bytes, *, max_rows: int = MAX_ROWS) -> Any:
    """The pyarrow.Table of a Parquet file.

    Raises:
        BodyError: `empty_body`, `parquet`, `column_type`, `duplicate_column`.
        TooLargeError: `too_many_rows`, `too_many_cells`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not body:
        raise no_row()
    try:
        source = pa.BufferReader(body)
        schema = pq.read_schema(source)
        texts = [item.name for item in schema if _is_text(item.type)]
        with pq.ParquetFile(source, read_dictionary=texts, pre_buffer=False) as file:
            _check_size(file.metadata.num_rows, len(schema), max_rows)
            batches = file.iter_batches(_BATCH_ROWS, use_threads=False)
            return _table(file.schema_arrow, batches, max_rows)
    except _faults() as error:
        raise BodyError("the body is not a readable Parquet file", code="parquet") from error


def records(table: Any) -> list[dict[str, Any]]:
    """The rows of a table as Python values by column name."""
    try:
        found: list[dict[str, Any]] = table.to_pylist()
    except _faults() as error:
        raise BodyError("a cell holds a time that does not exist", code="time") from error
    return found


def _faults() -> tuple[type[Exception], ...]:
    """What pyarrow raises at bytes that it cannot read."""
    import pyarrow as pa

    return (pa.ArrowException, OSError, ValueError, LookupError, OverflowError, MemoryError)


def _table(schema: Any, batches: Iterable[Any], max_rows: int) -> Any:
    import pyarrow as pa

    _check_columns(schema)
    plain, rows, size = [], 0, 0
    for batch in batches:
        rows += batch.num_rows
        _check_size(rows, len(schema), max_rows)
        batch.validate(full=True)
        size += sum(_bytes_of(column) for column in batch.columns)
        if size > _MAX_BYTES:
            raise TooLargeError(
                f"the values unfold to more than {_MAX_BYTES} bytes; send fewer rows",
                code="too_many_cells",
            )
        plain.append([_plain(column) for column in batch.columns])
    if not rows:
        raise no_row()
    columns = [pa.chunked_array(list(chunks)) for chunks in zip(*plain, strict=True)]
    return pa.table(columns, names=schema.names)


def _check_columns(schema: Any) -> None:
    if not 0 < len(schema) <= _MAX_COLUMNS:
        raise BodyError(f"a table of {len(schema)} columns cannot be read", code="arrow")
    for position, item in enumerate(schema):
        if item.name in schema.names[:position]:
            raise BodyError(f"{shown(item.name)} is there twice", code="duplicate_column")
        if not _is_known(item.type):
            raise BodyError(
                f"a column of type {str(item.type)[:60]} cannot be read; send numbers, texts, "
                "booleans, dates or timestamps",
                code="column_type",
                column=item.name[:60],
            )


def _check_size(rows: int, columns: int, max_rows: int) -> None:
    if rows > max_rows:
        raise TooLargeError(
            f"the body has more than {max_rows} rows; send fewer", code="too_many_rows"
        )
    if rows * columns > MAX_CELLS:
        raise TooLargeError(
            f"{rows} rows of {columns} columns are more than {MAX_CELLS} cells; send fewer rows",
            code="too_many_cells",
        )


def _is_known(kind: Any) -> bool:
    """Whether a column of this type is a column of plain values."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_null(kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_date(kind)
        or types.is_timestamp(kind)
        or _is_text(kind)
    )


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _bytes_of(column: Any) -> int:
    """The size of a column with its dictionary unfolded."""
    import pyarrow.compute as pc
    from pyarrow import types

    if not types.is_dictionary(column.type):
        return int(column.nbytes)
    if not _is_text(column.type.value_type):
        return 16 * len(column)
    sizes = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(sizes.cast("int64")).as_py() or 0) + 8 * len(column)


def _plain(column: Any) -> Any:
    """The column in one of the types that the schema reads."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_decimal(kind):
        return column.cast(pa.float64())
    if types.is_float16(kind):
        return column.cast(pa.float32())
    if types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)  # Python's finest
    return column
