"""Real rows, the model's answers and the truth, side by side. Values in, values out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canarywood.errors import DataError
from canarywood.schema.definition import Schema, Target
from ops.client import Row

SHOWN_ROWS = 10
SHOWN_FIELDS = 5


@dataclass(frozen=True)
class Sample:
    """A raw test row, as it stood in the file, and what really happened."""

    row: Row
    truth: Any


def read_sample(path: Path) -> list[Sample]:
    """The rows that preprocess has put aside; of many some, evenly spread."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        step = max(1, len(lines) // SHOWN_ROWS)
        found = [json.loads(line) for line in lines[::step][:SHOWN_ROWS]]
        return [Sample(item["row"], item["truth"]) for item in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} does not hold sample rows: {error}") from error


def key_fields(schema: Schema, rows: Sequence[Row]) -> list[str]:
    """The few columns that tell rows apart: slices first, then inputs that differ."""
    names = [*schema.slices, *(name for name in schema.input_names if name not in schema.slices)]
    return [
        name for name in names if name in schema.slices or len({str(r.get(name)) for r in rows}) > 1
    ][:SHOWN_FIELDS]


def table(
    schema: Schema, samples: Sequence[Sample], scores: Sequence[Sequence[float]]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: key fields, answer, truth."""
    if len(scores) != len(samples):
        raise DataError(f"{len(samples)} rows were sent, {len(scores)} answers came back")
    fields = key_fields(schema, [sample.row for sample in samples])
    rows = [
        [
            *(_cell(sample.row.get(name)) for name in fields),
            answer(schema.target, score),
            truth(schema.target, sample.truth),
        ]
        for sample, score in zip(samples, scores, strict=True)
    ]
    return [*fields, asked(schema.target), "truth"], rows


def asked(target: Target | None) -> str:
    """What the answer is: `P(late)`, or the column's name."""
    if target is None:
        return "answer"
    if target.task == "binary":
        return f"P({target.classes[-1] if target.classes else target.column})"
    return f"predicted {target.column}"


def answer(target: Target | None, score: Sequence[float]) -> str:
    """The model's answer for one row, short."""
    if target is not None and target.task == "multiclass":
        best = max(range(len(score)), key=score.__getitem__)
        if len(score) == 1:  # the class itself
            return truth(target, score[0])
        return f"{truth(target, best)} ({score[best]:.2f})"
    digits = 3 if target is not None and target.task == "binary" else 2
    return ", ".join(f"{value:.{digits}f}" for value in score)


def truth(target: Target | None, value: Any) -> str:
    """What really happened, in the words of the classes."""
    classes = target.classes if target is not None else ()
    is_index = isinstance(value, int | float) and not isinstance(value, bool)
    if classes and is_index and value == int(value) and 0 <= value < len(classes):
        return classes[int(value)]
    return _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
