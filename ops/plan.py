"""The jobs of `make run` as plain data: decided here, done in ops.road.

    tables -> preprocess -> train -> model.tar.gz -> evaluate
                                                  -> serve

Each job has its own tree, laid out like /opt/ml; between the jobs stands what the platform does:
copying outputs to inputs, writing config files, packing the model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from canarywood.artifact import ARCHIVE_FILE
from canarywood.contract import Layout
from canarywood.media import PARQUET
from ops.project import Project

CHANNELS = {"train": PARQUET, "validation": PARQUET, "schema": "application/json"}


@dataclass(frozen=True)
class Home:
    """The folder of one project below .canarywood, and what lies in it."""

    folder: Path

    def layout(self, command: str) -> Layout:
        """The /opt/ml of a job or of the server."""
        return Layout(self.folder / command)

    def log(self, command: str) -> Path:
        """What a command has written."""
        return self.folder / "logs" / f"{command}.log"

    def stamp(self, command: str) -> Path:
        """The digest of the job whose outputs lie there."""
        return self.folder / "stamps" / f"{command}.json"

    @property
    def archive(self) -> Path:
        """The model artifact, packed."""
        return self.folder / ARCHIVE_FILE

    @property
    def sample(self) -> Path:
        """Raw test rows with their truth, a JSON object a line."""
        return self.layout("preprocess").processing_output("report") / "sample.jsonl"

    @property
    def schema(self) -> Path:
        """The data contract that preprocess fitted."""
        return self.layout("preprocess").processing_output("schema") / "schema.json"

    @property
    def evaluation(self) -> Path:
        """Metrics and report.html."""
        return self.layout("evaluate").processing / "evaluation"


@dataclass(frozen=True)
class Copy:
    """A file or a folder, and its place below the base of a job."""

    source: Path
    to: str


@dataclass(frozen=True)
class Step:
    """One job.

    Attributes:
        config: JSON documents by their place below the base.
        hyperparameters: of a training job; None for a processing job.
    """

    command: str
    layout: Layout
    copies: tuple[Copy, ...]
    config: Mapping[str, object] = field(default_factory=dict)
    hyperparameters: Mapping[str, str] | None = None

    def digest(self, fingerprint: str) -> str:
        """Of all that decides the result: code, input files by content, config."""
        told = {
            "code": fingerprint,
            "command": self.command,
            "config": self.config,
            "hyperparameters": self.hyperparameters,
            "files": {copy.to: list(_contents(copy.source)) for copy in self.copies},
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def plan(project: Project, home: Home, tables: Mapping[str, Sequence[Path]]) -> tuple[Step, ...]:
    """The jobs of a project in order.

    Args:
        tables: files of each table, by the name of its input folder.
    """
    output = home.layout("preprocess").processing_output
    return (
        Step(
            "preprocess",
            home.layout("preprocess"),
            tuple(
                Copy(path, f"processing/input/{name}/{path.name}")
                for name, paths in tables.items()
                for path in paths
            ),
            config={"processing/input/config/data.json": project.data},
        ),
        Step(
            "train",
            home.layout("train"),
            tuple(Copy(output(channel), f"input/data/{channel}") for channel in CHANNELS),
            hyperparameters=project.hyperparameters,
        ),
        Step(
            "evaluate",
            home.layout("evaluate"),
            (
                Copy(home.archive, f"processing/model/{ARCHIVE_FILE}"),
                Copy(output("test"), "processing/test"),
                Copy(output("report") / "preprocess.json", "processing/report/preprocess.json"),
            ),
        ),
    )


def _contents(source: Path) -> Iterator[tuple[str, str]]:
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    for path in files:
        if path.is_file():
            with path.open("rb") as stream:
                yield (
                    path.relative_to(source).as_posix(),
                    hashlib.file_digest(stream, "sha256").hexdigest(),
                )
