"""What is predicted: the target as the user describes it, completed by what the column holds."""

from __future__ import annotations

import pyarrow as pa

from canarywood.errors import DataError, SettingsError
from canarywood.preparation.spec import TargetSpec
from canarywood.schema.definition import Target
from canarywood.schema.fit import fit_target


def target_of(spec: TargetSpec, values: pa.ChunkedArray, missing: tuple[str, ...]) -> Target:
    """The target of a column.

    Raises:
        SettingsError: what is said of it contradicts itself.
        DataError: the column does not hold it.
    """
    if spec.above is not None:
        return _cut(spec, spec.above)
    if spec.classes:
        return _of_classes(spec)
    found = fit_target(values, spec.column, missing, spec.task)
    return found if spec.positive is None else _positive(found, spec.positive)


def _cut(spec: TargetSpec, above: float) -> Target:
    """Positive where a number is greater than this."""
    if spec.task not in (None, "binary") or spec.positive is not None:
        raise SettingsError("data.target.above makes a binary target; leave out task and positive")
    classes = spec.classes or (f"{spec.column} <= {above:g}", f"> {above:g}")
    if len(set(classes)) != 2:
        raise SettingsError("data.target.classes: two are needed, the negative one first")
    return Target(spec.column, "binary", above, classes)


def _of_classes(spec: TargetSpec) -> Target:
    count = len(set(spec.classes))
    if count < 2 or count != len(spec.classes):
        raise SettingsError("data.target.classes: two or more different ones are needed")
    if spec.positive is not None:
        raise SettingsError("data.target.positive: the last of data.target.classes is it already")
    task = spec.task or ("binary" if count == 2 else "multiclass")
    if task == "regression" or (task == "binary" and count != 2):
        raise SettingsError(f"data.target.task: {task} does not go with {count} classes")
    return Target(spec.column, task, None, spec.classes)


def _positive(found: Target, positive: str) -> Target:
    if found.task != "binary" or positive not in found.classes:
        raise DataError(
            f"data.target.positive: {positive!r} is not one of two values of {found.column}"
        )
    negative = next(text for text in found.classes if text != positive)
    return Target(found.column, "binary", classes=(negative, positive))
