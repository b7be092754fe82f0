"""A processing job ends with a message, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from canarywood.contract import Cluster, Layout, ProcessingInput, write_json
from canarywood.errors import DataError, UserError
from canarywood.processing import job
from canarywood.processing.files import JobFiles
from tests.container.processing.hosts import addresses, lay

CODE = Path(__file__).parents[3] / "container" / "code"


def write_one(layout: Layout, files: JobFiles) -> str:
    files.new(layout.processing_output("x") / "one.txt").write_text("1")
    return "one file is written"


def not_here(_layout: Layout, _files: JobFiles) -> str:
    pytest.fail("this host has nothing to do")


def test_a_job_that_is_done_has_its_files_and_says_so(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert job.run(layout, write_one) == 0
    assert layout.message.read_text() == "one file is written"
    assert [path.name for path in layout.processing_output("x").iterdir()] == ["one.txt"]


def test_a_job_that_fails_writes_nothing_and_leaves_the_reason_to_the_caller(
    tmp_path: Path,
) -> None:
    def fail(layout: Layout, files: JobFiles) -> str:
        write_one(layout, files)
        raise DataError("no rows")

    layout = Layout(tmp_path)
    with pytest.raises(DataError, match="no rows"):
        job.run(layout, fail)
    assert list(layout.processing_output("x").iterdir()) == []
    assert not layout.message.exists()


def test_a_users_function_cannot_end_the_job_without_a_reason(tmp_path: Path) -> None:
    def leave(_layout: Layout, _files: JobFiles) -> str:
        sys.exit(0)

    with pytest.raises(UserError, match=r"ended the job with sys\.exit\(0\)"):
        job.run(Layout(tmp_path), leave)


SLOW = """
import ctypes, sys
from canarywood.contract import Layout
from canarywood.processing import job

def work(layout, files):
    files.new(layout.processing_output("x") / "one.txt").write_text("half")
    print(files.scratch(), flush=True)
    while True:
        ctypes.CDLL(None).sleep(60)  # in C, as a reader of large files is

sys.exit(job.run(Layout.from_environment(), work))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_stopped_ends_at_once_with_a_message_and_no_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CODE), "SAGEMAKER_BASE_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        scratch = Path(process.stdout.readline().strip())
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    layout = Layout(tmp_path)
    message = f"stopped by {number.name} before the job was done; nothing was written"
    assert (process.returncode, said) == (1, f"canarywood: {message}\n")
    assert layout.message.read_text() == message
    assert list(layout.processing_output("x").iterdir()) == []
    assert not scratch.exists()


def test_of_several_hosts_with_all_the_data_the_first_one_works(tmp_path: Path) -> None:
    first, second = lay(tmp_path, "preprocess", ("algo-1", "algo-2"), sharded=())
    assert job.run(second, not_here) == 0
    assert second.message.read_text() == (
        "algo-2: nothing to do here, algo-1 has all the data and does the job"
    )
    assert not (second.processing / "output").exists()
    assert job.run(first, write_one) == 0
    assert first.message.read_text() == "one file is written"


def test_of_sharded_data_the_first_host_gets_all(tmp_path: Path) -> None:
    first, second = lay(tmp_path, "preprocess", addresses(2), sharded=("input/data",))
    for number, layout in enumerate((first, second)):
        folder = layout.processing_input("data")
        folder.mkdir(parents=True)
        (folder / f"{number}.csv").write_text(f"{number}")

    def read(layout: Layout, _files: JobFiles) -> str:
        found = sorted(layout.processing_input("data").iterdir())
        return " ".join(f"{path.name}={path.read_text()}" for path in found)

    script = "from canarywood.contract import Layout; from canarywood.processing import job\n"
    script += "job.run(Layout.from_environment(), None)"  # no work for this host
    environment = {**os.environ, "PYTHONPATH": str(CODE), "SAGEMAKER_BASE_DIR": str(second.base)}
    with ThreadPoolExecutor(1) as pool:  # signals are heard in the main thread alone
        other = pool.submit(
            subprocess.run, [sys.executable, "-c", script], env=environment, check=True, timeout=60
        )
        assert job.run(first, read) == 0
        other.result()
    assert first.message.read_text() == "0.csv=0 1.csv=1"
    host, leader = second.processing_cluster().current, first.processing_cluster().leader
    assert second.message.read_text() == (
        f"{host}: files sent to {leader}, which does the job: 1 of input data"
    )


def test_hosts_that_cannot_know_how_the_data_is_spread_refuse_the_job(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_json(
        layout.processing_config / "resourceconfig.json",
        {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]},
    )
    with pytest.raises(UserError, match=r"2 hosts, and no processingjobconfig\.json"):
        job.run(layout, not_here)


def test_a_pipe_is_refused_by_name(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    piped = ProcessingInput("data", layout.processing_input("data"), mode="Pipe")
    layout.write_processing_input("preprocess", [piped])
    with pytest.raises(UserError, match="input data: S3InputMode Pipe cannot be read; use File"):
        job.run(layout, not_here)


def test_a_host_that_is_not_of_the_job_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.write_processing_input("preprocess", [], Cluster("algo-3", ("algo-1", "algo-2")))
    with pytest.raises(DataError, match="algo-3 is not among algo-1, algo-2"):
        job.run(layout, not_here)
