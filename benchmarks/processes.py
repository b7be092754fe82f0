"""Programs that are measured: start them, find their tree, read its CPU time and memory.

Linux only: all figures are read from /proc.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STOP_S = 20.0
MB = 1e6


def tree(root: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended since
            children.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s(pids: Collection[int]) -> float:
    """CPU seconds that processes have used, ended threads included."""
    seconds = 0.0
    for pid in pids:
        with suppress(OSError):
            fields = _stat(pid)
            seconds += (int(fields[11]) + int(fields[12])) / TICKS_PER_S  # utime, stime
    return seconds


def pss_mb(pids: Collection[int]) -> float:
    """Memory in MB: private pages, and of each shared page its share."""
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes * 1024 / MB


def workers(root: int) -> list[int]:
    """gunicorn's workers below a process: its processes whose parent is gunicorn too."""
    return [pid for pid in tree(root) if _is_gunicorn(pid) and _is_gunicorn(int(_stat(pid)[1]))]


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program and all that it starts; none of it is left afterwards."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env=dict(environment), stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    started = tree(process.pid)
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    _until_dead(started, 1)  # children of one that has ended are about to
    for pid in filter(_is_alive, started):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    _until_dead(started, STOP_S)


def _until_dead(pids: Collection[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(map(_is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def _is_gunicorn(pid: int) -> bool:
    try:
        return b"gunicorn" in (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third (state) on; the name may hold blanks."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
