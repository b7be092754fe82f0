"""What the user says of the data: the `data` section of project.yml, read and checked.

It reaches the job as config/data.json. Standard library only.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from canarywood.errors import RequestError, SettingsError
from canarywood.schema.cells import Missing, text_of
from canarywood.schema.definition import MISSING_TOKENS, Kind, Task

SPLITS: dict[str, set[str]] = {
    "random": {"by", "validation", "test", "seed", "stratify"},
    "group": {"by", "column", "validation", "test", "seed"},
    "time": {"by", "column", "train", "validation", "test", "end"},
}
KINDS: tuple[Kind, ...] = ("number", "category", "time")
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")


@dataclass(frozen=True)
class ColumnSpec:
    """What is said of one column; None: found out from the training rows."""

    kind: Kind | None = None
    feature: bool = True
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class JoinSpec:
    """Columns of another table, joined on equal texts of the key columns (a left join)."""

    table: str
    on: tuple[str, ...]
    columns: dict[str, ColumnSpec]


@dataclass(frozen=True)
class DerivedSpec:
    """A derived column; `table`, `key`, `value` belong to the operation `lookup`."""

    op: str
    of: tuple[str, ...]
    function: str | None = None
    table: str | None = None
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class TargetSpec:
    """What is predicted; the task follows from it and from the column."""

    column: str
    above: float | None = None
    positive: str | None = None
    task: Task | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitSpec:
    """How rows are divided.

    Attributes:
        validation, test: share of the rows (0 to 1); by time also the instant at which the
            part begins.
        train, end: by time: rows before and from these instants are left out.
    """

    by: Literal["random", "group", "time"] = "random"
    validation: float | str = 0.15
    test: float | str = 0.15
    column: str | None = None
    seed: int = 0
    stratify: bool = False
    train: str | None = None
    end: str | None = None


@dataclass(frozen=True)
class DataSpec:
    """The whole section.

    Attributes:
        columns: exactly these are carried by a request, in this order; None: all columns of
            the table but the target, the weight and `exclude`.
        kinds: of columns that are not described in `columns`.
        leakage_threshold: from which single-column AUC (or R2 of a regression) a column is
            named; None: 0.85.
    """

    name: str
    target: TargetSpec
    columns: dict[str, ColumnSpec] | None = None
    kinds: dict[str, Kind] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    joins: tuple[JoinSpec, ...] = ()
    derived: dict[str, DerivedSpec] = field(default_factory=dict)
    split: SplitSpec = SplitSpec()
    weight: str | None = None
    slices: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING_TOKENS
    unknown_category: Literal["missing", "error"] = "missing"
    absent_column: Literal["missing", "error"] = "missing"
    leakage_threshold: float | None = None

    @classmethod
    def from_json(cls, value: object) -> DataSpec:
        """Read config/data.json; raises SettingsError with the path of the key at fault."""
        data = _mapping(value, "data")
        allowed = {
            "name", "target", "columns", "kinds", "exclude", "joins", "derived", "split",
            "weight", "slices", "missing", "unknown_category", "absent_column", "leakage",
        }  # fmt: skip
        _known(data, allowed, "data")
        if "target" not in data:
            raise SettingsError("data.target is missing; name the column to predict")
        columns = data.get("columns")
        leakage = _mapping(data.get("leakage", {}), "data.leakage")
        _known(leakage, {"threshold"}, "data.leakage")
        return cls(
            name=str(data.get("name", "model")),
            target=_target(data["target"]),
            columns=None if columns is None else _columns(columns, "data.columns"),
            kinds=_kinds(data.get("kinds", {})),
            exclude=_texts(data.get("exclude", ()), "data.exclude"),
            joins=tuple(_join(join, i) for i, join in enumerate(_list(data.get("joins", [])))),
            derived={
                str(name): _derived(item, f"data.derived.{name}")
                for name, item in _mapping(data.get("derived", {}), "data.derived").items()
            },
            split=_split(data.get("split", {})),
            weight=_optional_text(data.get("weight"), "data.weight"),
            slices=_texts(data.get("slices", ()), "data.slices"),
            missing=_spellings(data.get("missing", MISSING_TOKENS), "data.missing"),
            unknown_category=_choice(data, "unknown_category"),
            absent_column=_choice(data, "absent_column"),
            leakage_threshold=_optional_number(leakage.get("threshold"), "data.leakage.threshold"),
        )

    def column(self, name: str) -> ColumnSpec:
        """What is said of an input column."""
        places = (self.columns or {}, *(join.columns for join in self.joins))
        described = [place[name] for place in places if name in place]
        found = next((item for item in described if item != ColumnSpec()), ColumnSpec())
        return replace(found, kind=found.kind or self.kinds.get(name))


def _target(value: object) -> TargetSpec:
    if isinstance(value, str):
        return TargetSpec(value)
    target = _mapping(value, "data.target")
    _known(target, {"column", "above", "positive", "task", "classes"}, "data.target")
    if "column" not in target:
        raise SettingsError("data.target.column is missing; name the column to predict")
    positive = target.get("positive")
    named = () if positive is None else _spellings([positive], "data.target.positive")
    return TargetSpec(
        column=str(target["column"]),
        above=_optional_number(target.get("above"), "data.target.above"),
        positive=named[0] if named else None,
        task=_task(target.get("task")),
        classes=_spellings(target.get("classes", ()), "data.target.classes"),
    )


def _task(value: object) -> Task | None:
    for task in TASKS:
        if value == task:
            return task
    if value is not None:
        raise SettingsError(f"data.target.task: {value!r} is not one of {', '.join(TASKS)}")
    return None


def _columns(value: object, place: str) -> dict[str, ColumnSpec]:
    if isinstance(value, list):
        return {str(name): ColumnSpec() for name in value}
    return {
        str(name): _column(item, f"{place}.{name}") for name, item in _mapping(value, place).items()
    }


def _column(value: object, place: str) -> ColumnSpec:
    if value is None:
        return ColumnSpec()
    if isinstance(value, str):
        return ColumnSpec(kind=_kind(value, place))
    column = _mapping(value, place)
    _known(column, {"kind", "feature", "categories", "minimum", "maximum"}, place)
    kind = column.get("kind")
    return ColumnSpec(
        kind=None if kind is None else _kind(kind, f"{place}.kind"),
        feature=_boolean(column.get("feature", True), f"{place}.feature"),
        categories=tuple(
            dict.fromkeys(_spellings(column.get("categories", ()), f"{place}.categories"))
        ),
        minimum=_optional_number(column.get("minimum"), f"{place}.minimum"),
        maximum=_optional_number(column.get("maximum"), f"{place}.maximum"),
    )


def _kinds(value: object) -> dict[str, Kind]:
    kinds = _mapping(value, "data.kinds")
    return {str(name): _kind(kind, f"data.kinds.{name}") for name, kind in kinds.items()}


def _kind(value: object, place: str) -> Kind:
    for kind in KINDS:
        if value == kind:
            return kind
    raise SettingsError(f"{place}: {value!r} is not one of {', '.join(KINDS)}")


def _join(value: object, index: int) -> JoinSpec:
    place = f"data.joins[{index}]"
    join = _mapping(value, place)
    _known(join, {"table", "on", "columns"}, place)
    absent = [key for key in ("table", "on", "columns") if not join.get(key)]
    if absent:
        raise SettingsError(f"{place}: {', '.join(absent)} must be given")
    columns = _columns(join["columns"], f"{place}.columns")
    return JoinSpec(str(join["table"]), _texts(join["on"], f"{place}.on"), columns)


def _derived(value: object, place: str) -> DerivedSpec:
    derived = _mapping(value, place)
    _known(derived, {"op", "of", "function", "table", "key", "value"}, place)
    absent = [key for key in ("op", "of") if not derived.get(key)]
    if absent:
        raise SettingsError(f"{place}: {', '.join(absent)} must be given")
    return DerivedSpec(
        op=str(derived["op"]),
        of=_texts(derived["of"], f"{place}.of"),
        function=_optional_text(derived.get("function"), f"{place}.function"),
        table=_optional_text(derived.get("table"), f"{place}.table"),
        key=_optional_text(derived.get("key"), f"{place}.key"),
        value=_optional_text(derived.get("value"), f"{place}.value"),
    )


def _split(value: object) -> SplitSpec:
    split = _mapping(value, "data.split")
    by = split.get("by", "random")
    if by not in SPLITS:
        raise SettingsError(f"data.split.by: {by!r} is not one of {', '.join(SPLITS)}")
    _known(split, SPLITS[by], "data.split")
    if by != "random" and not split.get("column"):
        raise SettingsError(f"data.split.column must be given for a split by {by}")
    seed = split.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SettingsError(f"data.split.seed: {seed!r} is not a whole number from 0")
    return SplitSpec(
        by=by,
        validation=_share(split.get("validation", 0.15), "data.split.validation", by),
        test=_share(split.get("test", 0.15), "data.split.test", by),
        column=_optional_text(split.get("column"), "data.split.column"),
        seed=seed,
        stratify=_boolean(split.get("stratify", False), "data.split.stratify"),
        train=_optional_text(split.get("train"), "data.split.train"),
        end=_optional_text(split.get("end"), "data.split.end"),
    )


def _share(value: object, place: str, by: str) -> float | str:
    """A share of the rows; by time also an instant."""
    if by == "time" and isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        time = ", nor a time" if by == "time" else ""
        raise SettingsError(f"{place}: {value!r} is not a share between 0 and 1{time}")
    return value


def _mapping(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{place}: expected a mapping, found {value!r}")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise SettingsError(f"data.joins: expected a list, found {value!r}")
    return value


def _texts(value: object, place: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise SettingsError(f"{place}: expected a list of names, found {value!r}")
    return tuple(map(str, value))


def _spellings(value: object, place: str) -> tuple[str, ...]:
    """Values that stand in cells, as texts: 1 and 1.0 are "1", true is "true"."""
    values = value if isinstance(value, (list, tuple)) else [value]
    nothing = Missing.of(())
    try:
        return tuple(text for item in values if (text := text_of(item, nothing)) is not None)
    except RequestError as error:
        raise SettingsError(f"{place}: {error.detail}") from error


def _optional_text(value: object, place: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{place}: expected a text, found {value!r}")
    return value


def _boolean(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"{place}: {value!r} is not true or false")
    return value


def _optional_number(value: object, place: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingsError(f"{place}: {value!r} is not a number")
    return float(value)


def _choice(data: Mapping[str, Any], key: str) -> Literal["missing", "error"]:
    value = data.get(key, "missing")
    if value == "missing":
        return "missing"
    if value == "error":
        return "error"
    raise SettingsError(f"data.{key}: {value!r} is not one of missing, error")


def _known(value: Mapping[str, Any], allowed: Collection[str], place: str) -> None:
    for key in value:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SettingsError(f"{place}: no key {key!r}{hint}")
