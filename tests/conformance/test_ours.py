"""Our own code, strictly: a choice of ours that is not followed fails too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.runs import Run, run

IMAGE = "canarywood:local"


def faults(found: Run) -> dict[str, str]:
    return {number: found.seen[number] for number in found.named("FAIL") | found.named("differs")}


@pytest.mark.slow
def test_our_process_keeps_the_contract(tmp_path: Path) -> None:
    found = run(tmp_path / "result.json", "--process", "--strict")
    assert faults(found) == {}
    assert found.exit_code == 0
    assert found.named("not applicable") == {"L-14", "L-15.memory"}


@pytest.mark.docker
@pytest.mark.slow
def test_our_image_keeps_the_contract(tmp_path: Path) -> None:
    if shutil.which("docker") is None or not _is_built():
        pytest.skip(f"no Docker engine answers, or there is no {IMAGE}: make images")
    found = run(tmp_path / "result.json", "--image", IMAGE, "--strict")
    assert faults(found) == {}
    assert found.named("not applicable") == set()


def _is_built() -> bool:
    done = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    return done.returncode == 0
