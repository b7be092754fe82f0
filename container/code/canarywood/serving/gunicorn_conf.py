"""gunicorn's settings and hooks, read by `gunicorn -c python:canarywood.serving.gunicorn_conf`.

gunicorn takes every module-level name that it knows, so this module alone reads the environment
when it is imported. OMP_NUM_THREADS and the like are set by the supervisor, before any import.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from canarywood.serving.health import notify
from canarywood.serving.plan import RUN_VARIABLE, Run, make_plan

_run = Run(Path(os.environ[RUN_VARIABLE]))
_plan = make_plan(os.environ, _run)
_settings = _plan.settings
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - memory, so that a heartbeat never waits for a disk

wsgi_app = "canarywood.serving.wsgi:create()"
preload_app = True
worker_class = _plan.worker_class
bind = (
    f"unix:{_run.workers_socket}"
    if _settings.use_nginx
    else f"{_settings.bind_address}:{_settings.port}"
)
workers = _plan.workers
threads = _plan.threads_per_worker
worker_connections = 2 * threads + 1000
timeout = _settings.gunicorn_timeout_s
graceful_timeout = _settings.gunicorn_timeout_s
keepalive = 75  # nginx lets go of an idle connection after 30
# What nginx lets pass (large_client_header_buffers) is not refused here.
limit_request_line = 0 if _settings.use_nginx else 4094
limit_request_field_size = _settings.max_header_bytes
max_requests = _settings.max_requests
max_requests_jitter = _settings.max_requests // 10
control_socket_disable = True
worker_tmp_dir = str(_SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else _run.folder)
if _plan.identity:
    user, group, initgroups = _plan.identity.uid, _plan.identity.gid, True
logconfig_dict = {
    "formatters": {"json": {"()": "canarywood.logs.JsonLines"}},
    "handlers": {
        "json": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stdout",
        }
    },
    "root": {"level": _settings.log_level, "handlers": ["json"]},
    # gunicorn tells of each start and stop of a worker; the supervisor tells what matters
    "loggers": {
        "gunicorn.error": {
            "level": max(_settings.log_level, logging.WARNING),
            "handlers": [],
            "propagate": True,
        }
    },
}


def post_worker_init(worker: Any) -> None:
    """In a worker, before its first request: predict once, then say so."""
    try:
        worker.wsgi.warm_up()
    except Exception as error:
        notify(_run.notices_socket, f"failed {error}")
        raise
    notify(_run.notices_socket, f"ready {os.getpid()}")


def child_exit(_server: Any, worker: Any) -> None:
    """In the master, after a worker has ended, in whatever way."""
    notify(_run.notices_socket, f"gone {worker.pid}")
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # ships no types
