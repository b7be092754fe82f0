"""preprocess: split a table, fit the schema on its training rows, check for leakage.

Reads  processing/input/config/data.json   what the user says of the data
       processing/input/data/              the main table, csv or parquet, files and folders
       processing/input/<table>/           the tables of joins and look-ups
Writes processing/output/{train,validation,test}/part-0.parquet
       processing/output/schema/schema.json
       processing/output/report/{preprocess,statistics}.json, sample.jsonl
       output/message                      one line on what was made, or why not
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from canarywood import logs
from canarywood.contract import Layout, read_json, write_json
from canarywood.errors import DataError
from canarywood.logs import fields
from canarywood.preparation.pipeline import Prepared, prepare
from canarywood.preparation.spec import DataSpec
from canarywood.preparation.split import PARTS
from canarywood.preparation.statistics import statistics
from canarywood.processing import job
from canarywood.processing.files import JobFiles
from canarywood.schema.definition import Schema
from canarywood.schema.table import LABEL, TableReader, read_tables

SAMPLE_ROWS = 20

log = logging.getLogger(__name__)


def run(layout: Layout) -> int:
    """Run the job; raises CanarywoodError."""
    logs.configure(logging.INFO)
    pa.enable_signal_handlers(False)  # a stop is the job's to handle, not Arrow's
    return job.run(layout, _preprocess)


def _preprocess(layout: Layout, files: JobFiles) -> str:
    spec = DataSpec.from_json(read_json(layout.processing_input("config") / "data.json"))
    tables = _read(layout, spec)
    prepared = prepare(spec, tables)
    for warning in prepared.warnings:
        log.warning("warning", extra=fields(text=warning))
    _write(layout, prepared, files)
    log.info("preprocessed", extra=fields(**prepared.facts))
    return _message(prepared)


def _message(prepared: Prepared) -> str:
    """What was made, in one line: the job's exit message."""
    rows = ", ".join(f"{prepared.parts[name].num_rows:,} {name}" for name in PARTS)
    schema, warnings = prepared.schema, prepared.warnings
    return "; ".join(
        [
            f"{schema.name}: {rows} rows",
            f"{len(schema.inputs)} columns, {len(schema.features)} features",
            *([f"{len(warnings)} warnings, the first: {warnings[0]}"] if warnings else []),
        ]
    )


def _read(layout: Layout, spec: DataSpec) -> dict[str, pa.Table]:
    lookups = {item.table for item in spec.derived.values() if item.table}
    names = {"data", *(item.table for item in spec.joins), *lookups}
    tables = {}
    for name in sorted(names):
        folder = layout.processing_input(name)
        if not folder.exists():
            raise DataError(
                f"{folder} is not there; give the table {name!r} as an input of the job"
            )
        tables[name] = read_tables(folder)
        size = fields(rows=tables[name].num_rows, columns=tables[name].num_columns)
        log.info("read %s", name, extra=size)
    return tables


def _write(layout: Layout, prepared: Prepared, files: JobFiles) -> None:
    for name, table in prepared.parts.items():
        path = files.new(layout.processing_output(name) / "part-0.parquet")
        pa.parquet.write_table(table, path, compression="zstd")
    schema = prepared.schema
    schema.write(files.new(layout.processing_output("schema") / "schema.json"))
    report = layout.processing_output("report")
    write_json(
        files.new(report / "preprocess.json"),
        {
            "rows": prepared.facts,
            "leakage": [item.to_json() for item in prepared.strengths],
            "warnings": prepared.warnings,
        },
    )
    training = prepared.parts["train"]
    reader = TableReader(schema)
    columns = {column.name: reader.column(training, column) for column in schema.inputs}
    write_json(files.new(report / "statistics.json"), statistics(columns, training.num_rows))
    _write_sample(files.new(report / "sample.jsonl"), schema, prepared.parts["test"])


def _write_sample(path: Path, schema: Schema, test: pa.Table) -> None:
    """Some rows of the test part, evenly spread: as a request carries them, with the truth."""
    places = np.unique(np.linspace(0, test.num_rows - 1, SAMPLE_ROWS).astype(int))
    lines = []
    for row in test.take(pa.array(places)).to_pylist() if test.num_rows else []:
        carried = {name: _short(row[name]) for name in schema.input_names}
        lines.append(json.dumps({"row": carried, "truth": row[LABEL]}, ensure_ascii=False))
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _short(value: Any) -> Any:
    """A whole number without its `.0`, as people write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
