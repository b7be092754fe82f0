"""Which port to serve on: the wanted one or the next free one, and who holds the wanted one."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from canarywood.errors import SettingsError

TRIES = 50
LISTEN = "0A"  # state of a socket in /proc/net/tcp


def is_free(port: int) -> bool:
    """Whether a server could listen on it, on every interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def choose(wanted: int) -> int:
    """The wanted port, or the next free one; raises SettingsError where there is none."""
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if is_free(port):
            return port
    raise SettingsError(f"no free port from {wanted} to {wanted + TRIES - 1}; give another PORT")


def holder(port: int) -> str:
    """Who listens on a port, as far as the system tells: `nginx (process 71)`."""
    sockets = _listening(port)
    for process in Path("/proc").glob("[0-9]*"):
        if sockets & _open_files(process):
            with suppress(OSError):  # it has ended since
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return f"{name} (process {process.name})"
    return "another program"


def _open_files(process: Path) -> set[str]:
    found = set()
    with suppress(OSError):  # it has ended, or is another user's
        for link in (process / "fd").iterdir():
            with suppress(OSError):  # closed since
                found.add(str(link.readlink()))
    return found


def _listening(port: int) -> set[str]:
    """`socket:[inode]` of every socket that listens on the port."""
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text(encoding="utf-8").splitlines()[1:]:
            words = line.split()
            if words[3] == LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{words[9]}]")
    return found
