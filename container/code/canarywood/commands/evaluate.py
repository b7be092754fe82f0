"""`evaluate`: a trained model on rows it has never seen -> evaluation.json and report.html.

The rows are scored by the engine that serves the model. Standard place of the files: a
SageMaker processing job with the inputs `model` and `test` and the output `evaluation`.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from canarywood import logs, reports, steps
from canarywood.artifact import ARCHIVE_FILE, MODEL_FILE, Artifact, unpack
from canarywood.contract import Layout, read_json
from canarywood.errors import ArtifactError, CanarywoodError, DataError, UserError
from canarywood.evaluation import page
from canarywood.evaluation.columns import column_facts
from canarywood.evaluation.evaluation import HEADLINE, Alone, Evaluation, measured, scored
from canarywood.evaluation.importance import importances
from canarywood.evaluation.metrics import Floats, Scored, row_weights
from canarywood.evaluation.slices import Slice, slices
from canarywood.logs import fields
from canarywood.processing import job
from canarywood.processing.files import JobFiles
from canarywood.schema import table as tables
from canarywood.schema.definition import Column, Schema, Target
from canarywood.serving.scorer import Scorer

log = logging.getLogger(__name__)

REPORT_FILE = "evaluation.json"
PAGE_FILE = "report.html"


def run(layout: Layout) -> int:
    """Evaluate the model below processing/model on the rows below processing/test."""
    logs.configure(logging.INFO)
    pa.enable_signal_handlers(False)  # a stop is the job's to handle, not Arrow's
    return job.run(layout, _evaluate)


def _evaluate(layout: Layout, files: JobFiles) -> str:
    evaluation = evaluate(
        _model_dir(layout.processing / "model", files),
        layout.processing / "test",
        preparation=_object(layout.processing / "report" / "preprocess.json"),
        now=datetime.now(UTC),
    )
    target = layout.processing / "evaluation"
    reports.write(files.new(target / REPORT_FILE), evaluation.report())
    files.new(target / PAGE_FILE).write_text(page.render(evaluation), encoding="utf-8")
    summary = _summary(evaluation)
    log.info("evaluated", extra=fields(**summary, report=str(target / PAGE_FILE)))
    return _message(summary)


def evaluate(
    model_dir: Path, test: Path, *, preparation: Mapping[str, Any] | None = None, now: datetime
) -> Evaluation:
    """Everything there is to say of the model in a folder on the test rows in another.

    Args:
        preparation: the report of preprocess, where the job was given it: its warnings and what
            single columns tell are shown again.

    Raises:
        ArtifactError: the model cannot be loaded, or says not what it predicts.
        DataError: there are no test rows, or they do not fit the model's schema.
    """
    scorer = Scorer.load(model_dir)
    target = scorer.schema.target
    if target is None:
        raise ArtifactError(
            "the model carries no schema that says what it predicts; train it on files of "
            "preprocess, or evaluate a model that this image trained"
        )
    rows, truth, weights = _rows(test, scorer.schema)
    reader = tables.TableReader(scorer.schema)
    features = reader.encode(rows)
    scores = probabilities(scorer.predict(features).astype(np.float64), scorer.objective)
    every = row_weights(len(truth), weights)
    found = scored(target, truth, scores)
    values, deviations = measured(found, every)
    own = own_metrics(steps.find("evaluate", "metrics"), (truth, scores, every), values)
    return Evaluation(
        name=scorer.schema.name,
        target=target,
        scored=found,
        weights=every,
        is_weighted=weights is not None,
        values={**values, **own},
        deviations=deviations,
        created=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        own=tuple(own),
        slices=_slices(reader, rows, found, every, target),
        columns=column_facts(scorer.schema, features, reader.unknown),
        importances=importances(
            Artifact(model_dir).model_path,
            features,
            scorer.schema.features,
            scorer.schema.feature_types,
        ),
        model=_model_facts(scorer),
        warnings=[str(each) for each in (preparation or {}).get("warnings", [])],
        alone=_alone((preparation or {}).get("leakage", [])),
    )


def probabilities(scores: Floats, objective: str) -> Floats:
    """Scores as probabilities, where the objective answers with log-odds."""
    if objective != "binary:logitraw":
        return scores
    chances: Floats = 1 / (1 + np.exp(-np.clip(scores, -700, 700)))
    return chances


def _model_dir(place: Path, files: JobFiles) -> Path:
    """The untarred model: `place` itself, or a folder into which its archive was unpacked."""
    if (place / MODEL_FILE).is_file():
        return place
    archive = place / ARCHIVE_FILE
    if not archive.is_file():
        raise ArtifactError(
            f"{place} holds neither {ARCHIVE_FILE} nor {MODEL_FILE}; give the job a trained model"
        )
    folder = files.scratch()
    unpack(archive, folder)
    return folder


def _rows(test: Path, schema: Schema) -> tuple[pa.Table, Floats, Floats | None]:
    """The test rows that have a label, with labels and weights."""
    rows = tables.read_tables(test)
    if not rows.num_rows:
        raise DataError(f"{test} holds no test rows; there is nothing to evaluate on")
    truth = tables.labels(rows, schema).astype(np.float64)
    weights = tables.weights(rows, schema)
    labelled = ~np.isnan(truth)
    if not labelled.any():
        raise DataError(f"no row below {test} has a label; there is nothing to compare with")
    if not labelled.all():
        rows = rows.filter(pa.array(labelled))
    kept = None if weights is None else weights[labelled].astype(np.float64)
    return rows, truth[labelled], kept


def own_metrics(
    step: steps.Step | None, test: tuple[Floats, Floats, Floats], ours: Mapping[str, float]
) -> dict[str, float]:
    """The metrics of the user's model/evaluate.py, checked.

    Args:
        step: the user's function, or None where there is none.
        test: truth, scores and weights of the rows; the user gets copies.
        ours: metrics that are there already; their names are taken.
    """
    if step is None:
        return {}
    try:
        found = step(*(values.copy() for values in test))
    except CanarywoodError:
        raise
    except Exception as error:
        raise UserError(f"model/evaluate.py: metrics failed: {error!r}") from error
    if not isinstance(found, Mapping):
        raise UserError("model/evaluate.py: metrics must return a dict of numbers by name")
    own = {}
    for name, value in found.items():
        if name in ours:
            raise UserError(f"model/evaluate.py: {name} is computed already; take another name")
        try:
            own[str(name)] = float(value)
        except (TypeError, ValueError):
            raise UserError(f"model/evaluate.py: {name} must be a number, not {value!r}") from None
        if not math.isfinite(own[str(name)]):
            raise UserError(f"model/evaluate.py: {name} must be finite, not {value!r}")
    return own


def _slices(
    reader: tables.TableReader, rows: pa.Table, found: Scored, weights: Floats, target: Target
) -> dict[str, list[Slice]]:
    """The headline metric by each column that the schema names."""
    described = {column.name: column for column in reader.schema.inputs}
    made = {}
    for name in reader.schema.slices:
        if name not in rows.column_names:
            raise DataError(f"the test rows lack {name}, by which the schema slices the report")
        # a column that is no input stands in the test files for the report alone
        column = described.get(name, Column(name, "category"))
        cells = reader.column(rows, column).tolist()
        made[name] = slices(found, weights, cells, HEADLINE[target.task])
    return made


def _model_facts(scorer: Scorer) -> dict[str, Any]:
    if scorer.manifest is None:
        return {"objective": scorer.objective}
    return dataclasses.asdict(scorer.manifest)


def _object(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where the job was not given the file."""
    found = read_json(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise DataError(f"{path} must hold a JSON object")
    return found


def _alone(listed: list[dict[str, Any]]) -> list[Alone]:
    return [
        Alone(str(each["column"]), str(each["metric"]), float(each["value"]), bool(each["used"]))
        for each in listed
    ]


def _summary(evaluation: Evaluation) -> dict[str, Any]:
    """The headline metrics for the log; None where undefined."""
    shown = [*page.KEY_FIGURES[evaluation.target.task], *evaluation.own]
    return {
        "model": evaluation.name,
        "rows": evaluation.scored.rows,
        **{
            name: round(value, 6) if math.isfinite(value) else None
            for name in shown
            if (value := evaluation.values.get(name)) is not None
        },
    }


def _message(summary: Mapping[str, Any]) -> str:
    """What was found, in one line: the job's exit message."""
    figures = dict(summary)
    model, rows = figures.pop("model"), figures.pop("rows")
    found = ", ".join(
        f"{name} {'undefined' if value is None else f'{value:g}'}"
        for name, value in figures.items()
    )
    return f"{model}: {found} on {rows:,} test rows"
