"""From the channels of a training job to arrays: which columns are label, weight and features.

With a schema (the channel `schema`, or schema.json beside the training files) the columns go by
name. Without one the layout is that of SageMaker's own XGBoost: the label is the first column, the
weight the second where `csv_weights` is set, and every further column a feature.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from canarywood.contract import Layout
from canarywood.errors import DataError
from canarywood.schema import cells
from canarywood.schema.definition import Column, Schema, Target, plain
from canarywood.schema.files import data_files, is_parquet, source_of
from canarywood.schema.table import LABEL, WEIGHT, CsvForm, encode, labels, read_tables, weights
from canarywood.training.hyperparameters import Hyperparameters

TRAIN = "train"
VALIDATION = "validation"
SCHEMA_CHANNEL = "schema"
SCHEMA_NAME = "schema.json"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """One channel, read.

    Attributes:
        features: float32 (rows, features), NaN where missing.
        labels: float32 (rows,).
        weights: float32 (rows,), or None.
    """

    features: Floats
    labels: Floats
    weights: Floats | None
    content_type: str

    def digest(self) -> str:
        """The same for the same rows."""
        found = hashlib.blake2b(digest_size=16)
        for array in (self.features, self.labels, self.weights):
            found.update(b"-" if array is None else np.ascontiguousarray(array).data)
        return found.hexdigest()


@dataclass(frozen=True)
class Channels:
    """What a training job was given; without its own schema, one is made of the columns."""

    schema: Schema
    train: Rows
    validation: Rows | None


def read_schema(layout: Layout) -> Schema | None:
    """The schema of the channel `schema`, or of the training channel; None where there is none."""
    for name in (SCHEMA_CHANNEL, TRAIN):
        path = layout.channel(name) / SCHEMA_NAME
        if path.is_file():
            return Schema.read(path)
    if layout.channel(SCHEMA_CHANNEL).is_dir():
        raise DataError(f"channel schema: {layout.channel(SCHEMA_CHANNEL)} holds no {SCHEMA_NAME}")
    return None


def read(layout: Layout, given: Hyperparameters, schema: Schema | None) -> Channels:
    """Read the channels `train` and, where it is there, `validation`.

    Raises:
        DataError: with channel, file, row and column.
    """
    table, content_type = _table(layout, TRAIN, schema)
    made = schema is None
    if schema is None:
        table = _named(table, _plain_names(len(table.column_names), weighted=given.csv_weights))
        schema = _plain_schema(table, given, typed=content_type == "parquet")
    reader = _with_number_labels(schema) if made else schema
    train = _rows(TRAIN, table, reader, given, content_type)
    names = table.column_names
    del table  # the matrix is all that is needed from here on
    validation = None
    if layout.channel(VALIDATION).is_dir():
        other, content_type = _table(layout, VALIDATION, None if made else schema)
        other = _named(other, names) if made else other
        validation = _rows(VALIDATION, other, reader, given, content_type)
    return Channels(schema, train, validation)


def _with_number_labels(schema: Schema) -> Schema:
    """The schema for reading labels in SageMaker's layout: numbers, whatever the task."""
    label = schema.target.column if schema.target else LABEL
    return dataclasses.replace(schema, target=Target(label, "regression"))


def _table(layout: Layout, channel: str, schema: Schema | None) -> tuple[pa.Table, str]:
    """The table of a channel, and what its files are."""
    folder = layout.channel(channel)
    config = layout.input_data_config().get(channel, {})
    if config.get("TrainingInputMode") == "Pipe":
        raise DataError(
            f"channel {channel}: input mode Pipe is not supported; use File or FastFile"
        )
    paths = data_files(folder) if folder.is_dir() else []
    if not paths:
        raise DataError(
            f"channel {channel}: {folder} holds no data; it must hold csv or parquet files"
        )
    content_type = config.get("ContentType") or None
    try:
        typed = is_parquet(paths[0], content_type)
        form = _form(paths[0], schema) if schema and not typed else None
        table = read_tables(folder, content_type=content_type, form=form)
        if table.num_rows == 0:
            raise DataError(f"{paths[0].name} has no rows")
    except DataError as error:
        raise DataError(f"channel {channel}: {error}") from error
    return table, "parquet" if typed else "csv"


def _form(path: Path, schema: Schema) -> CsvForm:
    """Whether a CSV file names its columns, by the schema: text alone does not tell."""
    names = _schema_names(schema)
    with path.open("rb") as stream:
        line = stream.readline().decode("utf-8-sig", errors="replace").rstrip("\r\n")
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


def _plain_names(columns: int, *, weighted: bool) -> list[str]:
    """Names for a table without header."""
    first = ["label", *(["weight"] if weighted else [])]
    return [*first, *(f"f{i}" for i in range(columns - len(first)))]


def _named(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The table with these names where its file had none."""
    unnamed = table.column_names == [f"f{i}" for i in range(table.num_columns)]
    if not unnamed or len(names) != table.num_columns:
        return table
    return table.rename_columns(list(names)).replace_schema_metadata(table.schema.metadata)


def _plain_schema(table: pa.Table, given: Hyperparameters, *, typed: bool) -> Schema:
    """The schema of columns in SageMaker's order; texts of a Parquet file are categories."""
    label, *rest = sorted(table.column_names, key=lambda name: name != LABEL)
    weight = WEIGHT if WEIGHT in rest else None
    if given.csv_weights and weight is None and rest:
        weight = rest[0]
    features = tuple(name for name in rest if name != weight)
    if not features:
        raise DataError(
            f"channel train: no features: the only columns are {', '.join([label, *rest])}"
        )
    columns = tuple(_column(table, name) if typed else Column(name) for name in features)
    return dataclasses.replace(
        plain(len(features), features),
        inputs=columns,
        target=_target(label, given),
        weight=weight,
    )


def _column(table: pa.Table, name: str) -> Column:
    kind = table.schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return Column(name)
    texts = table.column(name).cast(pa.string()).unique().to_pylist()
    return Column(name, "category", tuple(sorted(text for text in texts if text)))


def _target(label: str, given: Hyperparameters) -> Target:
    """What is predicted, by the objective."""
    objective = given.booster["objective"]
    if objective.startswith("binary:"):
        return Target(label, "binary", above=0.5)
    if objective.startswith("multi:"):
        classes = tuple(str(i) for i in range(given.booster["num_class"]))
        return Target(label, "multiclass", classes=classes)
    return Target(label, "regression")


def _rows(
    channel: str, table: pa.Table, schema: Schema, given: Hyperparameters, content_type: str
) -> Rows:
    """The arrays of a channel, every label checked."""
    try:
        found = labels(table, schema)
        _check_labels(table, found, given)
        weight = weights(table, schema)
        if weight is not None and not weight.any():
            raise DataError("every weight is 0")
        return Rows(encode(table, schema), found, weight, content_type)
    except DataError as error:
        raise DataError(f"channel {channel}: {error}") from error


def _check_labels(table: pa.Table, found: Floats, given: Hyperparameters) -> None:
    """What XGBoost refuses without a row, or takes though it makes no sense."""
    objective = given.booster["objective"]
    wrong = ~np.isfinite(found)
    allowed = "is missing"
    if objective.startswith("multi:") and not wrong.any():
        classes = given.booster["num_class"]
        wrong = (found < 0) | (found >= classes) | (found != np.floor(found))
        allowed = f"must be a whole number from 0 to {classes - 1} for {objective}"
    elif objective.startswith("binary:") and not wrong.any():
        wrong = (found < 0) | (found > 1)
        allowed = f"must lie between 0 and 1 for {objective}"
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        value = "" if np.isnan(found[row - 1]) else f" {found[row - 1]:g}"
        raise DataError(f"{source_of(table, row)}: the label{value} {allowed}")
