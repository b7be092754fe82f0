import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def ops(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "container" / "code")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_call_exits_2() -> None:
    done = ops("run", "nowhere")
    assert done.returncode == 2
    assert "'nowhere' does not exist" in done.stderr


def test_a_fault_of_the_user_is_one_readable_reason_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "project.yml").write_text("name: toy\nbata: {}\n")
    done = ops("run", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "",
        f"canarywood: {tmp_path / 'project.yml'}:",
        "  bata: there is no such key; did you mean data?",
        "  data: is missing",
    ]


def test_every_target_of_the_makefile_has_its_line_of_help() -> None:
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE)
    assert explained == phony.split()


@pytest.mark.parametrize("python", ["/nowhere/python3", "false"])
def test_an_unfit_python_is_refused_by_name(tmp_path: Path, python: str) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "ops" / "venv.sh"), "lock.txt"],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"canarywood: {python} is no Python 3.11, 3.12 or 3.13; "
        "name one: make run PYTHON=/path/to/python3\n"
    )
    assert list(tmp_path.iterdir()) == []
