import fcntl
import io
from pathlib import Path

import pytest

from canarywood.contract import Layout
from canarywood.errors import SettingsError
from ops import servers
from ops.jobs import JobError
from ops.project import load
from ops.road import FOLDER, Road
from ops.screen import Screen
from tests.ops.fakes import FakeIndex, FakeRuntime, sha256, wheel
from tests.ops.test_serving import free_port, runtime

TEXT = b"a,b,y\n1,2,0\n"
ARCHIVE = wheel({"toy.csv": TEXT})
CATALOGUE = f"""
[toy]
package = "toy"
version = "1.0"
archive_sha256 = "{sha256(ARCHIVE)}"
member = "toy.csv"
sha256 = "{sha256(TEXT)}"
licence = "MIT"
rows = 1
"""
PROJECT = "name: toy\ndata: {files: toy, target: {column: y}}\ntrain: {eta: 0.1}\n"


class Walker:
    """A repository of one project, and walks on its road."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime: FakeRuntime = runtime()
        self.index = FakeIndex(ARCHIVE)
        self.stream = io.StringIO()
        self.write(PROJECT)
        (root / "datasets.toml").write_text(CATALOGUE)

    def write(self, project: str) -> None:
        (self.root / "project.yml").write_text(project)

    def walk(self, port: int | None = None) -> list[str]:
        """The jobs that were run."""
        before = len(self.runtime.ran)
        self.road().walk(port)
        return self.runtime.ran[before:]

    def road(self) -> Road:
        return Road(
            load(self.root),
            self.root,
            self.root / "cache",
            self.runtime,
            Screen(self.stream, {}, lambda: 0.0),
            download=self.index,
        )

    def shown(self) -> list[str]:
        """What the last walk has shown, without names and seconds."""
        lines = [line[23:] for line in self.stream.getvalue().splitlines()]
        self.stream.seek(0)
        self.stream.truncate()
        return lines


@pytest.fixture
def walker(tmp_path: Path):
    walker = Walker(tmp_path)
    yield walker
    for server in servers.running(tmp_path / FOLDER):
        servers.stop(server, tmp_path / FOLDER / server.project)


def test_a_first_walk_runs_every_job_and_leaves_the_server(walker: Walker) -> None:
    port = free_port()
    assert walker.walk(port) == ["preprocess", "train", "evaluate"]
    (server,) = servers.running(walker.root / FOLDER)
    assert (server.project, server.port) == ("toy", port)
    shown = walker.shown()
    assert shown[0] == f"toy (0.0 MB, sha256 right, kept in {walker.root / 'cache'})"
    assert shown[2] == "leakage: a"
    assert shown[4:] == ["auc 0.6681", f"http://127.0.0.1:{port}"]


def test_a_second_walk_reuses_everything_and_says_so(walker: Walker) -> None:
    walker.walk(free_port())
    walker.shown()
    assert walker.walk() == []
    shown = walker.shown()
    assert [line.startswith("reused: ") for line in shown] == [True, True, False, True, True, True]
    assert walker.index.downloads == 1


def test_a_changed_hyperparameter_runs_train_and_after(walker: Walker) -> None:
    walker.walk(free_port())
    walker.write(PROJECT.replace("0.1", "0.2"))
    assert walker.walk() == ["train", "evaluate"]


def test_changed_data_settings_that_give_the_same_rows_stop_at_preprocess(walker: Walker) -> None:
    walker.walk(free_port())
    walker.write(PROJECT.replace("column: y}", "column: y}, slices: [a]"))
    assert walker.walk() == ["preprocess"]


def test_a_failing_job_stops_the_road_and_the_next_walk_goes_on_there(walker: Walker) -> None:
    def fail(layout: Layout) -> None:  # noqa: ARG001 - the form of a command
        raise RuntimeError("eta is too large")

    train = walker.runtime.commands["train"]
    walker.runtime.commands["train"] = fail
    with pytest.raises(JobError, match="train failed: UserError: eta is too large"):
        walker.walk()
    assert walker.shown()[-1] == "failed"
    walker.runtime.commands["train"] = train
    assert walker.walk(free_port()) == ["train", "evaluate"]


def test_a_projects_own_file_is_laid_for_preprocess(walker: Walker) -> None:
    (walker.root / "mine.csv").write_text("a,y\n1,0\n")
    walker.write(PROJECT.replace("files: toy", "files: mine.csv"))
    walker.walk(free_port())
    laid = walker.road().home.layout("preprocess").processing_input("data") / "mine.csv"
    assert laid.read_text() == "a,y\n1,0\n"
    assert walker.index.downloads == 0


def test_a_table_that_is_neither_file_nor_data_set_is_named(walker: Walker) -> None:
    walker.write(PROJECT.replace("files: toy", "files: tyo"))
    with pytest.raises(SettingsError) as caught:
        walker.walk()
    assert str(caught.value) == (
        f"{walker.root / 'tyo'} is not there, and there is no data set 'tyo'; "
        "did you mean toy?; known are toy"
    )


def test_two_walks_of_one_project_never_meet(walker: Walker) -> None:
    folder = walker.root / FOLDER / "toy"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SettingsError, match="another `make run` is at work on toy"):
            walker.walk()
    assert walker.runtime.ran == []
