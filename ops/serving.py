"""Starts the server of a project in the background, or keeps the one that is right."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass

from canarywood.artifact import digest, unpack
from ops import ports, servers
from ops.client import Client
from ops.jobs import JobError, failure
from ops.plan import Home
from ops.runtime import Runtime
from ops.servers import Server

PORT = 8080
READY_S = 60
POLL_S = 0.05


@dataclass(frozen=True)
class Served:
    """The server that runs now, and how it came to be."""

    server: Server
    reused: bool
    note: str = ""


def serve(
    project: str,
    home: Home,
    runtime: Runtime,
    *,
    environment: Mapping[str, str],
    port: int | None = None,
) -> Served:
    """Have the project's model answered for.

    Args:
        port: where; None: where it runs already, or 8080. The next free one where that is taken.
    """
    wanted = _digest(home, runtime, environment)
    running = servers.read(home.folder)
    if running is not None:
        same = running.digest == wanted and port in (None, running.port)
        if same and Client(running.port).is_ready():
            return Served(running, reused=True, note="still running")
        servers.stop(running, home.folder)
        port = port or running.port
    preferred = port or PORT
    chosen = ports.choose(preferred)
    note = ""
    if chosen != preferred:
        note = f"port {preferred} is taken by {_holder(preferred, home)}, took the next"
    layout = home.layout("serve")
    shutil.rmtree(layout.base, ignore_errors=True)
    unpack(home.archive, layout.model)
    log = home.log("serve")
    pid = runtime.start(layout.base, port=chosen, environment=environment, log=log)
    server = Server(project, pid, chosen, str(layout.base), wanted)
    server.write(home.folder)
    _wait(server, home)
    return Served(server, reused=False, note=note)


def _wait(server: Server, home: Home) -> None:
    """Until /ping answers 200; raises JobError where the server ends before, or takes too long."""
    deadline = time.monotonic() + READY_S
    client = Client(server.port)
    log = home.log("serve")
    while not client.is_ready():
        status = servers.exit_status(server.pid)
        if status is not None:
            raise JobError(failure("serve", status, home.layout("serve"), log))
        if time.monotonic() > deadline:
            servers.stop(server, home.folder)
            raise JobError(f"serve was not ready in {READY_S} s\nits log: {log}")
        time.sleep(POLL_S)


def _holder(port: int, home: Home) -> str:
    """Who listens there: another project of ours by its name, anybody else by the system's."""
    ours = [server for server in servers.running(home.folder.parent) if server.port == port]
    return f"the server of {ours[0].project}" if ours else ports.holder(port)


def _digest(home: Home, runtime: Runtime, environment: Mapping[str, str]) -> str:
    told = [
        type(runtime).__name__,
        runtime.fingerprint(),
        digest(home.archive),
        dict(environment),
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
