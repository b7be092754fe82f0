"""The supervisor: process 1 of a serving container. Standard library only, one thread.

    supervisor ── gunicorn master (model loaded once) ── workers      workers.sock
        │  └───── nginx master ── nginx workers                       the only port
        └── answers /ping for nginx                                   health.sock

Start: gunicorn first; when every worker has predicted once, nginx, which opens the port. So a
client is refused or answered, never told 502.

Stop (SIGTERM): /ping says 503 at once, requests are still taken for the drain delay, then nginx
finishes what it has (QUIT), then gunicorn (TERM). SageMaker kills after 30 seconds; this takes
less than STOP_S. When a master dies by itself the rest is stopped in the same order, and the exit
code is not 0.

One event loop waits for signals, notices, pings and time, so nothing here needs a lock, and a
ping is answered while a child is awaited.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import canarywood
from canarywood.errors import AlgorithmError, ArtifactError
from canarywood.logs import fields
from canarywood.serving.health import Health, HealthServer
from canarywood.serving.nginx import NginxPlan, configuration, find_nginx
from canarywood.serving.plan import RUN_VARIABLE, Run, ServePlan, make_plan
from canarywood.serving.processes import adopt_orphans, reap, signal_group, spawn

STOP_S = 24.0  # from SIGTERM to the end, at most; SageMaker kills after 30
GUNICORN_STOP_S = 3.0  # its part: nginx has finished every request by then
KILL_S = 1.0  # for the kernel to end what was killed
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)

log = logging.getLogger(__name__)


@contextlib.contextmanager
def run_folder(environment: Mapping[str, str]) -> Iterator[ServePlan]:
    """Make the plan and its private folder; the folder is removed at the end."""
    run = Run(Path(tempfile.mkdtemp(prefix="canarywood-")))
    try:
        run.check()
        plan = make_plan(environment, run)
        run.metrics_folder.mkdir()
        if plan.identity:
            run.folder.chmod(0o711)  # other users may reach the sockets, but not look around
            os.chown(run.metrics_folder, plan.identity.uid, plan.identity.gid)
        yield plan
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)


class Supervisor:
    """Starts, watches and stops gunicorn and nginx."""

    def __init__(
        self,
        plan: ServePlan,
        environment: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._environment = dict(environment)
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._health = Health(expected=plan.workers)
        self._server = HealthServer(self._health, self._selector)
        self._names: dict[int, str] = {}  # of our children, by pid, also after they ended
        self._ended: dict[str, int] = {}  # exit code by name
        self._stop_asked = False
        self._serving = False

    def run(self) -> int:
        """Serve until told to stop; 0 then. Raises ArtifactError or AlgorithmError otherwise."""
        with self._listening_to_signals():
            try:
                self._server.listen(self._plan.run.health_socket, self._plan.run.notices_socket)
                self._start()
                self._until(lambda: self._stop_asked or bool(self._ended))
                dead = dict(self._ended)
                self._stop(at_once=bool(dead) or not self._serving)
            finally:
                self._kill_rest()
                self._server.close()
        if dead:
            name, code = next(iter(dead.items()))
            raise AlgorithmError(f"{name} ended by itself with exit code {code}")
        return 0

    # -- start and stop ------------------------------------------------------------------------

    def _start(self) -> None:
        settings = self._plan.settings
        nginx = find_nginx() if settings.use_nginx else None
        began = self._clock()
        self._spawn(
            "gunicorn", gunicorn_command(), gunicorn_environment(self._plan, self._environment)
        )
        answered = self._until(
            lambda: bool(
                self._health.started or self._health.failure or self._ended or self._stop_asked
            ),
            settings.startup_timeout_s,
        )
        if self._stop_asked:
            return
        if self._health.failure:
            raise ArtifactError(self._health.failure)
        if self._ended:
            raise AlgorithmError(
                f"gunicorn ended before its workers were ready: {self._ended['gunicorn']}"
            )
        if not answered:
            raise AlgorithmError(
                f"{len(self._health.ready)} of {self._plan.workers} workers were ready after "
                f"{settings.startup_timeout_s} seconds; raise SAGEMAKER_STARTUP_TIMEOUT"
            )
        if nginx:
            self._start_nginx(nginx)
        self._serving = True
        log.info(
            "serving",
            extra=fields(
                port=settings.port,
                workers=self._plan.workers,
                threads=settings.threads,
                user=self._plan.identity.name if self._plan.identity else os.geteuid(),
                seconds=round(self._clock() - began, 3),
            ),
        )

    def _start_nginx(self, program: str) -> None:
        plan = self._plan
        text = configuration(
            NginxPlan(
                settings=plan.settings,
                run=plan.run.folder,
                identity=plan.identity,
                cpus=plan.cpus,
                shutdown_timeout_s=int(STOP_S - GUNICORN_STOP_S - plan.settings.drain_delay_s),
            )
        )
        path = plan.run.nginx_configuration
        path.write_text(text, encoding="utf-8")
        self._spawn(
            "nginx",
            [program, "-e", "stderr", "-p", str(plan.run.folder), "-c", str(path)],
            self._environment,
        )

    def _stop(self, *, at_once: bool) -> None:
        """Drain, then nginx, then gunicorn; `at_once` leaves the drain delay out."""
        began = self._clock()
        self._health.draining = True
        delay = 0.0 if at_once else self._plan.settings.drain_delay_s
        log.info("draining", extra=fields(seconds=delay, reason="fault" if at_once else "signal"))
        self._until(lambda: bool(self._ended), delay)
        self._end("nginx", signal.SIGQUIT, began + STOP_S - GUNICORN_STOP_S)
        self._end("gunicorn", signal.SIGTERM, began + STOP_S)
        log.info("stopped", extra=fields(seconds=round(self._clock() - began, 3)))

    def _end(self, name: str, number: signal.Signals, until: float) -> None:
        """Ask a child to end, wait for it and for all that it started."""
        pid = next((pid for pid, known in self._names.items() if known == name), None)
        if pid is None:
            return
        if name not in self._ended:
            os.kill(pid, number)
        elif not signal_group(pid, number):  # its master is gone: tell the orphans themselves
            return
        # Once more each second, and to all: gunicorn's workers do not hear a signal that comes
        # right after their fork.
        while not self._until(lambda: not signal_group(pid, 0), min(1.0, until - self._clock())):
            if self._clock() >= until or not signal_group(pid, number):
                return

    def _kill_rest(self) -> None:
        """Leave no process behind, whatever happened before."""
        left = [pid for pid in self._names if signal_group(pid, signal.SIGKILL)]
        self._until(lambda: not any(signal_group(pid, 0) for pid in left), KILL_S)

    def _spawn(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        pid = spawn(command, environment)
        self._names[pid] = name
        log.info("started", extra=fields(program=name, pid=pid))

    # -- the event loop ------------------------------------------------------------------------

    def _until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Let events happen until the condition holds (True) or the time is over (False)."""
        end = None if seconds is None else self._clock() + seconds
        while not condition():
            left = None if end is None else end - self._clock()
            if left is not None and left <= 0:
                return False
            for key, _ in self._selector.select(left):
                key.data()
        return True

    @contextlib.contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        """Turn signals into events; the handlers themselves do nothing."""
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._signalled(reader))
        watched = (*STOP_SIGNALS, signal.SIGCHLD)
        before = {number: signal.signal(number, lambda *_: None) for number in watched}
        woken = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        adopt_orphans()
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            reader.close()
            writer.close()

    def _signalled(self, reader: socket.socket) -> None:
        received = reader.recv(4096)
        if any(number in received for number in STOP_SIGNALS):
            self._stop_asked = True
        for pid, code in reap().items():
            name = self._names.get(pid)
            if name:
                self._ended[name] = code
                log.info("ended", extra=fields(program=name, pid=pid, code=code))


def gunicorn_command() -> list[str]:
    """The command line of gunicorn; all else stands in gunicorn_conf.py."""
    return [sys.executable, "-m", "gunicorn", "-c", "python:canarywood.serving.gunicorn_conf"]


def gunicorn_environment(plan: ServePlan, environment: Mapping[str, str]) -> dict[str, str]:
    """What gunicorn and its workers are told by environment variables.

    A library that starts threads before the fork leaves workers that hang: one thread each,
    fixed before anything is imported. CPUs are used by workers and by their own threads.
    """
    root = str(Path(canarywood.__file__).resolve().parents[1])
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if root not in paths:
        paths.append(root)  # last: a user's own `model` may stand before ours
    inherited = {name: text for name, text in environment.items() if name != "GUNICORN_CMD_ARGS"}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(plan.run.metrics_folder),
        RUN_VARIABLE: str(plan.run.folder),
    }
