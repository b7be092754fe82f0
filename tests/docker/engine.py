"""The docker client as the tests need it: run, inspect, one server at a time. The CLI, no SDK."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = "canarywood:local"
READY_SECONDS = 60

# As strict as an engine can be asked to be: any uid, nothing writable but /tmp, no capability.
LOCKED_DOWN = (
    *("--user", "10001:10001", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108 - in the container
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Answer:
    """How a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes


def docker(*arguments: str, timeout: float = 120) -> Outcome:
    """Run the docker client; any exit code is the caller's to judge."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def must(outcome: Outcome) -> str:
    """The stdout of a command that has to succeed."""
    assert outcome.code == 0, f"exit {outcome.code}: {outcome.stderr}{outcome.stdout}"
    return outcome.stdout


def inspect(name: str) -> dict[str, Any]:
    """What the engine knows of an image or a container."""
    found: list[dict[str, Any]] = json.loads(must(docker("inspect", name)))
    return found[0]


def run(*command: str, opt_ml: Path | None = None, options: Sequence[str] = ()) -> Outcome:
    """Run a command of the image as a job: `docker run IMAGE train`."""
    return docker("run", "--rm", *_mount(opt_ml), *options, IMAGE, *command)


def shell(script: str, *options: str) -> str:
    """What a shell script prints inside the image, as root."""
    return must(docker("run", "--rm", *options, "--entrypoint", "bash", IMAGE, "-euc", script))


@dataclass(frozen=True)
class Server:
    """A container that runs `serve`, reached through a published port of the loopback."""

    name: str
    address: str

    def request(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """GET, or POST where there is a body."""
        asked = urllib.request.Request(
            f"http://{self.address}{path}", data=body, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def inside(self, *command: str) -> str:
        """What a command prints inside the running container."""
        return must(docker("exec", self.name, *command))

    def processes(self) -> list[tuple[int, int, str]]:
        """(pid, uid, command line) of every process of the container but our own probe."""
        probe = (
            "for p in /proc/[0-9]*; do read -r _ uid _ < <(grep ^Uid: $p/status) || continue; "
            "echo ${p#/proc/} $uid $(tr '\\0' ' ' <$p/cmdline); done 2>/dev/null"
        )
        lines = [line.split(" ", 2) for line in self.inside("bash", "-c", probe).splitlines()]
        return [
            (int(line[0]), int(line[1]), line[2])
            for line in lines
            if len(line) == 3 and "/proc/[0-9]" not in line[2]
        ]

    def wait_until_ready(self) -> None:
        """Return at the first 200 of /ping; fail with the log if the container ends before."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                if self.request("/ping").status == 200:
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            if not inspect(self.name)["State"]["Running"]:
                break
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log()}")

    def log(self) -> str:
        """Everything the container wrote."""
        outcome = docker("logs", self.name)
        return outcome.stdout + outcome.stderr


@contextmanager
def serving(opt_ml: Path, *options: str, port: int = 8080) -> Iterator[Server]:
    """A ready server of the model below `opt_ml`; gone when the block ends."""
    name = must(
        docker(
            *("run", "--detach", "--publish", f"127.0.0.1::{port}"),
            *_mount(opt_ml, mode="ro"),
            *options,
            *(IMAGE, "serve"),
        )
    ).strip()
    try:
        address = must(docker("port", name, str(port))).strip()
        server = Server(name, address)
        server.wait_until_ready()
        yield server
    finally:
        docker("rm", "--force", "--volumes", name)


def _mount(opt_ml: Path | None, mode: str = "rw") -> tuple[str, ...]:
    return () if opt_ml is None else ("--volume", f"{opt_ml}:/opt/ml:{mode}")
