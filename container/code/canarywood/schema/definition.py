"""The schema itself: plain data, read from and written to schema.json. Standard library only.

A schema is fitted once, by preprocess, on the training rows. It travels in the model artifact
(`canarywood/schema.json`), and train, evaluate and serve read rows by nothing else:

    raw cells --(inputs)--> columns --(derived)--> more columns --(features)--> float32 matrix
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from canarywood.contract import read_json, write_json
from canarywood.errors import ArtifactError, DataError

FORMAT = 1  # of schema.json; raised when an older reader would misread a newer file

Kind = Literal["number", "category", "time"]
Task = Literal["binary", "multiclass", "regression"]

# What stands for "no value" in a cell of text, besides the empty cell.
MISSING_TOKENS = (
    "NA", "na", "N/A", "n/a", "#N/A", "N.A.", "n.a.", "null", "NULL", "None", "NaN", "nan", "?",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One raw column that a row carries.

    Attributes:
        kind: how a cell is read. A number becomes its float32; a category the position of its
            text in `categories`; a time is text that derived columns take apart.
        categories: of a category: the values seen in training, in code order.
        minimum, maximum: declared by the user; a number outside is refused.
        low, high: seen in training, of a number.
        missing_rate: share of missing cells in training, 0 to 1.
    """

    name: str
    kind: Kind = "number"
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    low: float | None = None
    high: float | None = None
    missing_rate: float = 0.0


@dataclass(frozen=True)
class Derived:
    """A feature computed from input columns, row by row, by one operation of the closed list.

    Attributes:
        op: name of the operation (`canarywood.schema.derive`).
        of: names of the columns it takes, in order.
        table: of `lookup`: text of the key -> number, fitted from a reference table.
        function: of `python`: name of a function in the user's model/preprocess.py.
    """

    name: str
    op: str
    of: tuple[str, ...]
    table: dict[str, float] = field(default_factory=dict)
    function: str | None = None


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        column: the raw column it comes from.
        task: binary, multiclass or regression.
        above: binary: positive where the raw number is greater than this.
        classes: texts of the classes in label order; binary: (negative, positive).
    """

    column: str
    task: Task
    above: float | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """The data contract of a model.

    Attributes:
        inputs: the columns of a row, in the order of a CSV row without header.
        derived: computed after the inputs, in order; one may use an earlier one.
        features: names of the matrix's columns, in order: inputs and derived columns.
        weight: column of the row weights in training files, never in a request.
        missing: texts that stand for "no value", besides the empty cell.
        unknown_category: a text that training never saw is counted and treated as missing, or
            refused ("error").
        absent_column: a record without a column: treated as missing, or refused ("error").
        index_base: number of the first feature in libsvm files, 0 or 1.
        slices: columns by which the evaluation report is split.
    """

    name: str
    target: Target | None
    inputs: tuple[Column, ...]
    features: tuple[str, ...]
    derived: tuple[Derived, ...] = ()
    weight: str | None = None
    missing: tuple[str, ...] = MISSING_TOKENS
    unknown_category: Literal["missing", "error"] = "missing"
    absent_column: Literal["missing", "error"] = "missing"
    index_base: int = 0
    slices: tuple[str, ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the input columns, in order."""
        return tuple(column.name for column in self.inputs)

    @property
    def feature_types(self) -> list[str]:
        """XGBoost's type of each feature: `c` for a category, `q` for a number."""
        kinds = {column.name: column.kind for column in self.inputs}
        return ["c" if kinds.get(name) == "category" else "q" for name in self.features]

    def column(self, name: str) -> Column:
        """The input column of this name; KeyError where there is none."""
        for column in self.inputs:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as in schema.json.

        The missing tokens always stand in it: a later default must not change an older model.
        """
        return {"format": FORMAT, **_without_defaults(self), "missing": list(self.missing)}

    @classmethod
    def from_json(cls, value: object) -> Schema:
        """Read what to_json wrote; raises ArtifactError where it is not that."""
        if not isinstance(value, dict):
            raise ArtifactError("schema.json must hold a JSON object")
        found = dict(value)
        version = found.pop("format", None)
        if version != FORMAT:
            raise ArtifactError(
                f"schema.json has format {version!r}, this image reads format {FORMAT}; "
                "serve the model with the image that trained it"
            )
        try:
            target = found.pop("target", None)
            schema = cls(
                target=None if target is None else _build(Target, target),
                inputs=tuple(_build(Column, column) for column in found.pop("inputs")),
                derived=tuple(_build(Derived, derived) for derived in found.pop("derived", ())),
                **{name: _frozen(item) for name, item in found.items()},
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ArtifactError(f"schema.json is not a schema: {error}") from error
        fault = _fault(schema)
        if fault:
            raise ArtifactError(f"schema.json is not a schema: {fault}")
        return schema

    def write(self, path: Path) -> None:
        """Write schema.json."""
        write_json(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Schema:
        """Read schema.json; raises ArtifactError where it is missing or damaged."""
        try:
            return cls.from_json(read_json(path))
        except DataError as error:
            raise ArtifactError(str(error)) from error


def plain(number_of_features: int, names: tuple[str, ...] = (), *, name: str = "model") -> Schema:
    """The schema of a model that came without one: all numbers, in order."""
    columns = names or tuple(f"f{i}" for i in range(number_of_features))
    return Schema(
        name=name,
        target=None,
        inputs=tuple(Column(column) for column in columns),
        features=columns,
    )


def _fault(schema: Schema) -> str | None:
    """What makes a schema unusable, or None: found when it is loaded, not at the first request."""
    names = schema.input_names
    known = {column.name: column.kind for column in schema.inputs}
    if len(known) != len(names) or not all(isinstance(name, str) for name in names):
        return "inputs must be columns with different names"
    for column in schema.inputs:
        if column.kind not in get_args(Kind):
            return f"column {column.name} has kind {column.kind!r}"
    for item in schema.derived:
        if item.name in known or not set(item.of) <= set(known):
            return f"derived column {item.name} is made of {', '.join(map(str, item.of))}"
        known[item.name] = "number"
    for name in schema.features:
        if known.get(name, "time") == "time":
            return f"feature {name!r} is no number and no category"
    if not schema.features or len(set(schema.features)) != len(schema.features):
        return "features must be different columns"
    policies = {schema.unknown_category, schema.absent_column}
    return None if policies <= {"missing", "error"} else f"no rule {policies!r}"


def _build(kind: type[Any], value: dict[str, Any]) -> Any:
    return kind(**{name: _frozen(item) for name, item in value.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _without_defaults(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, so that the file stays short."""
    result = {}
    for item in dataclasses.fields(value):
        content = getattr(value, item.name)
        default = item.default
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        if content == default:
            continue
        if dataclasses.is_dataclass(content):
            content = _without_defaults(content)
        elif isinstance(content, tuple):
            content = [_without_defaults(c) if dataclasses.is_dataclass(c) else c for c in content]
        result[item.name] = content
    return result
