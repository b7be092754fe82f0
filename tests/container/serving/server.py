"""A real `python -m canarywood serve` on a free loopback port, for tests of its life."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CODE = Path(__file__).parents[3] / "container" / "code"
PATIENCE_S = 60  # a guard against hanging, never a measure


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json", self.body
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Server:
    """A started server; everything it writes goes into files of its folder."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    temporary: Path
    children_seen: set[int] = field(default_factory=set)

    def ask(
        self,
        path: str = "/invocations",
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        method: str | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            return exchange(connection, path, body, headers, method=method)
        finally:
            connection.close()

    def predict(self, body: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.ask(body=body, headers={"Content-Type": "text/csv", **named})

    def ping(self) -> int:
        """The status of /ping; 0 where the connection is refused."""
        try:
            return self.ask("/ping").status
        except ConnectionRefusedError:
            return 0

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.process.poll() is not None or self.ping() == 200)
        assert self.process.poll() is None, self.errors
        self.children_seen = descendants(self.process.pid)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    @property
    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "stdout").read_text().splitlines()]

    def pids(self, program: str) -> list[int]:
        """Our child of that name, and its children."""
        master = next(e["pid"] for e in self.events if e.get("program") == program)
        return [master, *sorted(descendants(master))]


def exchange(
    connection: http.client.HTTPConnection,
    path: str,
    body: bytes | Iterator[bytes] | None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str | None = None,
) -> Answer:
    """One request on an open connection."""
    method = method or ("GET" if body is None else "POST")
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def descendants(pid: int) -> set[int]:
    """Living processes below a process."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                _, state, parent = _stat(folder)
            except OSError:
                continue
            if state != "Z":
                parents[int(folder.name)] = parent
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found |= new
    return found


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run."""
    return {pid for pid in pids if _runs(pid)}


def _runs(pid: int) -> bool:
    try:
        return _stat(Path(f"/proc/{pid}"))[1] != "Z"
    except OSError:
        return False


def _stat(folder: Path) -> tuple[str, str, int]:
    name, _, rest = (folder / "stat").read_text().rpartition(")")
    state, parent = rest.split()[:2]
    return name, state, int(parent)


@contextmanager
def started(base: Path, folder: Path, **environment: str) -> Iterator[Server]:
    """Start a server of the artifact in `base`/model; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="cw") as temporary:  # short, for unix sockets
        server = _start(base, folder, temporary, environment)
        try:
            yield server
        finally:
            _end(server)


def _start(base: Path, folder: Path, temporary: str, environment: Mapping[str, str]) -> Server:
    port = free_port()
    inherited = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("SAGEMAKER_", "CANARYWOOD_", "MODEL_SERVER", "PYTHON"))
    }
    (folder / "cwd").mkdir()
    given = {
        **inherited,
        "PYTHONPATH": str(CODE),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "CANARYWOOD_BIND_ADDRESS": "127.0.0.1",
        "MODEL_SERVER_WORKERS": "2",
        "CANARYWOOD_DRAIN_DELAY": "0.5",
        "TMPDIR": temporary,
        **environment,
    }
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "canarywood", "serve"],
            cwd=folder / "cwd",
            env=given,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    return Server(port, process, folder, Path(temporary))


def _end(server: Server) -> None:
    """Kill whatever a failed test left."""
    left = descendants(server.process.pid) | server.children_seen
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait(PATIENCE_S)
    for pid in alive(left):
        with contextlib.suppress(ProcessLookupError):  # it may end by itself just now
            os.kill(pid, signal.SIGKILL)
