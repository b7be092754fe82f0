"""Reading tables from files: CSV and Parquet, single files and folders, every cell kept raw.

CSV cells stay text, so that they are read by the schema's rules and not by a library's guesses.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from canarywood import media
from canarywood.errors import DataError
from canarywood.schema import cells

# Files that stand beside data and are none.
OTHER_FILES = ("schema.json", "manifest.json")
PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
# A column that tells where a row stood before rows were left out; `number_rows` adds it.
ROW = "_row"
_SOURCES = b"canarywood.sources"
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class CsvForm:
    """How the CSV files of a folder are laid out; None: by the first line.

    Attributes:
        header: whether the first line names the columns.
        names: the columns' names where there is no header; f0, f1, ... where none are given.
    """

    header: bool | None = None
    names: Sequence[str] | None = None


def read_tables(
    place: Path, *, content_type: str | None = None, form: CsvForm | None = None
) -> pa.Table:
    """One table of all data files at or below `place`, in the order of their names.

    Args:
        place: a file or a folder (searched with its sub-folders).
        content_type: of every file, as a channel's ContentType; by their names otherwise.
        form: how CSV files are laid out.

    Raises:
        DataError: nothing there, an unreadable file, or files with different columns; the
            file is named.
    """
    paths = data_files(place)
    if not paths:
        raise DataError(f"{place} holds no data; put csv or parquet files there")
    tables = [_read(path, content_type, form or CsvForm()) for path in paths]
    first = tables[0].column_names
    for path, table in zip(paths, tables, strict=True):
        if set(table.column_names) != set(first):
            odd = sorted(set(table.column_names) ^ set(first))
            raise DataError(
                f"{path.name} has other columns than {paths[0].name}: {', '.join(odd[:8])}"
            )
    joined = pa.concat_tables(_alike([table.select(first) for table in tables]))
    sources = [(path.name, table.num_rows) for path, table in zip(paths, tables, strict=True)]
    return joined.replace_schema_metadata({_SOURCES: json.dumps(sources)})


def data_files(place: Path) -> list[Path]:
    """The data files at or below a place; hidden ones and our own JSON files are left out."""
    if place.is_file():
        return [place]
    return sorted(
        path
        for path in place.rglob("*")
        if path.is_file()
        and path.name not in OTHER_FILES
        and not any(part.startswith((".", "_")) for part in path.relative_to(place).parts)
        and path.stat().st_size > 0
    )


def number_rows(table: pa.Table) -> pa.Table:
    """The table with the number of each row, so that source_of knows it after a filter."""
    return table.append_column(ROW, pa.array(range(1, table.num_rows + 1), pa.int64()))


def source_of(table: pa.Table, row: int) -> str:
    """Where a row (from 1) of a table came from: `april.csv, row 12`."""
    if ROW in table.column_names:
        row = table.column(ROW)[row - 1].as_py()
    metadata = table.schema.metadata or {}
    for name, rows in json.loads(metadata.get(_SOURCES, b"[]")):
        if row <= rows:
            return f"{name}, row {row}"
        row -= rows
    return f"row {row}"


def is_parquet(path: Path, content_type: str | None) -> bool:
    """Whether a file is Parquet: by its first bytes, whatever it is called."""
    if content_type and media.parse(content_type).name not in (media.PARQUET, media.CSV):
        raise DataError(
            f"content type {content_type} of {path.name} is not supported; "
            f"use {media.CSV} or {media.PARQUET}"
        )
    with path.open("rb") as stream:
        return stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def _read(path: Path, content_type: str | None, form: CsvForm) -> pa.Table:
    if is_parquet(path, content_type):
        try:
            # of this file alone: read_table makes columns of folders called `year=2013`
            table = pa.parquet.ParquetFile(path, memory_map=True).read()
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path.name} is not a readable Parquet file: {error}") from error
        _refuse_twins(path, table.column_names)
        return table
    if content_type and media.parse(content_type).name == media.PARQUET:
        raise DataError(f"{path.name} is not a Parquet file, but its channel says so")
    return _read_csv(path, form)


def _read_csv(path: Path, form: CsvForm) -> pa.Table:
    first = _first_line(path)
    mark = cells.delimiter(first)
    titles = _split(first, mark)
    header = looks_like_header(titles) if form.header is None else form.header
    names = titles if header else list(form.names or (f"f{i}" for i in range(len(titles))))
    if len(names) != len(titles):
        raise DataError(f"{path.name} has {len(titles)} columns, {len(names)} names are given")
    _refuse_twins(path, names)
    wrong: list[str] = []

    def refuse(row: pa.csv.InvalidRow) -> str:
        # Arrow counts every line, the header among them
        place = f"row {row.number - int(header)}" if row.number else "a row"
        wrong.append(f"{place} has {row.actual_columns} values, {row.expected_columns} columns")
        return "error"

    def read(*, one_thread: bool) -> pa.Table:
        with _open(path) as stream:
            return pa.csv.read_csv(
                stream,
                read_options=pa.csv.ReadOptions(
                    column_names=names,
                    skip_rows=int(header),
                    block_size=_BLOCK_BYTES,
                    use_threads=not one_thread,
                ),
                parse_options=pa.csv.ParseOptions(
                    delimiter=mark, newlines_in_values=True, invalid_row_handler=refuse
                ),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=False,
                    quoted_strings_can_be_null=False,
                ),
            )

    try:
        return read(one_thread=False)
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0]
        if wrong:  # with one thread Arrow knows the row as well
            with suppress(pa.ArrowException):
                read(one_thread=True)
            said = wrong[-1]
        elif "UTF8" in said:
            raise DataError(f"{path.name} is not UTF-8: {said}; save it as UTF-8") from error
        raise DataError(f"{path.name} is not readable CSV: {said}") from error


def _open(path: Path) -> pa.NativeFile:
    """The bytes of a file, unpacked where it is gzip, whatever it is called."""
    with path.open("rb") as stream:
        packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return pa.input_stream(str(path), compression="gzip" if packed else None)


def _refuse_twins(path: Path, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise DataError(f"{path.name} names the column {cells.shown(twice)} twice")


def looks_like_header(titles: Sequence[str]) -> bool:
    """Whether the first line names columns: no cell is empty or a number, and none stands twice."""
    texts = [title.strip(cells.BLANKS) for title in titles]
    if any(not text or cells.is_number(text) for text in texts):
        # A nameless first column is how pandas writes its index: still a header.
        texts = texts[1:] if texts and not texts[0] and len(texts) > 1 else [""]
        if any(not text or cells.is_number(text) for text in texts):
            return False
    return len(set(texts)) == len(texts)


def _first_line(path: Path) -> str:
    try:
        with _open(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as stream:
            text = stream.readline()
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8: {error}; save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    if not text.strip():
        raise DataError(f"{path.name} begins with an empty line")
    return text.rstrip("\r\n")


def _split(line: str, mark: str) -> list[str]:
    """The cells of one line, quotes respected."""
    return [cell.strip(cells.BLANKS) for cell in next(csv.reader([line], delimiter=mark))]


def _alike(tables: list[pa.Table]) -> list[pa.Table]:
    """Tables whose columns have one type each: where files differ, the cells become text."""
    for position, name in enumerate(tables[0].column_names):
        types = {table.schema.field(name).type for table in tables}
        if len(types) == 1:
            continue
        for index, table in enumerate(tables):
            try:
                cast = table.column(name).cast(pa.string())
            except pa.ArrowException as error:
                raise DataError(
                    f"column {name} has different types in the files: "
                    f"{', '.join(sorted(map(str, types)))}"
                ) from error
            tables[index] = table.set_column(position, pa.field(name, pa.string()), cast)
    return tables
