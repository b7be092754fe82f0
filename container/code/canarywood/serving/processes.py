"""Processes: start, signal, end; who they run as. Standard library and Linux only.

The supervisor has one thread, so a plain fork and exec is safe, and what must hold in the child
before exec (the death signal above all) is said in Python.
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import signal
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36
DROP_CAPABILITIES = {"CHOWN": 0, "KILL": 5, "SETGID": 6, "SETUID": 7}  # <linux/capability.h>
USERS = ("canarywood", "nobody")
EXEC_FAILED = 127  # as a shell says it

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Identity:
    """The unprivileged user that workers run as."""

    name: str
    group: str
    uid: int
    gid: int


def unprivileged_identity(
    status: Path = Path("/proc/self/status"),
    users: Sequence[str] = USERS,
    program: Sequence[str] = (os.__file__, __file__, sysconfig.get_path("purelib")),
) -> Identity | None:
    """Who the workers should become; None where they stay who they are.

    SageMaker starts containers as root. Elsewhere they may start as any user, or as a root
    without the capabilities that a change of user takes. And a Python that only root can read
    cannot be left: a worker imports modules also late, a codec at the first use of its name.
    """
    if os.geteuid() != 0 or not _may_drop(status) or not all(map(_is_public, program)):
        return None
    for name in users:
        try:
            entry = pwd.getpwnam(name)
            group = grp.getgrgid(entry.pw_gid).gr_name
        except KeyError:
            continue
        return Identity(name, group, entry.pw_uid, entry.pw_gid)
    return None


def _may_drop(status: Path) -> bool:
    for line in status.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
            return all(held >> bit & 1 for bit in DROP_CAPABILITIES.values())
    return False


def _is_public(name: str) -> bool:
    """Whether every user can read this file."""
    path = Path(name).resolve()
    return bool(path.stat().st_mode & 0o004) and all(
        folder.stat().st_mode & 0o001 for folder in path.parents
    )


def spawn(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Start a program as the leader of its own session; returns its pid.

    It gets SIGTERM when this process dies, however that happens, and none of the terminal's
    signals: who stops when is decided here.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec keeps that
        os.setsid()
        die_with_parent(parent)
        os.execvpe(argv[0], list(argv), dict(environment))  # noqa: S606 - no shell is wanted
    except BaseException as error:  # noqa: BLE001 - nothing may return from a forked child
        os.write(2, f"{argv[0]} cannot be started: {error}\n".encode())
    finally:
        os._exit(EXEC_FAILED)


def die_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM when the parent dies; ends here if it is dead already.

    The kernel forgets this when a process changes its user, so it is for the masters.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(EXEC_FAILED)


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose own parent dies, as process 1 is anyway."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def signal_group(leader: int, number: int) -> bool:
    """Send a signal to what is left of a session (0: only ask); False where nothing is."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def reap() -> dict[int, int]:
    """Collect every child that has ended: exit code by pid, minus the signal if one killed it."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)
