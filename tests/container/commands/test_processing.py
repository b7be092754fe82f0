"""preprocess and evaluate as the platform starts them, spreads them over hosts, stops them."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import pytest

from canarywood.artifact import MODEL_FILE, pack
from canarywood.contract import Layout
from tests.container.commands.test_evaluate import BINARY, Job, rows
from tests.container.processing.hosts import addresses, lay

CODE = Path(__file__).parents[3] / "container" / "code"
PYTHON = sys.executable


def start(
    layout: Layout, words: Sequence[str], *, cwd: Path | None = None
) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(CODE),
        "PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}",
        "SAGEMAKER_BASE_DIR": str(layout.base),
    }
    return subprocess.Popen(
        words, env=environment, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run(layout: Layout, *words: str) -> tuple[int, str]:
    """Exit code, and what stood on stderr."""
    with start(layout, words) as process:
        _, said = process.communicate(timeout=120)
    return process.returncode, said


def command(layout: Layout, name: str) -> tuple[int, str]:
    return run(layout, PYTHON, "-m", "canarywood", name)


def outputs(layout: Layout) -> dict[str, bytes]:
    folder = layout.processing / "output"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(first: int, count: int) -> str:
    lines = [
        f"{i / 8},{('red', 'blue', 'green')[i % 3]},{('no', 'yes')[i % 2]}"
        for i in range(first, first + count)
    ]
    return "size,color,bought\n" + "\n".join(lines) + "\n"


def put_table(layout: Layout, *parts: str) -> None:
    for part in parts:
        path = layout.processing_input("data") / part
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table(int(Path(part).stem) * 30, 30))
    config = layout.processing_input("config") / "data.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('{"target": "bought", "name": "shop"}')


@pytest.mark.parametrize(
    "words",
    [
        [PYTHON, "-m", "canarywood", "preprocess"],  # the image's entry point, ContainerArguments
        ["python3", "-m", "canarywood", "preprocess"],  # ContainerEntrypoint with arguments
        ["/bin/bash", "-c", "exec python -m canarywood preprocess"],  # ContainerEntrypoint alone
    ],
)
def test_the_job_runs_however_the_platform_starts_it(tmp_path: Path, words: list[str]) -> None:
    layout = Layout(tmp_path)
    put_table(layout, "0.csv", "1.csv")
    layout.write_processing_input("preprocess", [])
    code, said = run(layout, *words)
    assert (code, said) == (0, "")
    assert layout.message.read_text() == (
        "shop: 42 train, 9 validation, 9 test rows; 2 columns, 2 features"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["serve"], 'a processing job cannot serve; set ContainerArguments to one command, such'),
        (["preprocess", "--fast"], "no command 'preprocess --fast'; there are preprocess, train"),
        ([], "no command ''; there are preprocess"),
    ],
)  # fmt: skip
def test_a_job_with_wrong_arguments_says_so_in_its_message(
    tmp_path: Path, words: list[str], reason: str
) -> None:
    layout = Layout(tmp_path)
    layout.write_processing_input("preprocess", [])
    code, said = run(layout, PYTHON, "-m", "canarywood", *words)
    assert code == 2
    assert f"canarywood: {reason}" in said
    assert layout.message.read_text().startswith(f"UserError: {reason}")


def test_a_training_job_with_wrong_arguments_says_so_in_its_failure(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.write_training_input({}, {})
    assert run(layout, PYTHON, "-m", "canarywood", "tarin")[0] == 2
    assert layout.failure.read_text().startswith("UserError: no command 'tarin'")


def test_shards_of_two_hosts_give_the_bytes_of_one_host_with_all(tmp_path: Path) -> None:
    alone = Layout(tmp_path / "alone")
    put_table(alone, "0.csv", "2013/1.csv", "2013/2.csv", "3.csv")
    assert command(alone, "preprocess")[0] == 0
    first, second = lay(tmp_path, "preprocess", addresses(2), sharded=["input/data"])
    put_table(first, "0.csv", "2013/2.csv")
    put_table(second, "2013/1.csv", "3.csv")
    words = [PYTHON, "-m", "canarywood", "preprocess"]
    with start(second, words) as other:
        assert command(first, "preprocess") == (0, "")
        _, said = other.communicate(timeout=60)
    assert (other.returncode, said) == (0, "")
    assert outputs(first) == outputs(alone) != {}
    assert outputs(second) == {}
    assert "which does the job: 2 of input data" in second.message.read_text()


def test_test_rows_in_shards_are_evaluated_as_one(tmp_path: Path) -> None:
    job = Job(tmp_path / "one", BINARY, {"objective": "binary:logistic"})
    first, second = lay(tmp_path, "evaluate", addresses(2), sharded=["test"])
    test = rows(400, 1, BINARY)
    for number, layout in enumerate((job.layout, first, second)):
        job.layout = layout
        job.put_model()
        job.put_test(test if number == 0 else test.slice((number - 1) * 200, 200))
    second_part = second.processing / "test" / "part-0.parquet"
    second_part.rename(second_part.with_name("part-1.parquet"))
    job.layout = Layout(tmp_path / "one")
    job.run()
    with start(second, [PYTHON, "-m", "canarywood", "evaluate"]) as other:
        assert command(first, "evaluate") == (0, "")
        other.communicate(timeout=60)
    assert other.returncode == 0
    assert first.message.read_text() == job.layout.message.read_text()
    assert first.message.read_text().startswith("trips: auc 0.")
    assert first.message.read_text().endswith(" on 400 test rows")
    assert not (second.processing / "evaluation").exists()


@pytest.mark.parametrize("name", ["preprocess", "evaluate"])
def test_a_job_that_is_stopped_says_so_and_leaves_no_output(tmp_path: Path, name: str) -> None:
    layout = Layout(tmp_path)
    place = {
        "preprocess": layout.processing_input("config") / "data.json",
        "evaluate": layout.processing / "report" / "preprocess.json",
    }[name]
    if name == "evaluate":
        job = Job(tmp_path, BINARY, {"objective": "binary:logistic"})
        job.put_model()
        job.put_test(rows(50, 1, BINARY))
        layout.processing_config.mkdir()
        place = layout.processing_config / "resourceconfig.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(place)  # whoever opens it waits
    words = [PYTHON, "-m", "canarywood", name]
    # once it opens the other end, the job is under way; and then it waits for a byte
    with start(layout, words) as process, place.open("w"):
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    message = "stopped by SIGTERM before the job was done; nothing was written"
    assert (process.returncode, said) == (1, f"canarywood: {message}\n")
    assert layout.message.read_text() == message
    assert not (layout.processing / "output").exists()
    assert not (layout.processing / "evaluation").exists()


def test_a_link_among_the_outputs_becomes_a_real_file(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_table(layout, "0.csv")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    place = layout.processing_output("schema") / "schema.json"
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    assert command(layout, "preprocess")[0] == 0
    assert not any(path.is_symlink() for path in layout.base.rglob("*"))
    assert elsewhere.read_text() == "mine"


def test_a_long_message_that_is_no_ascii_stays_utf_8_after_the_cut(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    config = layout.processing_input("config") / "data.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"target": {"column": "y", "' + "ä" * 2000 + '": 1}}')
    layout.message.parent.mkdir()
    layout.message.symlink_to(tmp_path / "elsewhere")
    assert command(layout, "preprocess")[0] == 1
    content = layout.message.read_bytes()
    assert 1020 < len(content) <= 1024
    assert content.decode("utf-8").startswith("UserError: data.target: no key 'ää")
    assert not layout.message.is_symlink()
    assert not (tmp_path / "elsewhere").exists()


class Model:
    """A model archive to be spoilt, and the job that is given it."""

    def __init__(self, base: Path) -> None:
        self.job = Job(base, BINARY, {"objective": "binary:logistic"})
        self.job.put_test(rows(50, 1, BINARY))
        self.layout = self.job.layout
        self.archive = self.layout.processing / "model" / "model.tar.gz"
        self.archive.parent.mkdir(parents=True)

    def put(self, *members: tuple[tarfile.TarInfo, bytes]) -> None:
        """A good model, and members that are not."""
        with tarfile.open(self.archive, "w:gz") as tar:
            for path in sorted(self.job.model.rglob("*")):
                if path.is_file():
                    tar.add(path, path.relative_to(self.job.model).as_posix())
            for member, content in members:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))

    def put_as_model(self, content: bytes) -> None:
        shutil.rmtree(self.job.model / "canarywood")
        (self.job.model / MODEL_FILE).write_bytes(content)
        pack(self.job.model, self.archive)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path / "base")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


EVIL = [
    [(member("../x"), b"evil")],
    [(member("a/../../x"), b"evil")],
    [(member("/tmp/canarywood-evil"), b"evil")],  # noqa: S108 - never written
    [(member("x", tarfile.SYMTYPE, "/etc"), b""), (member("x/evil"), b"evil")],
    [(member("x", tarfile.SYMTYPE, ".."), b""), (member("x/x"), b"evil")],
    [(member("x", tarfile.LNKTYPE, "../x"), b"")],
    [(member("../model-evil/x"), b"evil")],  # a prefix of the folder's name is not the folder
    [(member("x", tarfile.FIFOTYPE), b"")],
]


@pytest.mark.parametrize("members", EVIL, ids=lambda members: members[0][0].name)
def test_an_archive_that_leads_out_of_its_folder_is_refused_whole(
    model: Model, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    model.put(*members)
    before = sorted(tmp_path.rglob("*"))
    code, _ = command(model.layout, "evaluate")
    message = model.layout.message
    assert code == 1
    assert "model.tar.gz is not safe: " in message.read_text()
    assert sorted(set(tmp_path.rglob("*")) - set(before)) == [message.parent, message]
    assert not Path("/tmp/canarywood-evil").exists()  # noqa: S108


class Trap:
    """A pickle of it creates a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def pickled(trap: Trap, _folder: Path) -> bytes:
    return pickle.dumps(trap)


def old_pickle(trap: Trap, _folder: Path) -> bytes:
    return pickle.dumps(trap, 0)


def joblib_file(trap: Trap, folder: Path) -> bytes:
    joblib.dump(trap, folder / "model.joblib")
    return (folder / "model.joblib").read_bytes()


def packed_joblib_file(trap: Trap, folder: Path) -> bytes:
    joblib.dump(trap, folder / "model.joblib", compress=3)
    return (folder / "model.joblib").read_bytes()


def hdf5(_trap: Trap, _folder: Path) -> bytes:
    return b"\x89HDF\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize("make", [pickled, old_pickle, joblib_file, packed_joblib_file, hdf5])
def test_a_model_that_might_run_code_is_refused_and_never_opened(
    model: Model, tmp_path: Path, make: Any
) -> None:
    sprung = tmp_path / "sprung"
    model.put_as_model(make(Trap(sprung), tmp_path))
    code, _ = command(model.layout, "evaluate")
    assert code == 1
    said = model.layout.message.read_text()
    assert said.startswith("UserError: ")
    assert "is a pickle" in said or "is not an XGBoost model" in said
    assert not sprung.exists()
    assert not (model.layout.processing / "evaluation").exists()
