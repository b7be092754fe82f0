"""Stand-ins of the operator's side: a runtime without programs, an index without a network."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from canarywood.contract import Layout
from ops import servers
from ops.datasets import Dataset
from ops.runtime import OnLine

SCHEMA = {
    "format": 1,
    "name": "toy",
    "target": {"column": "y", "task": "binary", "classes": ["no", "yes"]},
    "inputs": [{"name": "a"}, {"name": "b"}],
    "features": ["a", "b"],
}


def preprocess(layout: Layout) -> None:
    """Leaves what the real command leaves, of fixed content."""
    data = json.loads((layout.processing_input("config") / "data.json").read_text())
    output = layout.processing_output
    for part in ("train", "validation", "test"):
        output(part).mkdir(parents=True)
        (output(part) / "part-0.parquet").write_text(f"{part} of {data['name']}")
    output("schema").mkdir()
    (output("schema") / "schema.json").write_text(json.dumps(SCHEMA))
    output("report").mkdir()
    rows = {"read": 1050, "train": {"rows": 1000}, "validation": {"rows": 20}, "test": {"rows": 30}}
    (output("report") / "preprocess.json").write_text(
        json.dumps({"rows": rows, "warnings": ["leakage: a"]})
    )
    (output("report") / "sample.jsonl").write_text('{"row": {"a": 1, "b": null}, "truth": 1}\n')


def train(layout: Layout) -> None:
    """A model that is nothing but its hyperparameters."""
    layout.model.mkdir(parents=True, exist_ok=True)
    (layout.model / "xgboost-model").write_text(json.dumps(layout.hyperparameters()))


def evaluate(layout: Layout) -> None:
    """One metric."""
    folder = layout.processing / "evaluation"
    folder.mkdir(parents=True)
    metrics = {"binary_classification_metrics": {"auc": {"value": 0.66812}}}
    (folder / "evaluation.json").write_text(json.dumps(metrics))


@dataclass
class FakeRuntime:
    """Runs commands as functions, and remembers which."""

    code: str = "code 1"
    commands: dict[str, Callable[[Layout], None]] = field(
        default_factory=lambda: {"preprocess": preprocess, "train": train, "evaluate": evaluate}
    )
    lines: dict[str, list[str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    server: list[str] = field(default_factory=list)  # a program that serves; PORT is replaced

    def fingerprint(self) -> str:
        return self.code

    def run(self, command: str, base: Path, *, log: Path, on_line: OnLine) -> int:
        self.ran.append(command)
        log.parent.mkdir(parents=True, exist_ok=True)
        lines = self.lines.get(command, [])
        log.write_text("".join(f"{line}\n" for line in lines))
        for line in lines:
            on_line(line)
        try:
            self.commands[command](Layout(base))
        except RuntimeError as error:
            Layout(base).write_failure(f"UserError: {error}")
            return 1
        except ArithmeticError as error:
            Layout(base).write_failure(f"AlgorithmError: {error}")
            return 1
        return 0

    def start(self, base: Path, *, port: int, environment: Mapping[str, str], log: Path) -> int:
        words = [word.replace("PORT", str(port)) for word in self.server]
        return servers.spawn(words, {**environment, "SAGEMAKER_BASE_DIR": str(base)}, log)


def wheel(members: Mapping[str, bytes]) -> bytes:
    """The bytes of a wheel."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def sdist(members: Mapping[str, bytes]) -> bytes:
    """The bytes of a source archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class FakeIndex:
    """A package index of one archive, which counts its downloads."""

    archive: bytes
    name: str = "toy-1.0-py3-none-any.whl"
    downloads: int = 0

    def __call__(self, dataset: Dataset, folder: Path) -> Path:  # noqa: ARG002 - one archive
        self.downloads += 1
        path = folder / self.name
        path.write_bytes(self.archive)
        return path
