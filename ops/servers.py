"""Servers that run in the background: found again, checked to be ours, stopped."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from canarywood.contract import read_json, write_json
from canarywood.errors import AlgorithmError, DataError

RECORD = "server.json"
STOP_S = 40  # serve drains up to 30 s
POLL_S = 0.05


@dataclass(frozen=True)
class Server:
    """A server in the background.

    Attributes:
        base: its /opt/ml; stands in the process's environment, so that a process id which the
            system gave to another program since is never taken for it.
        digest: of everything it was started with.
    """

    project: str
    pid: int
    port: int
    base: str
    digest: str

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def write(self, home: Path) -> None:
        """Remember it in the project's folder."""
        write_json(home / RECORD, dataclasses.asdict(self))


def spawn(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Start a program that outlives this one; returns its process id.

    In a session of its own, as a Ctrl-C at the terminal is not meant for it. Not by subprocess,
    which warns of a child that is left behind: this one is meant to be.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawnp(
        command[0],
        list(command),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def exit_status(pid: int) -> int | None:
    """Of a child that has ended; None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def read(home: Path) -> Server | None:
    """The server of a project's folder, where one was started and still runs."""
    try:
        value = read_json(home / RECORD)
        server = Server(**value) if isinstance(value, dict) else None
    except (DataError, TypeError):
        return None
    return server if server is not None and is_running(server) else None


def running(folder: Path) -> list[Server]:
    """The servers of every project below .canarywood."""
    found = [read(record.parent) for record in sorted(folder.glob(f"*/{RECORD}"))]
    return [server for server in found if server is not None]


def is_running(server: Server) -> bool:
    """Whether the process is there and is that server."""
    mark = f"SAGEMAKER_BASE_DIR={server.base}"
    process = Path("/proc") / str(server.pid)
    if not Path("/proc/self").exists():  # macOS
        shown = subprocess.run(
            ["ps", "eww", "-o", "command=", "-p", str(server.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return mark in shown.stdout.split()
    try:
        # Of a zombie both are empty.
        words = (process / "cmdline").read_bytes().split(b"\0")
        environment = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"serve" in words and mark.encode() in environment


def stop(server: Server, home: Path) -> None:
    """Ask it to drain and wait for its end; raises AlgorithmError where it had to be killed."""
    if is_running(server):
        ask(server)
        _wait(server, time.monotonic())
    (home / RECORD).unlink(missing_ok=True)


def ask(server: Server) -> None:
    """Ask it to drain, and do not wait. To ask twice changes nothing."""
    _signal(server, signal.SIGTERM)


def _wait(server: Server, begun: float) -> None:
    """Until it has ended. A process that ends loses its environment before it frees its port."""
    while not _has_ended(server.pid):
        if time.monotonic() - begun > STOP_S:
            _signal(server, signal.SIGKILL)
            raise AlgorithmError(
                f"the server of {server.project} (process {server.pid}) did not drain in "
                f"{STOP_S} s and was killed"
            )
        time.sleep(POLL_S)


def _has_ended(pid: int) -> bool:
    """Gone, or a zombie that waits for its parent to look."""
    if not Path("/proc/self").exists():  # macOS
        return (
            subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode > 0
        )
    try:
        status = (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] in "ZX"


def _signal(server: Server, number: signal.Signals) -> None:
    try:
        os.kill(server.pid, number)
    except ProcessLookupError:
        return  # it ended by itself in between
