"""Preparation as a whole: tables and a spec in, three parts and a schema out.

The schema is fitted on the training rows alone; validation and test rows are only read by it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from canarywood.errors import DataError, RequestError, SettingsError
from canarywood.preparation import leakage
from canarywood.preparation.join import join, lookup_table
from canarywood.preparation.spec import DataSpec, DerivedSpec, TargetSpec
from canarywood.preparation.split import OUTSIDE, PARTS, TRAIN, split
from canarywood.schema.definition import Column, Derived, Schema, Target
from canarywood.schema.derive import OPERATIONS
from canarywood.schema.fit import Wish, fit_column, fit_target, index_like
from canarywood.schema.table import LABEL, WEIGHT, TableReader, labels, weights

Labels = NDArray[np.float32]


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
    inputs = _input_names(spec, table)
    table, target, label = _labelled(spec, table)
    facts["without_label"] = facts["read"] - table.num_rows
    part_of = split(spec.split, table.num_rows, column=_split_texts(spec, table), labels=label)
    facts["outside_window"] = int((part_of == OUTSIDE).sum())
    masks = {name: pa.array(part_of == number) for number, name in enumerate(PARTS)}
    training = table.filter(masks["train"])
    schema = _fit(spec, inputs, training, target, tables)
    strengths = _strengths(spec, schema, training, label[part_of == TRAIN])
    warnings = _warnings(schema, training, strengths)
    reader = TableReader(schema)
    parts = {}
    matrices = {}
    for number, name in enumerate(PARTS):
        rows = table.filter(masks[name])
        reader.unknown.clear()
        matrices[name] = reader.encode(rows)
        parts[name] = _clean(reader, rows, label[part_of == number])
        facts[name] = _part_facts(target, label[part_of == number], dict(reader.unknown))
    facts["test_rows_also_in_train"] = _shared(matrices["train"], matrices["test"])
    return Prepared(schema, parts, facts, strengths, warnings)


def _joined(
    spec: DataSpec, tables: Mapping[str, pa.Table]
) -> tuple[pa.Table, dict[str, dict[str, int]]]:
    table, matched = tables["data"], {}
    for item in spec.joins:
        done = join(table, _table(tables, item.table), item)
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
    joined = [name for item in spec.joins for name in item.columns]
    if spec.columns is not None:
        return [*spec.columns, *(name for name in joined if name not in spec.columns)]
    left_out = {spec.target.column, spec.weight, *spec.exclude}
    return [name for name in table.column_names if name not in left_out]


def _labelled(spec: DataSpec, table: pa.Table) -> tuple[pa.Table, Target, Labels]:
    """The rows that have a label, the target, and the labels."""
    values = table.column(spec.target.column)
    given = _given_target(spec.target)
    if spec.target.positive is not None:
        given = _positive(fit_target(values, None, spec.target.column, spec.missing), spec.target)
    target = fit_target(values, given, spec.target.column, spec.missing)
    label = labels(table, Schema("target", target, (), (), missing=spec.missing))
    has_label = ~np.isnan(label)
    return table.filter(pa.array(has_label)), target, label[has_label]


def _given_target(spec: TargetSpec) -> Target | None:
    """The target as far as the user describes it, or None where it must be found out."""
    if spec.above is not None:
        classes = spec.classes or (f"{spec.column} <= {spec.above:g}", f"> {spec.above:g}")
        if len(classes) != 2:
            raise SettingsError("data.target.classes: two are needed, the negative one first")
        return Target(spec.column, "binary", spec.above, classes)
    if spec.classes:
        return Target(
            spec.column, "binary" if len(spec.classes) == 2 else "multiclass", None, spec.classes
        )
    return Target(spec.column, "regression") if spec.task == "regression" else None


def _positive(found: Target, spec: TargetSpec) -> Target:
    if found.task != "binary" or spec.positive not in found.classes:
        raise DataError(
            f"data.target.positive: {spec.positive!r} is not one of two values of {spec.column}"
        )
    negative = next(text for text in found.classes if text != spec.positive)
    return Target(spec.column, "binary", classes=(negative, spec.positive))


def _split_texts(spec: DataSpec, table: pa.Table) -> list[str | None]:
    name = spec.split.column
    if name is None:
        return []
    _must_have(table, [name], "data.split.column")
    column = Column(name, "time")
    reader = TableReader(Schema("split", None, (column,), (), missing=spec.missing))
    texts: list[str | None] = reader.column(table, column).tolist()
    return texts


def _fit(
    spec: DataSpec,
    inputs: list[str],
    training: pa.Table,
    target: Target,
    tables: Mapping[str, pa.Table],
) -> Schema:
    columns = []
    for name in inputs:
        said = spec.column(name)
        wish = Wish(name, said.kind, said.categories, said.minimum, said.maximum)
        columns.append(fit_column(training, wish, spec.missing))
    kinds: dict[str, str] = {column.name: column.kind for column in columns}
    derived = tuple(_derived(name, item, kinds, tables) for name, item in spec.derived.items())
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


def _derived(
    name: str, item: DerivedSpec, kinds: dict[str, str], tables: Mapping[str, pa.Table]
) -> Derived:
    place = f"data.derived.{name}"
    operation = OPERATIONS.get(item.op)
    if operation is None:
        near = difflib.get_close_matches(item.op, OPERATIONS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(OPERATIONS)}"
        raise SettingsError(f"{place}.op: no operation {item.op!r}{hint}")
    if name in kinds:
        raise SettingsError(f"{place}: an input column has this name already")
    takes = operation.takes
    if len(item.of) < len(takes) or (len(item.of) > len(takes) and not operation.more):
        more = " or more" if operation.more else ""
        raise SettingsError(f"{place}.of: {item.op} takes {len(takes)}{more}, not {len(item.of)}")
    for index, column in enumerate(item.of):
        wanted = takes[min(index, len(takes) - 1)]
        if column not in kinds:
            raise SettingsError(f"{place}.of: {column!r} is no input column and not derived before")
        if wanted not in ("any", kinds[column]):
            raise SettingsError(
                f"{place}.of: {column} is a {kinds[column]}, {item.op} takes a {wanted}"
            )
    kinds[name] = "number"
    lookup: dict[str, float] = {}
    if item.op == "lookup":
        if not (item.table and item.key and item.value):
            raise SettingsError(f"{place}: lookup needs table, key and value")
        lookup = lookup_table(_table(tables, item.table), item.key, item.value, name)
    function = (item.function or name) if item.op == "python" else None
    return Derived(name, item.op, item.of, lookup, function)


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
        if name in (spec.target.column, spec.weight):
            continue
        value = leakage.strength(_bins(sampled, name, schema), label, target.task)
        found.append(leakage.Strength(name, metric, value, name in used, value >= threshold))
    return sorted(found, key=lambda item: (-item.value, item.column))


def _bins(table: pa.Table, name: str, schema: Schema) -> NDArray[np.int64]:
    """The bins of any column: as a number where every cell is one, else as texts."""
    reader = TableReader(schema)
    try:
        return leakage.bins_of_numbers(reader.column(table, Column(name)))
    except RequestError:  # no column of numbers: its texts are looked at
        return leakage.bins_of_texts(reader.column(table, Column(name, "time")))


def _warnings(schema: Schema, training: pa.Table, strengths: list[leakage.Strength]) -> list[str]:
    found = []
    for item in strengths:
        if not item.suspect:
            continue
        place = "is a feature" if item.used else "is no feature, keep it so"
        found.append(
            f"leakage: {item.column} alone gives {item.metric} {item.value:.3f} ({place}); "
            "is it known when the prediction is made?"
        )
    for column in schema.inputs:
        if column.name in schema.features and index_like(training.column(column.name)):
            found.append(f"column {column.name} counts the rows, like an index; exclude it")
        if column.missing_rate == 1.0:
            found.append(f"column {column.name} is empty in all training rows")
        elif column.kind == "category" and len(column.categories) == 1:
            found.append(f"column {column.name} has one value in all training rows")
    return found


def _clean(reader: TableReader, rows: pa.Table, label: Labels) -> pa.Table:
    """The rows as the schema reads them: numbers as numbers, texts trimmed, missing as null."""
    schema = reader.schema
    columns: dict[str, pa.Array] = {}
    for column in schema.inputs:
        values = reader.column(rows, column)
        columns[column.name] = pa.array(values, from_pandas=True)
    for name in schema.slices:
        if name not in columns:
            texts = reader.column(rows, Column(name, "category"))
            columns[name] = pa.array(texts, from_pandas=True)
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
