import json
import sys
import time
from pathlib import Path

import pytest

from canarywood.errors import SettingsError
from ops.runtime import DockerRuntime, ProcessRuntime

MAIN = """
import json, os, sys
names = ("SAGEMAKER_BASE_DIR", "SAGEMAKER_BIND_TO_PORT", "PYTHONPATH", "EXTRA")
print(json.dumps({"words": sys.argv[1:], **{n: os.environ.get(n) for n in names}}))
print("said on stderr", file=sys.stderr)
sys.exit(3 if sys.argv[1] == "train" else 0)
"""

DOCKER = """#!/bin/sh
if [ "$1" = image ]; then
    [ "$5" = known:1 ] && echo sha256:abc && exit 0
    echo "Error: No such image: $5" >&2; exit 1
fi
for word in "$@"; do echo "$word"; done
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    code = tmp_path / "root" / "container" / "code" / "canarywood"
    code.mkdir(parents=True)
    (code / "__main__.py").write_text(MAIN)
    return tmp_path / "root"


@pytest.fixture
def docker(tmp_path: Path) -> str:
    path = tmp_path / "docker"
    path.write_text(DOCKER)
    path.chmod(0o755)
    return str(path)


def wait_for(log: Path, text: str) -> str:
    deadline = time.monotonic() + 20
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return log.read_text()


def test_a_process_gets_the_base_folder_and_its_output_is_kept(root: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    log = tmp_path / "logs" / "train.log"
    runtime = ProcessRuntime(root, {"EXTRA": "from outside"})
    status = runtime.run("train", tmp_path / "base", log=log, on_line=lines.append)
    assert status == 3
    assert json.loads(lines[0]) == {
        "words": ["train"],
        "SAGEMAKER_BASE_DIR": str(tmp_path / "base"),
        "SAGEMAKER_BIND_TO_PORT": None,
        "PYTHONPATH": str(root / "container" / "code"),
        "EXTRA": "from outside",
    }
    assert lines[1] == "said on stderr"
    assert log.read_text().splitlines() == lines


def test_a_server_gets_its_port_and_the_projects_environment(root: Path, tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    runtime = ProcessRuntime(root, {})
    runtime.start(tmp_path / "base", port=8123, environment={"EXTRA": "1"}, log=log)
    said = json.loads(wait_for(log, "said on stderr").splitlines()[0])
    assert said["words"] == ["serve"]
    assert said["SAGEMAKER_BIND_TO_PORT"] == "8123"
    assert said["EXTRA"] == "1"


def test_the_fingerprint_follows_the_code_but_not_what_python_caches(root: Path) -> None:
    runtime = ProcessRuntime(root)
    first = runtime.fingerprint()
    code = root / "container" / "code"
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "x.pyc").write_text("")
    assert runtime.fingerprint() == first
    (code / "model.py").write_text("")
    assert runtime.fingerprint() != first


def test_a_container_has_the_base_folder_the_callers_id_and_no_network(
    docker: str, tmp_path: Path
) -> None:
    lines: list[str] = []
    runtime = DockerRuntime("known:1", docker)
    status = runtime.run("train", tmp_path, log=tmp_path / "log", on_line=lines.append)
    assert status == 0
    assert lines[:2] == ["run", "--rm"]
    assert lines[2] == "--user"
    assert lines[4:] == ["--volume", f"{tmp_path}:/opt/ml", "--network", "none", "known:1", "train"]


def test_a_container_serves_on_loopback_only(docker: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    runtime = DockerRuntime("known:1", docker)
    runtime.start(tmp_path, port=8123, environment={"A": "1"}, log=log)
    words = wait_for(log, "serve\n").splitlines()
    assert words[6:] == ["--publish", "127.0.0.1:8123:8080", "--env", "A=1", "known:1", "serve"]


def test_the_fingerprint_of_an_image_is_its_id(docker: str) -> None:
    assert DockerRuntime("known:1", docker).fingerprint() == "sha256:abc"


def test_an_image_that_is_not_there_tells_how_to_build_it(docker: str) -> None:
    with pytest.raises(SettingsError) as caught:
        DockerRuntime("none:1", docker).fingerprint()
    assert str(caught.value) == (
        "none:1: Error: No such image: none:1; build it with `make images`"
    )


def test_without_docker_the_message_says_so() -> None:
    with pytest.raises(SettingsError, match="leave RUNTIME=docker out"):
        DockerRuntime(docker="no-docker-here").fingerprint()


def test_jobs_run_with_this_python(root: Path, tmp_path: Path) -> None:
    (root / "container" / "code" / "canarywood" / "__main__.py").write_text(
        "import sys; print(sys.executable)"
    )
    lines: list[str] = []
    ProcessRuntime(root).run("train", tmp_path, log=tmp_path / "log", on_line=lines.append)
    assert lines == [sys.executable]
