"""The road of `make run`: from the tables that a project names to answered predictions."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from canarywood.artifact import pack
from canarywood.errors import SettingsError
from ops import datasets, jobs, notes, serving
from ops.plan import Home, Step, plan
from ops.project import Project
from ops.runtime import Runtime
from ops.screen import Line, Screen
from ops.serving import Served

FOLDER = ".canarywood"


@dataclass(frozen=True)
class Road:
    """One walk from data to a server.

    Attributes:
        root: of the repository; .canarywood and datasets.toml lie there.
        cache: where data sets are kept.
        fresh: run every job, whatever is there.
    """

    project: Project
    root: Path
    cache: Path
    runtime: Runtime
    screen: Screen
    fresh: bool = False
    download: datasets.Download = datasets.pip_download

    @property
    def home(self) -> Home:
        """The project's folder below .canarywood."""
        return Home(self.root / FOLDER / self.project.name)

    def walk(self, port: int | None = None) -> Served:
        """All of it; the server is left running. Raises CanarywoodError at the first failure."""
        with _alone(self.home.folder, self.project.name):
            with self.screen.step("fetch") as line:
                tables = self._fetch(line)
            for step in plan(self.project, self.home, tables):
                with self.screen.step(step.command) as line:
                    self._job(step, line)
            with self.screen.step("serve") as line:
                return self._serve(port, line)

    def _fetch(self, line: Line) -> dict[str, list[Path]]:
        """The files of each table, data sets out of the cache or the package index."""
        catalogue = datasets.read_catalogue(self.root / datasets.CATALOGUE)
        files: dict[str, list[Path]] = {}
        wanted = []
        for table in self.project.tables:
            files[table.name] = []
            for source in table.sources:
                path = self.project.folder / source
                if source not in catalogue and path.exists():
                    files[table.name].append(path)
                    continue
                dataset = _find(source, path, catalogue)
                wanted.append(dataset)
                files[table.name].append(self.cache / dataset.file)
        line.progress(f"{', '.join(dataset.name for dataset in wanted)} …")
        reused = datasets.fetch(wanted, self.cache, self.download)
        line.note = notes.fetched(
            reused, self.cache, [p for paths in files.values() for p in paths]
        )
        return files

    def _job(self, step: Step, line: Line) -> None:
        show = jobs.watcher(step.command, line.progress)
        outcome = jobs.run(step, self.home, self.runtime, show, fresh=self.fresh)
        if step.command == "train" and not (outcome.reused and self.home.archive.exists()):
            pack(step.layout.model, self.home.archive)
        line.note = notes.job(step.command, self.home)
        if outcome.reused:
            line.note = f"reused: {line.note}"
        if step.command == "preprocess":
            line.warnings = notes.warnings(self.home)

    def _serve(self, port: int | None, line: Line) -> Served:
        served = serving.serve(
            self.project.name,
            self.home,
            self.runtime,
            environment=self.project.environment,
            port=port,
        )
        line.note = f"{'reused: ' if served.reused else ''}{served.server.url}"
        if served.note:
            line.note += f" ({served.note})"
        return served


def _find(source: str, path: Path, catalogue: Mapping[str, datasets.Dataset]) -> datasets.Dataset:
    try:
        return datasets.find(source, catalogue)
    except SettingsError as error:
        raise SettingsError(f"{path} is not there, and {error}") from None


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """One walk at a time in a project's folder: a second one would tear down its trees."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(f"another `make run` is at work on {name}; wait for it") from None
        yield
