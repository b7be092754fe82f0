"""The plan of a server: how many workers, as whom, with which files. Standard library only.

Supervisor and gunicorn make the same plan of the same environment, so nothing but the name of
the run folder passes between them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from canarywood.cpus import available_cpus
from canarywood.errors import SettingsError
from canarywood.serving.memory import available_memory
from canarywood.serving.processes import Identity, unprivileged_identity
from canarywood.settings import LOOP, ServeSettings

RUN_VARIABLE = "CANARYWOOD_RUN_FOLDER"
MEMORY_PER_WORKER = 1024**3
SPARE_THREADS = 4  # of a worker: to refuse, and to show metrics, while all others are taken
LONGEST_SOCKET_PATH = 107  # bytes, of a unix socket on Linux


@dataclass(frozen=True)
class Run:
    """The private folder of one running server."""

    folder: Path

    @property
    def workers_socket(self) -> Path:
        """gunicorn listens here."""
        return self.folder / "workers.sock"

    @property
    def health_socket(self) -> Path:
        """The supervisor answers pings here."""
        return self.folder / "health.sock"

    @property
    def notices_socket(self) -> Path:
        """The supervisor hears here who is ready."""
        return self.folder / "notices.sock"

    @property
    def metrics_folder(self) -> Path:
        """The workers keep their counters here, one file a process."""
        return self.folder / "metrics"

    @property
    def nginx_configuration(self) -> Path:
        """nginx.conf."""
        return self.folder / "nginx.conf"

    def check(self) -> None:
        """Raise SettingsError where the folder's name is too long for a socket."""
        if len(os.fsencode(self.notices_socket)) > LONGEST_SOCKET_PATH:
            raise SettingsError(
                f"TMPDIR: {self.folder} is too long a name for unix sockets; set a shorter one"
            )


@dataclass(frozen=True)
class ServePlan:
    """Everything that is decided before a process starts.

    Attributes:
        workers: gunicorn's worker processes; they share the model of their master.
        cpus: that this container may use.
        identity: who the workers become; None where they stay who they are.
    """

    settings: ServeSettings
    run: Run
    workers: int
    cpus: int
    identity: Identity | None

    @property
    def threads_per_worker(self) -> int:
        """Those that predict, those that wait for their turn, and some to spare."""
        return self.settings.threads + self.settings.queue_size + SPARE_THREADS

    @property
    def worker_class(self) -> str:
        """Of gunicorn: the loop is for requests that nginx has read and checked."""
        is_loop = self.settings.use_nginx and self.settings.worker == LOOP
        chosen = "worker.LoopWorker" if is_loop else "threads.ThreadsWorker"
        return f"canarywood.serving.{chosen}"

    @property
    def slots(self) -> int:
        """Predictions that run at the same time in all workers."""
        return self.workers * self.settings.threads


def make_plan(environment: Mapping[str, str], run: Run) -> ServePlan:
    """Decide by the environment and by what the container may use."""
    settings = ServeSettings.from_environment(environment)
    cpus = available_cpus()
    return ServePlan(
        settings=settings,
        run=run,
        workers=settings.workers or worker_count(cpus, settings.threads, available_memory()),
        cpus=cpus,
        identity=unprivileged_identity(),
    )


def worker_count(cpus: int, threads: int, memory_bytes: int) -> int:
    """One worker for `threads` CPUs and for each GiB of memory, at least one."""
    return max(1, min(cpus // threads, memory_bytes // MEMORY_PER_WORKER))
