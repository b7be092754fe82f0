"""What the suite can drive: the two protocols behind process, image and URL."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Needs(StrEnum):
    """What a case needs of the subject."""

    SERVER = "a running server"
    START = "a server that the suite starts and stops"
    IMAGE = "a container"
    TRAIN = "training jobs"


class NotApplicable(Exception):  # noqa: N818 - a result, not an error
    """The case cannot be put to this subject; the text says why."""


class SubjectError(Exception):
    """The subject could not be started, or did not answer at all."""


@dataclass(frozen=True)
class Start:
    """How a server is started.

    Attributes:
        model: folder with the files of the untarred artifact.
        environment: ContainerDefinition.Environment.
        hardened: image only: read-only root, any user, no capabilities.
        memory: image only: the cgroup's limit, as `docker run --memory` takes it.
    """

    model: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    hardened: bool = False
    memory: str = ""


@dataclass(frozen=True)
class ProcessInfo:
    """One process of the subject."""

    pid: int
    parent: int
    name: str


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        prefix: stands before each path.
        is_proxied: a proxy of Docker's accepts connections even where nobody listens any more.
    """

    host: str
    port: int
    prefix: str = ""
    is_proxied: bool = False


class Running(Protocol):
    """A server or a job under way."""

    address: Address

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as `docker stop` does."""

    def wait(self, timeout_s: float) -> int | None:
        """The exit code; None when it still runs after the time given."""

    def logs(self) -> str:
        """What it wrote to stdout and stderr so far."""

    def processes(self) -> list[ProcessInfo]:
        """Its living processes, the first one included; NotApplicable if unobservable."""

    def kill(self, pid: int) -> None:
        """SIGKILL to one of them."""

    def close(self) -> None:
        """End it for good, whatever state it is in."""


class Subject(Protocol):
    """What is examined."""

    name: str
    offers: frozenset[Needs]
    why_not: str  # the reason why the other needs are not offered

    def serve(self, start: Start) -> Running:
        """Start a server; it need not be ready yet."""

    def run(self, command: str, base: Path) -> Running:
        """Start a job on a folder that stands for /opt/ml."""


def free_port() -> int:
    """A port on the loopback interface that nobody listens to at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_open(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
