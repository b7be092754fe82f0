"""Subject: a Docker image, driven by the docker command as SageMaker's agent drives it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.subject import (
    Address,
    Needs,
    NotApplicable,
    ProcessInfo,
    Start,
    SubjectError,
    free_port,
)

HARDENED = (
    "--read-only", "--tmpfs", "/tmp",  # noqa: S108 - a path in the container
    "--user", "10001:10001", "--cap-drop", "ALL",
)  # fmt: skip


def docker(*arguments: str) -> str:
    """Output of a docker command; SubjectError with its last line where it fails."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise SubjectError(f"docker {arguments[0]}: {lines[-1]}")
    return done.stdout


class ContainerRun:
    """One container."""

    def __init__(
        self, arguments: Sequence[str], address: Address, scratch: Path | None = None
    ) -> None:
        self.address = address
        self._name = f"conformance-{uuid.uuid4().hex[:12]}"
        self._scratch = scratch
        docker("run", "--detach", "--name", self._name, *arguments)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to PID 1 of the container."""
        try:
            docker("kill", "--signal", number.name, self._name)
        except SubjectError:
            if self.wait(0) is None:  # one that has ended takes no signal, and needs none
                raise

    def wait(self, timeout_s: float) -> int | None:
        """The container's exit code; None when it still runs."""
        end = time.monotonic() + timeout_s
        while True:
            state = docker(
                "inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", self._name
            )
            running, code = state.split()
            if running == "false":
                return int(code)
            if time.monotonic() >= end:
                return None
            time.sleep(0.1)

    def logs(self) -> str:
        """stdout and stderr of the container."""
        done = subprocess.run(
            ["docker", "logs", self._name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=60,
        )
        return done.stdout.decode(errors="replace")

    def processes(self) -> list[ProcessInfo]:
        """The container's processes, by their numbers on the host; none once it has ended."""
        if self.wait(0) is not None:
            return []
        lines = docker("top", self._name, "-eo", "pid,ppid,comm").splitlines()[1:]
        rows = [line.split(None, 2) for line in lines]
        return [ProcessInfo(int(pid), int(parent), name) for pid, parent, name in rows]

    def kill(self, pid: int) -> None:
        """SIGKILL to one of the container's processes."""
        try:
            os.kill(pid, signal.SIGKILL)
        except (PermissionError, ProcessLookupError) as error:
            raise NotApplicable("the container's processes belong to another user") from error

    def close(self) -> None:
        """Remove the container."""
        with contextlib.suppress(SubjectError):
            docker("rm", "--force", self._name)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


class Image:
    """An image that understands `serve` and `train`.

    Args:
        image: its name.
        environment: added to every container.
        network: "publish" (a loopback port of the host) or "host".
        trains: whether the image understands `train`.
    """

    def __init__(
        self,
        image: str,
        environment: Mapping[str, str],
        *,
        network: str = "publish",
        trains: bool = True,
    ) -> None:
        self.name = image
        needs = {Needs.SERVER, Needs.START, Needs.IMAGE}
        self.offers = frozenset(needs | ({Needs.TRAIN} if trains else set()))
        self.why_not = "serves only"
        self._image = image
        self._environment = dict(environment)
        self._network = network

    def serve(self, start: Start) -> ContainerRun:
        """Start `docker run IMAGE serve` with the model's files at /opt/ml/model."""
        scratch = Path(tempfile.mkdtemp(prefix="conformance-"))
        scratch.chmod(0o755)
        shutil.copytree(start.model, scratch / "model")
        environment = {**self._environment, **start.environment}
        port = free_port()
        inside = int(environment.get("SAGEMAKER_BIND_TO_PORT", 8080))
        if self._network == "host":
            environment.setdefault("SAGEMAKER_BIND_TO_PORT", str(port))
            port = int(environment["SAGEMAKER_BIND_TO_PORT"])
            network = ["--network", "host"]
        else:
            network = ["--publish", f"127.0.0.1:{port}:{inside}"]
        options = [*network, "--volume", f"{scratch}:/opt/ml", *_flags(environment)]
        if start.hardened:
            options += HARDENED
        if start.memory:
            options += ["--memory", start.memory]
        address = Address("127.0.0.1", port, is_proxied=self._network == "publish")
        return ContainerRun([*options, self._image, "serve"], address, scratch)

    def run(self, command: str, base: Path) -> ContainerRun:
        """Start `docker run IMAGE train` on a folder mounted as /opt/ml."""
        base.chmod(0o755)
        options = ["--volume", f"{base}:/opt/ml", *_flags(self._environment)]
        return ContainerRun([*options, self._image, command], Address("127.0.0.1", 0))


def _flags(environment: Mapping[str, str]) -> list[str]:
    return [flag for name, value in environment.items() for flag in ("--env", f"{name}={value}")]
