"""`python -m canarywood`: exit codes, and where the reason is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from canarywood.__main__ import COMMANDS, main, usage

CODE = Path(__file__).parents[2] / "container" / "code"


def run(*words: str, base: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CODE), "SAGEMAKER_BASE_DIR": str(base)}
    return subprocess.run(
        [sys.executable, "-m", "canarywood", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [["bake"], ["train", "now"], ["--version"], []])
def test_a_wrong_call_exits_2_and_lists_the_commands(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"no command {' '.join(words)!r}" in said
    assert all(name in said for name in COMMANDS)


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_no_failure(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out == usage()


def test_every_command_has_a_module() -> None:
    folder = CODE / "canarywood" / "commands"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(COMMANDS)


@pytest.mark.parametrize(
    ("command", "place"), [("preprocess", "message"), ("train", "failure"), ("evaluate", "message")]
)
def test_a_failure_of_the_users_leaves_one_sentence_and_no_stack(
    tmp_path: Path, command: str, place: str
) -> None:
    done = run(command, base=tmp_path)
    assert done.returncode == 1
    reason = (tmp_path / "output" / place).read_text()
    assert reason.startswith("UserError: ")
    assert done.stderr.splitlines()[-1] == f"canarywood {command}: {reason}"
    assert "Traceback" not in done.stderr


def test_serve_without_a_model_says_so(tmp_path: Path) -> None:
    done = run("serve", base=tmp_path)
    assert done.returncode == 1
    assert "no model" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "output").exists()


def test_a_reason_that_cannot_be_written_is_still_said(tmp_path: Path) -> None:
    (tmp_path / "output").touch()  # a file where the folder should be
    done = run("preprocess", base=tmp_path)
    assert done.returncode == 1
    assert "canarywood preprocess: UserError: " in done.stderr
    assert "canarywood preprocess: the reason could not be written: " in done.stderr


def test_a_fault_of_ours_is_an_algorithm_error_with_its_stack_in_the_log(tmp_path: Path) -> None:
    config = tmp_path / "processing" / "input" / "config"
    config.mkdir(parents=True)
    (config / "data.json").write_text(json.dumps({"target": "y"}))
    data = tmp_path / "processing" / "input" / "data"
    data.mkdir()
    (data / "a.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    # what no check foresees: an output that is a file
    (tmp_path / "processing" / "output").touch()
    done = run("preprocess", base=tmp_path)
    assert done.returncode == 1
    assert "Error: " in (tmp_path / "output" / "message").read_text()
