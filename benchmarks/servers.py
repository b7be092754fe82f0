"""The servers that are measured: ours, and the two it is measured against.

All stand behind nginx with one process (what ours takes on up to seven CPUs), meet it on a unix
socket, keep connections alive and log no requests. Ours is started as on SageMaker.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import clients
from benchmarks.processes import running, tree
from canarywood.serving.nginx import find_nginx

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "container" / "code"
READY_S = 60
POLL_S = 0.002

NGINX = """
{user}
worker_processes 1;
daemon off;
pid {run}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {run}/body;
  proxy_temp_path {run}/proxy;
  fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi;
  scgi_temp_path {run}/scgi;
  client_max_body_size 6m;
  client_body_buffer_size 6m;
  keepalive_requests 1000000;
  {content}
}}
"""
CONSTANT = """
  default_type text/csv;
  server {{ listen unix:{run}/app.sock; return 200 "0.5\\n"; }}
"""
FRONT = """
  upstream app {{
    server unix:{run}/app.sock max_fails=0;
    keepalive 128;
    keepalive_requests 1000000;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
"""


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        roots: the processes that were started; all else descends from them.
        ready_s: from the start to the first 200 of /ping.
        first_s: from the start to the first prediction.
    """

    port: int
    roots: tuple[int, ...]
    ready_s: float
    first_s: float

    @property
    def pids(self) -> list[int]:
        """All of its processes."""
        return [pid for root in self.roots for pid in tree(root)]


@contextmanager
def ours(model: Path, row: bytes, folder: Path, workers: int | None = None) -> Iterator[Running]:
    """`python -m canarywood serve` on a model folder; `workers` None: its own choice."""
    folder.mkdir(parents=True)
    base = folder / "ml"
    base.mkdir()
    (base / "model").symlink_to(model)
    port = _free_port()
    environment = {
        **_environment(),
        "PYTHONPATH": str(CODE),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "CANARYWOOD_BIND_ADDRESS": clients.HOST,
        "CANARYWOOD_DRAIN_DELAY": "0",
        "CANARYWOOD_REQUEST_LOG_SHARE": "0",
        **({"SAGEMAKER_MODEL_SERVER_WORKERS": str(workers)} if workers else {}),
    }
    command = [sys.executable, "-m", "canarywood", "serve"]
    began = time.perf_counter()
    with running(command, environment, folder / "log") as process:
        yield _ready(port, row, (process.pid,), began, folder)


@contextmanager
def classic(model: Path, row: bytes, folder: Path, workers: int) -> Iterator[Running]:
    """The server that one writes oneself, by gunicorn's gthread worker with one thread."""
    folder.mkdir(parents=True)
    port = _free_port()
    environment = {
        **_environment(),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(CODE)]),
        "OMP_NUM_THREADS": "1",
        "CLASSIC_MODEL": str(model / "xgboost-model"),
    }
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "1"]
    command += ["--workers", str(workers), "--bind", f"unix:{folder}/app.sock"]
    command += ["--keep-alive", "75", "--worker-tmp-dir", str(folder), "--log-level", "error"]
    command += ["benchmarks.classic:create()"]
    began = time.perf_counter()
    with (
        running(command, environment, folder / "log") as app,
        running(_front(folder, port), environment, folder / "nginx.log") as front,
    ):
        yield _ready(port, row, (app.pid, front.pid), began, folder)


@contextmanager
def constant(row: bytes, folder: Path) -> Iterator[Running]:
    """nginx before another nginx that answers a constant: what the architecture costs itself."""
    folder.mkdir(parents=True)
    port = _free_port()
    environment = _environment()
    behind = folder / "behind"
    behind.mkdir()
    content = CONSTANT.format(run=folder)
    began = time.perf_counter()
    with (
        running(_nginx(behind, content), environment, folder / "log") as app,
        running(_front(folder, port), environment, folder / "nginx.log") as front,
    ):
        yield _ready(port, row, (app.pid, front.pid), began, folder)


def _ready(port: int, row: bytes, roots: tuple[int, ...], began: float, folder: Path) -> Running:
    while not clients.ping(port):
        if time.perf_counter() - began > READY_S:
            raise RuntimeError(f"not ready: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(POLL_S)
    ready_s = time.perf_counter() - began
    clients.post(port, row)
    return Running(port, roots, ready_s, time.perf_counter() - began)


def _front(folder: Path, port: int) -> list[str]:
    return _nginx(folder, FRONT.format(run=folder, port=port))


def _nginx(folder: Path, content: str) -> list[str]:
    path = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker cannot reach the socket
    path.write_text(NGINX.format(user=user, run=folder, content=content), encoding="utf-8")
    return [find_nginx(), "-e", "stderr", "-p", str(folder), "-c", str(path)]


def _environment() -> dict[str, str]:
    """This process's, without what would configure a server."""
    prefixes = ("SAGEMAKER_", "CANARYWOOD_", "MODEL_SERVER", "GUNICORN", "PYTHON")
    return {name: text for name, text in os.environ.items() if not name.startswith(prefixes)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((clients.HOST, 0))
        port: int = probe.getsockname()[1]
        return port
