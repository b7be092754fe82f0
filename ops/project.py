"""project.yml: the only settings file of a project, read into plain values.

`data` goes to preprocess as it stands (config/data.json), `train` becomes the hyperparameters of
a training job, `serve` the environment of the server. What the file says wrongly is told at
once, all of it, with the path of keys that leads there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from canarywood.errors import SettingsError
from canarywood.preparation.spec import (
    KINDS,
    SPLITS,
    ColumnSpec,
    DataSpec,
    DerivedSpec,
    SplitSpec,
    TargetSpec,
)
from ops.shapes import (
    Shape,
    anything,
    either,
    flag,
    list_of,
    map_of,
    mapping,
    nothing,
    number,
    scalar,
    text,
    word,
)
from ops.yaml_file import read_yaml

FILE = "project.yml"
SUFFIXES = (".yml", ".yaml")
MAIN_TABLE = "data"  # folder of the main table among the inputs of a processing job


def keys(spec: type[Any], **shapes: Shape) -> dict[str, Shape]:
    """The keys that preprocess reads into `spec`; a shape where more is known of one."""
    return {item.name: shapes.get(item.name, anything) for item in fields(spec)}


def split(value: object, place: str) -> Iterator[str]:
    """How the rows are divided; `by` decides which further keys there are."""
    by = value.get("by", "random") if isinstance(value, dict) else "random"
    yield from word(*SPLITS)(by, f"{place}.by")
    if by in SPLITS:
        known = keys(SplitSpec, validation=scalar, test=scalar, seed=number, stratify=flag)
        yield from mapping({}, {key: known[key] for key in SPLITS[by]})(value, place)


# The keys and words of `data` have their home in canarywood.preparation.spec; here they are read
# from there, so that a file's faults can be told all at once and before anything is fetched.
KIND = word(*KINDS)
NAMES = list_of(text)
FILES = either(text, NAMES)
COLUMN = either(
    KIND,
    mapping(
        {},
        keys(ColumnSpec, kind=KIND, feature=flag, categories=NAMES, minimum=number, maximum=number),
    ),
    nothing,
)
COLUMNS = either(NAMES, map_of(COLUMN))
JOIN = mapping({"table": text, "on": either(text, NAMES), "columns": COLUMNS}, {"files": FILES})
DERIVED = mapping(
    {"op": text, "of": either(text, NAMES)},
    keys(DerivedSpec, function=text, table=text, key=text, value=text) | {"files": FILES},
)
DATA = mapping(
    {
        "files": FILES,
        "target": either(text, mapping({"column": text}, keys(TargetSpec, above=number))),
    },
    {
        key: shape
        for key, shape in keys(
            DataSpec,
            columns=COLUMNS,
            kinds=map_of(KIND),
            exclude=NAMES,
            joins=list_of(JOIN),
            derived=map_of(DERIVED),
            split=split,
            weight=text,
            slices=NAMES,
        ).items()
        if key not in ("name", "leakage_threshold")
    }
    | {"leakage": mapping({}, {"threshold": number})},
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
    value = read_yaml(file) if file.suffix in SUFFIXES or not file.exists() else str(file)
    if isinstance(value, str):
        raise SettingsError(f"{file} is no {FILE}; name the folder that holds one")
    faults = sorted({*PROJECT(value, ""), *_name(value), *_environment(value)})
    if faults or not isinstance(value, dict):
        raise SettingsError("\n  ".join([f"{file}:", *faults]))
    data = _for_preprocess(value["name"], value["data"])
    try:
        DataSpec.from_json(data)
    except SettingsError as error:
        raise SettingsError(f"{file}:\n  {error}") from None
    return Project(
        name=value["name"],
        folder=file.parent.resolve(),
        tables=tuple(_tables(value["data"])),
        data=data,
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
    """The main table, then those of joins and look-ups, each once."""
    yield Table(MAIN_TABLE, _listed(data["files"]))
    others = [*data.get("joins", ()), *data.get("derived", {}).values()]
    found: dict[str, Table] = {}
    for other in others:
        if other.get("table") and other["table"] not in found:
            found[other["table"]] = Table(
                other["table"], _listed(other.get("files", other["table"]))
            )
    yield from found.values()


def _for_preprocess(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The section without the places of the files: a job finds its inputs where they are laid."""
    found = {"name": name, **_without_files(data)}
    if "joins" in found:
        found["joins"] = [_without_files(join) for join in found["joins"]]
    if "derived" in found:
        found["derived"] = {key: _without_files(item) for key, item in found["derived"].items()}
    return found


def _without_files(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in section.items() if key != "files"}


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _one_line(value: object) -> str:
    """A hyperparameter as the built-in algorithm takes it: lists with commas."""
    return ",".join(map(_string, value)) if isinstance(value, list) else _string(value)


def _string(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
