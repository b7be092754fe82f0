"""project.yml: the only settings file of a project, read into plain values.

`data` goes to preprocess as it stands (config/data.json), `train` becomes the hyperparameters of
a training job, `serve` the environment of the server. What the file says wrongly is told at
once, all of it, with the path of keys that leads there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canarywood.errors import SettingsError
from ops.shapes import (
    Shape,
    anything,
    either,
    flag,
    list_of,
    map_of,
    mapping,
    number,
    scalar,
    show,
    text,
    word,
)
from ops.yaml_file import read_yaml

FILE = "project.yml"
MAIN_TABLE = "data"  # folder of the main table among the inputs of a processing job

KIND = word("number", "category", "time")

COLUMN = either(
    KIND,
    mapping(
        {},
        {
            "kind": KIND,
            "feature": flag,
            "categories": list_of(scalar),
            "minimum": number,
            "maximum": number,
        },
    ),
)

SPLITS: dict[str, Shape] = {
    "random": mapping(
        {"by": text},
        {"validation": number, "test": number, "seed": number, "stratify": flag},
    ),
    "group": mapping(
        {"by": text, "column": text}, {"validation": number, "test": number, "seed": number}
    ),
    "time": mapping(
        {"by": text, "column": text, "validation": scalar, "test": scalar},
        {"train": scalar, "end": scalar},
    ),
}


def split(value: object, place: str) -> Iterator[str]:
    """How the rows are divided; `by` decides which further keys there are."""
    if not isinstance(value, dict) or "by" not in value:
        yield f"{place}: expected a mapping with `by: {' | '.join(SPLITS)}`, found {show(value)}"
        return
    yield from word(*SPLITS)(value["by"], f"{place}.by")
    if value["by"] in SPLITS:
        yield from SPLITS[value["by"]](value, place)


NAMES = list_of(text)
FILES = either(text, NAMES)
COLUMNS = either(NAMES, map_of(COLUMN))

DATA = mapping(
    {"files": FILES, "target": anything},
    {
        "columns": COLUMNS,
        "exclude": NAMES,
        "joins": list_of(
            mapping(
                {"table": text, "on": NAMES, "columns": either(NAMES, map_of(COLUMN))},
                {"files": FILES},
            )
        ),
        "derived": map_of(anything),
        "split": split,
        "weight": text,
        "slices": NAMES,
        "missing": list_of(scalar),
        "unknown_category": word("missing", "error"),
        "absent_column": word("missing", "error"),
        "leakage": anything,
    },
)

PROJECT = mapping(
    {"name": text, "data": DATA},
    {"train": map_of(either(scalar, list_of(scalar))), "serve": map_of(scalar)},
)


@dataclass(frozen=True)
class Table:
    """A table that preprocess reads.

    Attributes:
        name: folder among the inputs of the processing job.
        sources: names of data sets in datasets.toml, or paths seen from the project's folder.
    """

    name: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """A project file, checked.

    Attributes:
        folder: where the file lies; paths in it start here.
        data: for preprocess, as JSON.
        hyperparameters: for train; every value a string, as SageMaker sends it.
        environment: for serve.
    """

    name: str
    folder: Path
    tables: tuple[Table, ...]
    data: Mapping[str, Any]
    hyperparameters: Mapping[str, str]
    environment: Mapping[str, str]


def load(path: Path) -> Project:
    """Read project.yml, or the one in this folder; raises SettingsError with every fault."""
    file = path / FILE if path.is_dir() else path
    value = read_yaml(file)
    faults = sorted({*PROJECT(value, ""), *_name(value), *_environment(value)})
    if faults or not isinstance(value, dict):
        raise SettingsError("\n  ".join([f"{file}:", *faults]))
    data = value["data"]
    return Project(
        name=value["name"],
        folder=file.parent.resolve(),
        tables=tuple(_tables(data)),
        data=_for_preprocess(value["name"], data),
        hyperparameters={
            name: _one_line(setting) for name, setting in value.get("train", {}).items()
        },
        environment={name: _string(setting) for name, setting in value.get("serve", {}).items()},
    )


def _name(value: object) -> Iterator[str]:
    """The name becomes part of folders, containers and, on AWS, of every resource."""
    name = value.get("name") if isinstance(value, dict) else None
    if isinstance(name, str) and not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){0,29}", name):
        yield f"name: {name!r} must be 1 to 30 small letters, digits and single hyphens"


def _environment(value: object) -> Iterator[str]:
    serve = value.get("serve") if isinstance(value, dict) else None
    for name in serve if isinstance(serve, dict) else ():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", str(name)):
            yield f"serve.{name}: an environment variable has capital letters, digits and _"


def _tables(data: Mapping[str, Any]) -> Iterator[Table]:
    yield Table(MAIN_TABLE, _listed(data["files"]))
    for join in data.get("joins", ()):
        yield Table(join["table"], _listed(join.get("files", join["table"])))


def _for_preprocess(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The section without the places of the files: a job finds its inputs where they are laid."""
    found = {key: item for key, item in data.items() if key != "files"}
    if "joins" in found:
        found["joins"] = [
            {key: item for key, item in join.items() if key != "files"} for join in found["joins"]
        ]
    return {"name": name, **found}


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _one_line(value: object) -> str:
    """A hyperparameter as the built-in algorithm takes it: lists with commas."""
    return ",".join(map(_string, value)) if isinstance(value, list) else _string(value)


def _string(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
