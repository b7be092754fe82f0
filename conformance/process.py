"""Subject: a command that runs as an ordinary process, on its own folder for /opt/ml."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.subject import Address, Needs, NotApplicable, ProcessInfo, Start, free_port


class ProcessRun:
    """A process with its log; a session of its own, so that nothing of it is left behind."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], scratch: Path, port: int
    ) -> None:
        self.address = Address("127.0.0.1", port)
        self._scratch = scratch
        self._log = scratch / "log"
        self._seen: set[tuple[int, str]] = set()  # number and start time of its processes
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the first process."""
        with contextlib.suppress(NotApplicable):
            self.processes()  # so that those it leaves behind are known as its own
        self._process.send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """The exit code; None when it still runs."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def logs(self) -> str:
        """The log so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[ProcessInfo]:
        """Its living processes, found in /proc.

        Its own are those of its session, their descendants, and all that were seen to be its own
        before they lost their parent.
        """
        rows = _table()
        own = {row.info.pid for row in rows if row.session == self._process.pid}
        own |= {row.info.pid for row in rows if (row.info.pid, row.started) in self._seen}
        while more := {row.info.pid for row in rows if row.info.parent in own} - own:
            own |= more
        self._seen |= {(row.info.pid, row.started) for row in rows if row.info.pid in own}
        return [row.info for row in rows if row.info.pid in own]

    def kill(self, pid: int) -> None:
        """SIGKILL to one of its processes."""
        if pid not in {info.pid for info in self.processes()}:
            raise NotApplicable(f"process {pid} is gone already")
        os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill what is left of it and remove its folder."""
        with contextlib.suppress(NotApplicable):
            for info in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(info.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)


class Process:
    """A command line that understands `serve` and `train`.

    Args:
        command: what stands before `serve` or `train`.
        environment: added to the suite's own environment.
        port: where the server listens if it cannot be told by SAGEMAKER_BIND_TO_PORT.
        trains: whether the command understands `train`.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        port: int | None = None,
        trains: bool = True,
    ) -> None:
        self.name = " ".join(command)
        self.offers = frozenset({Needs.SERVER, Needs.START, *([Needs.TRAIN] if trains else [])})
        self.why_not = "a process, not a container" if trains else "serves only"
        self._command = list(command)
        self._environment = dict(environment)
        self._port = port

    def serve(self, start: Start) -> ProcessRun:
        """Start `serve` with the model's files below a new base folder."""
        scratch = Path(tempfile.mkdtemp(prefix="conformance-"))
        base = scratch / "ml"
        shutil.copytree(start.model, base / "model")
        environment = {"SAGEMAKER_BASE_DIR": str(base), **self._environment}
        if self._port is None:
            environment["SAGEMAKER_BIND_TO_PORT"] = str(free_port())
        environment |= start.environment
        port = int(environment.get("SAGEMAKER_BIND_TO_PORT") or self._port or 0)
        return ProcessRun([*self._command, "serve"], environment, scratch, port)

    def run(self, command: str, base: Path) -> ProcessRun:
        """Start a job; the caller owns the base folder."""
        scratch = Path(tempfile.mkdtemp(prefix="conformance-"))
        environment = {"SAGEMAKER_BASE_DIR": str(base), **self._environment}
        return ProcessRun([*self._command, command], environment, scratch, 0)


@dataclass(frozen=True)
class _Row:
    info: ProcessInfo
    session: int
    started: str


def _table() -> list[_Row]:
    """Every living process."""
    root = Path("/proc")
    if not (root / "self" / "stat").exists():
        raise NotApplicable("this system has no /proc: the subject's processes cannot be seen")
    found = []
    for entry in root.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # ended while we looked
        name, _, rest = text.partition("(")[2].rpartition(")")
        fields = rest.split()  # proc(5): state, parent, group, session, …, start time
        if fields[0] != "Z":
            info = ProcessInfo(int(entry.name), int(fields[1]), name)
            found.append(_Row(info, int(fields[3]), fields[19]))
    return found
