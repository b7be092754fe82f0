"""From the channels of a training job to arrays: which columns are label, weight and features.

With a schema (the channel `schema`, or schema.json beside the training files) the columns go by
name. Without one the layout is that of SageMaker's own XGBoost: the label is the first column, the
weight the second where `csv_weights` is set, and every further column a feature. Columns with
another role (`canarywood.training.columns`) go by name in both.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from canarywood.contract import Layout
from canarywood.errors import DataError, HyperparameterError
from canarywood.schema import cells
from canarywood.schema.definition import Column, Schema, Target, plain
from canarywood.schema.files import source_of
from canarywood.schema.table import LABEL, CsvForm, encode, labels, read_tables, weights
from canarywood.training import columns, numeric, targets
from canarywood.training.columns import Roles
from canarywood.training.hosts import ALONE, Hosts
from canarywood.training.hyperparameters import Hyperparameters
from canarywood.training.rows import LOWER, QID, Floats, Rows
from canarywood.training.sources import LIBSVM, PARQUET, RECORDIO, Source, Sources

TRAIN = "train"
VALIDATION = "validation"
SCHEMA_CHANNEL = "schema"
SCHEMA_NAME = "schema.json"


@dataclass(frozen=True)
class Channels:
    """What a training job was given; without its own schema, one is made of the columns."""

    schema: Schema
    train: Rows
    validation: Rows | None


class NoDataError(DataError):
    """This host has no rows in a channel, as sharding over hosts may leave it."""


def read_schema(layout: Layout) -> Schema | None:
    """The schema of the channel `schema`, or of the training channel; None where there is none."""
    for name in (SCHEMA_CHANNEL, TRAIN):
        path = layout.channel(name) / SCHEMA_NAME
        if path.is_file():
            return Schema.read(path)
    if layout.channel(SCHEMA_CHANNEL).is_dir():
        raise DataError(f"channel schema: {layout.channel(SCHEMA_CHANNEL)} holds no {SCHEMA_NAME}")
    return None


def has_rows(sources: Sources) -> bool:
    """Whether this host has files in every channel of the job."""
    names = [TRAIN, *([VALIDATION] if VALIDATION in sources else [])]
    return all(sources.open(name) is not None for name in names)


def read(
    sources: Sources, given: Hyperparameters, schema: Schema | None, hosts: Hosts = ALONE
) -> Channels:
    """Read the channels `train` and, where the job has it, `validation`.

    Several hosts, each with rows of its own, end with one schema.

    Raises:
        NoDataError: one of them is empty.
        DataError: with channel, file, row and column.
    """
    train = _opened(sources, TRAIN)
    validation = _opened(sources, VALIDATION) if VALIDATION in sources else None
    if train.kind in (LIBSVM, RECORDIO):
        return _read_numbered(train, validation, given, schema, hosts)
    with _channel(TRAIN):
        table = _table(train, schema)
        made = schema is None
        if schema is None:
            table = _named(table, _plain_names(len(table.column_names), weighted=given.csv_weights))
        roles = Roles.find(table.column_names, given.columns, given.booster["objective"])
        if schema is None:
            schema, roles = _plain_schema(table, given, roles, typed=train.kind == PARQUET)
        reader = _Reader(_with_number_labels(schema) if made else schema, roles, given)
        _agree(schema, hosts)
        names = table.column_names
        rows = reader.rows(table, train.kind)
        del table  # the matrix is all that is needed from here on
    if validation is None:
        return Channels(schema, rows, None)
    with _channel(VALIDATION):
        other = _table(validation, None if made else schema)
        other = _named(other, names) if made else other
        return Channels(schema, rows, reader.rows(other, validation.kind))


def _agree(schema: Schema, hosts: Hosts) -> None:
    """The hosts must see the same columns, though each has its own files."""
    said = hosts.gathered(schema.to_json())
    odd = [rank for rank, other in enumerate(said) if other != said[0]]
    if odd:
        raise DataError(
            f"host {odd[0] + 1} has other columns or categories than host 1; give the job a "
            f"channel {SCHEMA_CHANNEL}, so that all have the same"
        )


def _opened(sources: Sources, channel: str) -> Source:
    source = sources.open(channel)
    if source is None:
        raise NoDataError(
            f"channel {channel}: {sources.folder(channel)} holds no data; it must hold csv, "
            "parquet, libsvm or recordio files"
        )
    return source


@contextmanager
def _channel(name: str) -> Iterator[None]:
    """Names the channel in every DataError."""
    try:
        yield
    except DataError as error:
        raise DataError(f"channel {name}: {error}") from error


def _with_number_labels(schema: Schema) -> Schema:
    """The schema for reading labels in SageMaker's layout: numbers, whatever the task."""
    label = schema.target.column if schema.target else LABEL
    return dataclasses.replace(schema, target=Target(label, "regression"))


def _table(source: Source, schema: Schema | None) -> pa.Table:
    form = _form(source.files[0], schema) if schema and source.kind != PARQUET else None
    table = read_tables(source.folder, content_type=source.content_type, form=form)
    if table.num_rows == 0:
        raise DataError(f"{source.files[0].name} has no rows")
    return table


def _form(path: Path, schema: Schema) -> CsvForm:
    """Whether a CSV file names its columns, by the schema: text alone does not tell."""
    names = _schema_names(schema)
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.open(raw) if packed else raw as stream:
            first = stream.readline()
    line = first.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    try:
        found = next(csv.reader([line], delimiter=cells.delimiter(line)), [])
    except csv.Error as error:
        raise DataError(f"{path.name} is not readable CSV: {error}") from error
    if {LABEL, *names} & {cell.strip(cells.BLANKS) for cell in found}:
        return CsvForm(header=True)
    return CsvForm(header=False, names=names)


def _schema_names(schema: Schema) -> list[str]:
    """The columns of a CSV file without header: label, weight, inputs."""
    label = schema.target.column if schema.target else LABEL
    first = [label, *([schema.weight] if schema.weight else [])]
    return [*first, *(name for name in schema.input_names if name not in first)]


def _plain_names(number: int, *, weighted: bool) -> list[str]:
    """Names for a table without header."""
    first = ["label", *(["weight"] if weighted else [])]
    return [*first, *(f"f{i}" for i in range(number - len(first)))]


def _named(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The table with these names where its file had none."""
    unnamed = table.column_names == [f"f{i}" for i in range(table.num_columns)]
    if not unnamed or len(names) != table.num_columns:
        return table
    return table.rename_columns(list(names)).replace_schema_metadata(table.schema.metadata)


def _plain_schema(
    table: pa.Table, given: Hyperparameters, roles: Roles, *, typed: bool
) -> tuple[Schema, Roles]:
    """The schema of columns in SageMaker's order; texts of a Parquet file are categories."""
    names = [name for name in table.column_names if name not in roles.all]
    named = roles.labels or (() if roles.one(LOWER) is None else (roles.names[LOWER]))
    label, rest = (named, names) if named else (tuple(names[:1]), names[1:])
    weight = roles.one("weight")
    if given.csv_weights and weight is None and rest:
        weight = rest.pop(0)
    if not rest:
        raise DataError(f"no features: the only columns are {', '.join(table.column_names)}")
    found = {**roles.names, columns.LABELS: label, **({"weight": (weight,)} if weight else {})}
    schema = dataclasses.replace(
        plain(len(rest), tuple(rest)),
        inputs=tuple(_column(table, name) if typed else Column(name) for name in rest),
        target=targets.target(label[0], given.booster) if len(label) == 1 else None,
        weight=weight,
    )
    return schema, Roles(found)


def _column(table: pa.Table, name: str) -> Column:
    kind = table.schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return Column(name)
    texts = table.column(name).cast(pa.string()).unique().to_pylist()
    return Column(name, "category", tuple(sorted(text for text in texts if text)))


@dataclass(frozen=True)
class _Reader:
    """From the table of a channel to its rows."""

    schema: Schema
    roles: Roles
    given: Hyperparameters

    def rows(self, table: pa.Table, kind: str) -> Rows:
        """The arrays, every label checked."""
        schema, roles = self.schema, self.roles
        twice = sorted(roles.all & set(schema.features))
        if twice:
            raise HyperparameterError(f"column {twice[0]!r} is a feature; it has no other role")
        found = self._labels(table)
        targets.check(found, self.given.booster, lambda row: source_of(table, row))
        extras = columns.extras(table, roles, schema.missing)
        targets.complete(extras, found, self.given.booster["objective"])
        result = Rows(
            encode(table, schema),
            found,
            self._weights(table),
            kind,
            extras,
            self._fold_key(table),
        )
        return result.by_group()

    def _labels(self, table: pa.Table) -> Floats:
        names = self.roles.labels
        if len(names) > 1:
            found = [columns.numbers(table, name, self.schema.missing) for name in names]
            return np.column_stack(found).astype(np.float32)
        return labels(table, self.schema)

    def _weights(self, table: pa.Table) -> Floats | None:
        name = self.roles.one("weight") or self.schema.weight
        found = weights(table, dataclasses.replace(self.schema, weight=name))
        if found is not None and not found.any():
            raise DataError("every weight is 0")
        return found

    def _fold_key(self, table: pa.Table) -> NDArray[Any] | None:
        name = self.roles.one("fold")
        folds = self.given.folds
        if folds is None:
            return None
        if name is None and (name := self.roles.one(QID)) is None:
            return None
        return columns.keys(table, name, ordered=folds.by == "time")


def _read_numbered(
    train: Source,
    validation: Source | None,
    given: Hyperparameters,
    schema: Schema | None,
    hosts: Hosts,
) -> Channels:
    """LIBSVM and recordio: columns by number."""
    if given.columns:
        raise HyperparameterError(
            f"{next(iter(given.columns))}_column: {train.kind} files have no column names"
        )
    with _channel(TRAIN):
        first = numeric.read(train, schema)
    second = None
    if validation is not None:
        with _channel(VALIDATION):
            second = numeric.read(validation, schema)
    if schema is None:
        width = max(hosts.gathered(max(first.width, second.width if second else 0)))
        first = first.widened(width)
        second = second and second.widened(width)
        base = 0
        from_one = all(n.first_is_empty for n in (first, second) if n)
        if train.kind == LIBSVM and all(hosts.gathered(from_one)):
            first, second, base = first.without_first(), second and second.without_first(), 1
        schema = dataclasses.replace(
            plain(width - base), target=targets.target("label", given.booster), index_base=base
        )
    with _channel(TRAIN):
        rows = _numbered_rows(first, train.kind, given, schema)
    if second is None:
        return Channels(schema, rows, None)
    with _channel(VALIDATION):
        other = _numbered_rows(second, train.kind, given, schema)
    return Channels(schema, rows, other)


def _numbered_rows(
    found: numeric.Numbered, kind: str, given: Hyperparameters, schema: Schema
) -> Rows:
    label = found.labels.astype(np.float32)
    targets.check(label, given.booster, found.place)
    objective = given.booster["objective"]
    extras: dict[str, NDArray[Any]] = {}
    if found.groups is not None and objective.startswith("rank:"):
        extras[QID] = np.unique(found.groups, return_inverse=True)[1].astype(np.uint32)
    targets.complete(extras, label, objective)
    key = found.groups if QID in extras and given.folds else None
    features = encode(found.table(schema.input_names), schema)
    return Rows(features, label, None, kind, extras, key).by_group()
