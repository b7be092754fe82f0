"""Jobs that bring their own script, laid out by hand as both generations of the SDK do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import xgboost as xgb

from canarywood.contract import Layout, write_json
from tests.container.commands.jobs import CODE

SCRIPT = """
import argparse, json, os, pathlib
import xgboost, helper
parser = argparse.ArgumentParser()
parser.add_argument("--max_depth", type=int)
parser.add_argument("--objective")
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
given = parser.parse_args()
rows = [line.split(",") for line in
        (pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]) / "a.csv").read_text().split()]
import numpy
table = numpy.array(rows, dtype=float)
data = xgboost.DMatrix(table[:, 1:], label=table[:, 0])
booster = xgboost.train({"max_depth": given.max_depth, "objective": given.objective}, data, 3)
booster.save_model(pathlib.Path(given.model_dir) / "xgboost-model.ubj")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "seen.json").write_text(
    json.dumps({"rank": os.environ["SM_CURRENT_HOST_RANK"], "helper": helper.NAME,
                "hps": json.loads(os.environ["SM_HPS"]), "cwd": os.getcwd()}))
print("trained")
"""
PARAMETERS = {"max_depth": 2, "objective": '"binary:logistic"'}


class ScriptJob:
    """A job with a script on a folder of its own."""

    def __init__(self, base: Path) -> None:
        self.layout = Layout(base)
        (base / "input" / "data" / "train").mkdir(parents=True)
        (base / "input" / "data" / "train" / "a.csv").write_text("1,2,3\n0,4,1\n1,1,5\n0,7,2\n")

    def source(self, folder: Path, script: str = SCRIPT, name: str = "train.py") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(script)
        (folder / "helper.py").write_text('NAME = "helper of the script"\n')

    def start(
        self, hyperparameters: dict[str, Any], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        self.layout.write_training_input(hyperparameters, {"train": "text/csv"})
        return subprocess.Popen(
            [sys.executable, "-m", "canarywood", "train"],
            env={
                **os.environ,
                "SAGEMAKER_BASE_DIR": str(self.layout.base),
                "PYTHONPATH": str(CODE),
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, hyperparameters: dict[str, Any], environment: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        with self.start(hyperparameters, environment) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    @property
    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.layout.output_data / "seen.json").read_text())
        return found

    def check_model(self) -> None:
        path = self.layout.model / "xgboost-model.ubj"
        assert xgb.Booster(model_file=path).num_boosted_rounds() == 3

    @property
    def failure(self) -> str:
        return self.layout.failure.read_text()


@pytest.fixture
def job(tmp_path: Path) -> ScriptJob:
    return ScriptJob(tmp_path / "ml")


def pack(folder: Path, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)


def test_sdk_v2_names_an_archive_in_the_hyperparameters(job: ScriptJob, tmp_path: Path) -> None:
    job.source(tmp_path / "source")
    archive = job.layout.channel("code") / "sourcedir.tar.gz"
    pack(tmp_path / "source", archive)

    code, out, err = job.run(
        {
            **PARAMETERS,
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"{archive}"',
            "sagemaker_region": '"us-west-2"',
        }
    )

    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "trained"
    job.check_model()
    assert job.seen == {
        "rank": "0",
        "helper": "helper of the script",
        "hps": {"max_depth": 2, "objective": "binary:logistic"},
        "cwd": str(job.layout.code),
    }
    assert not job.layout.failure.exists()


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_the_environment_names_a_folder(job: ScriptJob, tmp_path: Path, prefix: str) -> None:
    job.source(tmp_path / "source")

    code, _, err = job.run(
        PARAMETERS,
        {
            "SAGEMAKER_PROGRAM": "train.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": f"{prefix}{tmp_path / 'source'}",
        },
    )

    assert (code, err) == (0, "")
    job.check_model()


def test_a_script_in_the_code_folder_needs_its_name_alone(job: ScriptJob) -> None:
    job.source(job.layout.code)

    code, _, err = job.run(PARAMETERS, {"SAGEMAKER_PROGRAM": "train.py"})

    assert (code, err) == (0, "")
    job.check_model()


def v3(job: ScriptJob, script: str = SCRIPT, name: str = "train.py") -> None:
    """The channels that ModelTrainer adds: the source, and its drivers with what to run."""
    job.source(job.layout.channel("code"), script, name)
    write_json(
        job.layout.channel("sm_drivers") / "sourcecode.json",
        {"source_dir": "src", "requirements": None, "entry_script": name, "command": None},
    )


def test_sdk_v3s_channels_train_where_the_images_own_entry_point_is_kept(job: ScriptJob) -> None:
    v3(job)

    code, _, err = job.run({"max_depth": 2, "objective": "binary:logistic"})

    assert (code, err) == (0, "")
    job.check_model()
    assert job.seen["cwd"] == str(job.layout.channel("code"))


def test_sdk_v3s_driver_finds_bash_python_and_the_libraries(job: ScriptJob) -> None:
    """What its sm_train.sh does with the image: bash, python3 from the path, no code of ours."""
    v3(job)
    driver = job.layout.channel("sm_drivers") / "sm_train.sh"
    driver.write_text(
        "set -e\n"
        "SM_PYTHON_CMD=$(command -v python3 || command -v python)\n"
        f"cd {job.layout.channel('code')}\n"
        "$SM_PYTHON_CMD train.py --max_depth 2 --objective binary:logistic\n"
    )
    folders = {
        "SM_MODEL_DIR": job.layout.model,
        "SM_CHANNEL_TRAIN": job.layout.channel("train"),
        "SM_OUTPUT_DATA_DIR": job.layout.output_data,
    }
    job.layout.model.mkdir()
    job.layout.output_data.mkdir(parents=True)

    subprocess.run(
        ["/bin/bash", str(driver)],
        check=True,
        capture_output=True,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "SM_HPS": "{}",
            "SM_CURRENT_HOST_RANK": "0",
            **{name: str(path) for name, path in folders.items()},
        },
    )

    job.check_model()


def test_a_shell_script_runs_as_well(job: ScriptJob) -> None:
    v3(job, 'echo "shell $1 $2 in $SM_CURRENT_HOST"\n', "go.sh")

    code, out, _ = job.run({"max_depth": 2})

    assert code == 0
    assert out.splitlines()[-1] == "shell --max_depth 2 in algo-1"


def test_the_scripts_exit_code_and_last_words_are_the_jobs(job: ScriptJob) -> None:
    v3(job, "import sys\nsys.stderr.write('line 1\\nno such column: age\\n')\nsys.exit(7)\n")

    code, _, err = job.run({})

    assert code == 7
    assert err == "line 1\nno such column: age\n"
    assert job.failure == "UserError: train.py exited with 7: line 1\nno such column: age"


def test_the_scripts_own_failure_file_is_kept(job: ScriptJob) -> None:
    v3(
        job,
        "import os, pathlib, sys\n"
        "pathlib.Path(os.environ['SM_OUTPUT_FAILURE']).write_text('my own words')\n"
        "sys.exit(1)\n",
    )

    assert job.run({})[0] == 1
    assert job.failure == "my own words"


def test_sigterm_reaches_the_script(job: ScriptJob) -> None:
    v3(
        job,
        "import os, pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    pathlib.Path(os.environ['SM_MODEL_DIR'], 'saved').write_text('x')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready')\n"
        "time.sleep(60)\n",
    )

    with job.start({}) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "ready":
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert process.returncode == 0
    assert (job.layout.model / "saved").read_text() == "x"


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        (
            {"sagemaker_program": "other.py"},
            "UserError: the training script other.py is not in {code}; it holds helper.py, "
            "train.py",
        ),
        (
            {"sagemaker_program": "../train.py"},
            "UserError: the training script ../train.py is not in {code}; it holds helper.py, "
            "train.py",
        ),
        (
            {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://bucket/a.tar.gz"},
            "UserError: the source s3://bucket/a.tar.gz lies in S3, which this image does not "
            "read; let the SDK send it as the channel code (SDK v3, or enable_network_isolation "
            "in v2)",
        ),
    ],
)
def test_a_script_that_cannot_be_found_is_named(
    job: ScriptJob, hyperparameters: dict[str, str], sentence: str
) -> None:
    job.source(job.layout.code)

    assert job.run(hyperparameters)[0] == 1
    assert job.failure == sentence.format(code=job.layout.code)


def test_an_archive_that_leads_outside_is_refused_whole(job: ScriptJob, tmp_path: Path) -> None:
    archive = job.layout.channel("code") / "sourcedir.tar.gz"
    archive.parent.mkdir(parents=True)
    (tmp_path / "evil.py").write_text("print('never')")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "evil.py", "train.py")
        tar.add(tmp_path / "evil.py", "../evil.py")

    code, out, _ = job.run({"sagemaker_program": "train.py"})

    assert code == 1
    assert job.failure.startswith("UserError: ")
    assert "never" not in out
    assert not job.layout.code.exists()
    assert not (job.layout.base / "evil.py").exists()
