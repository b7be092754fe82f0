"""Preparation as a whole: tables and a spec in, three parts and a schema out.

The schema is fitted on the training rows alone; validation and test rows are only read by it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from canarywood.errors import DataError, RequestError, SettingsError
from canarywood.preparation import leakage
from canarywood.preparation.join import join, lookup_table
from canarywood.preparation.spec import DataSpec
from canarywood.preparation.split import OUTSIDE, PARTS, TRAIN, split
from canarywood.preparation.target import target_of
from canarywood.schema.definition import Column, Derived, Schema, Target
from canarywood.schema.derive import OPERATIONS
from canarywood.schema.fit import Wish, fit_column, index_like
from canarywood.schema.table import (
    LABEL,
    ROW,
    WEIGHT,
    TableReader,
    labels,
    number_rows,
    weights,
)

Labels = NDArray[np.float32]

PANDAS_INDEX = ("", "__index_level_0__")  # what pandas calls its index in csv and Parquet
MOST_UNKNOWN = 0.5  # share of rows with an unknown category, above which a column is named


@dataclass
class Prepared:
    """What preparation made.

    Attributes:
        parts: the table of each part: input columns as the schema reads them, slices, label,
            weight.
        facts: of the report: counts of rows, of matches, of unknown categories.
        strengths: of the leakage check, strongest first.
        warnings: sentences for the user.
    """

    schema: Schema
    parts: dict[str, pa.Table]
    facts: dict[str, Any]
    strengths: list[leakage.Strength]
    warnings: list[str] = field(default_factory=list)


def prepare(spec: DataSpec, tables: Mapping[str, pa.Table]) -> Prepared:
    """Join, label, split, fit, check.

    Args:
        tables: by name: `data` is the main table, the others are joined or looked up.

    Raises:
        DataError, SettingsError: what is wrong, and where.
    """
    table, matched = _joined(spec, tables)
    facts: dict[str, Any] = {"read": tables["data"].num_rows, "joins": matched}
    _must_have(table, [spec.target.column], "data.target.column")
    _must_have(table, [spec.weight] if spec.weight else [], "data.weight")
    inputs = _input_names(spec, table)
    counting = [name for name in inputs if index_like(table.column(name))]
    table, target, label = _labelled(spec, number_rows(table))
    if spec.split.stratify and target.task == "regression":
        raise SettingsError("data.split.stratify: a regression has no classes to keep in balance")
    facts["without_label"] = facts["read"] - table.num_rows
    part_of = split(spec.split, table.num_rows, column=_split_texts(spec, table), labels=label)
    facts["outside_window"] = int((part_of == OUTSIDE).sum())
    masks = {name: pa.array(part_of == number) for number, name in enumerate(PARTS)}
    training = table.filter(masks["train"])
    if len(np.unique(label[part_of == TRAIN])) < 2:
        raise DataError(
            f"target {target.column}: all training rows have the same label; nothing to learn"
        )
    schema = _fit(spec, inputs, training, target, tables)
    strengths = _strengths(spec, schema, training, label[part_of == TRAIN])
    reader = TableReader(schema)
    parts = {}
    matrices = {}
    for number, name in enumerate(PARTS):
        rows = table.filter(masks[name])
        reader.unknown.clear()
        matrices[name] = reader.encode(rows)
        parts[name] = _clean(reader, rows, label[part_of == number])
        facts[name] = _part_facts(target, label[part_of == number], dict(reader.unknown))
    for name in ("validation", "test"):
        facts[f"{name}_rows_also_in_train"] = _shared(matrices["train"], matrices[name])
    warnings = [
        *_leakage_warnings(strengths),
        *(f"column {name} counts the rows, like an index; exclude it" for name in counting),
        *_column_warnings(schema, facts),
        *(f"column {name!r} is left out: an index, not data" for name in _indices(spec, table)),
    ]
    return Prepared(schema, parts, facts, strengths, warnings)


def _joined(
    spec: DataSpec, tables: Mapping[str, pa.Table]
) -> tuple[pa.Table, dict[str, dict[str, int]]]:
    table, matched = tables["data"], {}
    for item in spec.joins:
        done = join(table, _table(tables, item.table), item, spec.missing)
        table = done.table
        matched[item.table] = {"rows": table.num_rows, "matched": done.matched}
        if not done.matched:
            raise DataError(
                f"join with {item.table}: no row has a match on {', '.join(item.on)}; "
                "are the keys written alike in both tables?"
            )
    return table, matched


def _input_names(spec: DataSpec, table: pa.Table) -> list[str]:
    """The columns that a request carries, in order."""
    _must_have(table, list(spec.columns or ()), "data.columns")
    _must_have(table, [*spec.exclude, *spec.kinds, *spec.slices], "data.exclude, kinds or slices")
    for name in table.column_names:
        if name in (LABEL, WEIGHT, ROW):
            raise DataError(f"column {name}: the files of preprocess use this name; rename it")
    joined = [name for item in spec.joins for name in item.columns]
    left_out = {spec.target.column, spec.weight, *spec.exclude}
    if spec.columns is None:
        left_out |= set(_indices(spec, table))
        return [name for name in table.column_names if name not in left_out]
    names = [*spec.columns, *(name for name in joined if name not in spec.columns)]
    for name in names:
        if name in left_out:
            role = {spec.target.column: "the target", spec.weight: "the weight"}
            raise SettingsError(
                f"data.columns: {name} is {role.get(name, 'in data.exclude')}, "
                "so it cannot be a column of a request"
            )
    return names


def _indices(spec: DataSpec, table: pa.Table) -> list[str]:
    """Columns that pandas wrote to count the rows, and nobody asked for."""
    asked = {*(spec.columns or ()), *spec.kinds, *spec.exclude}
    return [name for name in PANDAS_INDEX if name in table.column_names and name not in asked]


def _labelled(spec: DataSpec, table: pa.Table) -> tuple[pa.Table, Target, Labels]:
    """The rows that have a label, the target, and the labels."""
    target = target_of(spec.target, table.column(spec.target.column), spec.missing)
    label = labels(table, Schema("target", target, (), (), missing=spec.missing))
    has_label = ~np.isnan(label)
    return table.filter(pa.array(has_label)), target, label[has_label]


def _split_texts(spec: DataSpec, table: pa.Table) -> list[str | None]:
    name = spec.split.column
    if name is None:
        return []
    _must_have(table, [name], "data.split.column")
    column = Column(name, "time")
    reader = TableReader(Schema("split", None, (column,), (), missing=spec.missing))
    texts: list[str | None] = reader.readable(table, column).tolist()
    return texts


def _fit(
    spec: DataSpec,
    inputs: list[str],
    training: pa.Table,
    target: Target,
    tables: Mapping[str, pa.Table],
) -> Schema:
    columns = _fit_columns(spec, inputs, training)
    kinds: dict[str, str] = {column.name: column.kind for column in columns}
    derived = tuple(_derived(name, spec, kinds, tables) for name in spec.derived)
    features = [
        column.name
        for column in columns
        if column.kind != "time" and spec.column(column.name).feature
    ]
    features += [item.name for item in derived]
    if not features:
        raise SettingsError("no feature is left; give data.columns")
    return Schema(
        name=spec.name,
        target=target,
        inputs=tuple(columns),
        features=tuple(features),
        derived=derived,
        weight=spec.weight,
        missing=spec.missing,
        unknown_category=spec.unknown_category,
        absent_column=spec.absent_column,
        slices=spec.slices,
    )


def _fit_columns(spec: DataSpec, inputs: list[str], training: pa.Table) -> list[Column]:
    """The input columns; what is wrong with any of them is told at once, a line each."""
    columns, faults = [], []
    for name in inputs:
        said = spec.column(name)
        wish = Wish(name, said.kind, said.categories, said.minimum, said.maximum)
        try:
            columns.append(fit_column(training, wish, spec.missing))
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n".join(faults))
    return columns


def _derived(
    name: str, spec: DataSpec, kinds: dict[str, str], tables: Mapping[str, pa.Table]
) -> Derived:
    item = spec.derived[name]
    place = f"data.derived.{name}"
    operation = OPERATIONS.get(item.op)
    if operation is None:
        near = _of_time(item.op) or difflib.get_close_matches(item.op, OPERATIONS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(OPERATIONS)}"
        raise SettingsError(f"{place}.op: no operation {item.op!r}{hint}")
    if name in kinds:
        raise SettingsError(f"{place}: an input column has this name already")
    takes = operation.takes
    if len(item.of) < len(takes) or (len(item.of) > len(takes) and not operation.more):
        more = " or more" if operation.more else ""
        hint = "".join(f"; for a time: {op}" for op in _of_time(item.op))
        raise SettingsError(
            f"{place}.of: {item.op} takes {len(takes)}{more}, not {len(item.of)}{hint}"
        )
    for index, column in enumerate(item.of):
        wanted = takes[min(index, len(takes) - 1)]
        if column not in kinds:
            raise SettingsError(f"{place}.of: {column!r} is no input column and not derived before")
        if wanted not in ("any", kinds[column]):
            raise SettingsError(
                f"{place}.of: {column} is a {kinds[column]}, {item.op} takes a {wanted}"
                + "".join(f"; for a time: {op}" for op in _of_time(item.op))
            )
    kinds[name] = "number"
    lookup: dict[str, float] = {}
    if item.op == "lookup":
        if not (item.table and item.key and item.value):
            raise SettingsError(f"{place}: lookup needs table, key and value")
        reference = _table(tables, item.table)
        lookup = lookup_table(reference, item.key, item.value, name, spec.missing)
    function = (item.function or name) if item.op == "python" else None
    return Derived(name, item.op, item.of, lookup, function)


def _of_time(op: str) -> list[str]:
    """The operation that does to a time what this one does to numbers, if there is one."""
    return [name for name in (f"time_{op}",) if name in OPERATIONS]


def _strengths(
    spec: DataSpec, schema: Schema, training: pa.Table, label: Labels
) -> list[leakage.Strength]:
    """The leakage check over every column of the table, features or not, strongest first."""
    target = schema.target
    if target is None:
        return []
    rows = leakage.sample(training.num_rows)
    sampled, label = training.take(pa.array(rows)), label[rows]
    threshold = leakage.THRESHOLD if spec.leakage_threshold is None else spec.leakage_threshold
    metric = "r2" if target.task == "regression" else "auc"
    used = {*schema.features, *(name for item in schema.derived for name in item.of)}
    found = []
    for name in training.column_names:
        bins = _bins(sampled, name, schema)
        if name in (spec.target.column, spec.weight, ROW) or bins is None:
            continue
        value = leakage.strength(bins, label, target.task)
        found.append(leakage.Strength(name, metric, value, name in used, value >= threshold))
    return sorted(found, key=lambda item: (-item.value, item.column))


def _bins(table: pa.Table, name: str, schema: Schema) -> NDArray[np.int64] | None:
    """The bins of any column: as a number where every cell is one, else as texts; None: neither."""
    reader = TableReader(schema)
    with suppress(RequestError):
        return leakage.bins_of_numbers(reader.column(table, Column(name)))
    with suppress(RequestError):  # no column of numbers: its texts are looked at
        return leakage.bins_of_texts(reader.column(table, Column(name, "time")))
    return None


def _leakage_warnings(strengths: list[leakage.Strength]) -> list[str]:
    found = []
    for item in strengths:
        if item.suspect:
            place = "is a feature" if item.used else "is no feature, keep it so"
            found.append(
                f"leakage: {item.column} alone gives {item.metric} {item.value:.3f} ({place}); "
                "is it known when the prediction is made?"
            )
    return found


def _column_warnings(schema: Schema, facts: dict[str, Any]) -> list[str]:
    found = []
    for column in schema.inputs:
        if column.missing_rate == 1.0:
            found.append(f"column {column.name} is empty in all training rows")
        elif column.kind == "category" and len(column.categories) == 1:
            found.append(f"column {column.name} has one value in all training rows")
        for part in ("validation", "test"):
            unknown = facts[part]["unknown_categories"].get(column.name, 0)
            if unknown > MOST_UNKNOWN * facts[part]["rows"]:
                found.append(
                    f"column {column.name}: {unknown:,} of {facts[part]['rows']:,} {part} rows "
                    "hold a category that training never saw; does it name single things?"
                )
    return found


def _clean(reader: TableReader, rows: pa.Table, label: Labels) -> pa.Table:
    """The rows as the schema reads them: numbers as numbers, texts trimmed, missing as null."""
    schema = reader.schema
    columns: dict[str, pa.Array] = {}
    for column in schema.inputs:
        values = reader.column(rows, column)
        kind = pa.float64() if column.kind == "number" else pa.string()
        columns[column.name] = pa.array(values, kind, from_pandas=True)
    for name in schema.slices:
        if name not in columns:
            texts = reader.readable(rows, Column(name, "category"))
            columns[name] = pa.array(texts, pa.string(), from_pandas=True)
    row_weights = weights(rows, schema)
    if row_weights is not None:
        columns[WEIGHT] = pa.array(row_weights)
    columns[LABEL] = pa.array(label)
    return pa.table(columns)


def _part_facts(target: Target, label: Labels, unknown: dict[str, int]) -> dict[str, Any]:
    facts: dict[str, Any] = {"rows": len(label), "unknown_categories": unknown}
    if target.task == "regression":
        facts["label_mean"] = round(float(label.mean()), 6) if len(label) else None
    else:
        counts = np.bincount(label.astype(np.int64), minlength=len(target.classes))
        facts["classes"] = {
            name: int(count) for name, count in zip(target.classes, counts, strict=True)
        }
    return facts


def _shared(train: NDArray[np.float32], test: NDArray[np.float32]) -> int:
    """Test rows whose features equal those of a training row, bit for bit."""
    seen = {row.tobytes() for row in train}
    return sum(row.tobytes() in seen for row in test)


def _table(tables: Mapping[str, pa.Table], name: str) -> pa.Table:
    if name not in tables:
        raise DataError(f"table {name!r} is not among the inputs: {', '.join(sorted(tables))}")
    return tables[name]


def _must_have(table: pa.Table, names: list[str], place: str) -> None:
    for name in names:
        if name not in table.column_names:
            near = difflib.get_close_matches(name, table.column_names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SettingsError(
                f"{place}: the data has no column {name!r}{hint} "
                f"(it has {', '.join(table.column_names)})"
            )
