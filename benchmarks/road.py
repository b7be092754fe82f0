"""How long does the road take, and how large is what serves? All projects of this repository.

python -m benchmarks.road [--rounds 3] [PROJECT ...]
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import start
from benchmarks.servers import ROOT
from benchmarks.tables import machine, table
from canarywood import reports
from canarywood.artifact import unpack
from canarywood.contract import read_json
from canarywood.schema.definition import Schema
from ops import datasets, project, servers
from ops.answers import read_sample
from ops.client import as_csv
from ops.notes import HEADLINE
from ops.plan import Home
from ops.project import Project
from ops.road import Road
from ops.runtime import IMAGE, ProcessRuntime
from ops.screen import Screen

PROJECTS = (".", "examples/telco", "examples/abalone")
COMMANDS = ("preprocess", "train", "evaluate")
PORT = 18_080


@dataclass(frozen=True)
class Walked:
    """One project's figures.

    Attributes:
        rows: of the main table, and of train, validation and test.
        metric: `auc 0.670`.
        seconds: of each command.
        server: start and memory of the server with as many workers as it chooses.
    """

    name: str
    rows: tuple[int, int, int, int]
    metric: str
    seconds: tuple[float, ...]
    server: start.Started


def walk(settings: Project, folder: Path) -> Home:
    """Run every job of a project in a folder of its own; nothing runs afterwards."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / datasets.CATALOGUE, folder)
    road = Road(
        settings, folder, datasets.cache_folder(), ProcessRuntime(ROOT), Screen(io.StringIO(), {})
    )
    served = road.walk(PORT)
    servers.stop(served.server, road.home.folder)
    return road.home


def measure(settings: Project, rounds: int, folder: Path) -> Walked:
    """Walk so often, each time from the beginning; medians."""
    homes = [walk(settings, folder / f"{settings.name}-{number}") for number in range(rounds)]
    seconds = [[_seconds(home, command) for command in COMMANDS] for home in homes]
    home = homes[-1]
    model = folder / f"{settings.name}-model"
    unpack(home.archive, model)
    schema = Schema.read(home.schema)
    row = as_csv([read_sample(home.sample)[0].row], schema.input_names).encode()
    started = [
        start.started(model, row, folder / f"{settings.name}-serve-{number}", workers=None)
        for number in range(rounds)
    ]
    return Walked(
        name=settings.name,
        rows=_rows(home),
        metric=_metric(home),
        seconds=tuple(statistics.median(values) for values in zip(*seconds, strict=True)),
        server=start.medians(started),
    )


def image_mb() -> str:
    """Size of canarywood:local in MB; "none" where there is no such image."""
    if shutil.which("docker") is None:
        return "none"
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", IMAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{int(done.stdout) / 1e6:.0f}" if done.returncode == 0 else "none"


def show(found: Sequence[Walked]) -> str:
    """The table."""
    header = [
        "project",
        "rows",
        "train",
        "validation",
        "test",
        "metric",
        *map("{} s".format, COMMANDS),
    ]
    header += ["first 200 s", "workers", "worker MB", "server MB", "image MB"]
    image = image_mb()
    return table(
        header,
        [
            [
                walked.name,
                *(f"{count:,}" for count in walked.rows),
                walked.metric,
                *(f"{seconds:.1f}" for seconds in walked.seconds),
                f"{walked.server.ready_s:.2f}",
                walked.server.workers,
                f"{walked.server.worker_mb:.0f}",
                f"{walked.server.server_mb:.0f}",
                image,
            ]
            for walked in found
        ],
    )


def _seconds(home: Home, command: str) -> float:
    return float(json.loads(home.stamp(command).read_text())["seconds"])


def _rows(home: Home) -> tuple[int, int, int, int]:
    report = read_json(home.layout("preprocess").processing_output("report") / "preprocess.json")
    facts = report["rows"] if isinstance(report, dict) else {}
    parts = [facts[part]["rows"] for part in ("train", "validation", "test")]
    return facts["read"], parts[0], parts[1], parts[2]


def _metric(home: Home) -> str:
    report = reports.read(home.evaluation / "evaluation.json")
    metrics = next(report[kind] for kind in reports.KINDS.values() if kind in report)
    name = next(name for name in HEADLINE if name in metrics)
    return f"{name} {metrics[name]['value']:.3f}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("projects", nargs="*", default=PROJECTS, metavar="PROJECT")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)  # workers that drop root must pass
        found = [
            measure(project.load(ROOT / name), given.rounds, Path(folder))
            for name in given.projects
        ]
    print(f"{machine()}; medians of {given.rounds}\n")
    print(show(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
