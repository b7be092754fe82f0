"""Script mode: a job that brings its own training script. Standard library only.

Three ways lead here: SDK v2 names the script and its source in the hyperparameters
(`sagemaker_program`, `sagemaker_submit_directory`), a job may name them in the environment
(SAGEMAKER_PROGRAM, SAGEMAKER_SUBMIT_DIRECTORY), and SDK v3 sends them as the channels `code` and
`sm_drivers`. (v3 also replaces the entry point by a bash script of its own, which needs bash,
python3 and pip on the path, and none of our code.)
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from canarywood import artifact
from canarywood.contract import Layout, read_json
from canarywood.errors import UserError
from canarywood.logs import fields
from canarywood.training import environment
from canarywood.training.environment import Script

CODE_CHANNEL = "code"
DRIVERS_CHANNEL = "sm_drivers"
SOURCE_ARCHIVE = "sourcedir.tar.gz"
_TAIL_CHARACTERS = 2000

log = logging.getLogger(__name__)


def find(layout: Layout, surroundings: Mapping[str, str] = os.environ) -> Script | None:
    """The script that the job brings, unpacked; None where it brings none.

    Raises:
        UserError: it is named, but not there.
    """
    hyperparameters = layout.hyperparameters()
    program = _setting("program", hyperparameters, surroundings)
    driven = False
    if not program:
        program, driven = _driven_program(layout), True
    if not program:
        return None
    submitted = _setting("submit_directory", hyperparameters, surroundings)
    script = Script(_source_folder(layout, submitted), program, driven)
    path = script.folder / program
    if not path.resolve().is_relative_to(script.folder.resolve()) or not path.is_file():
        there = sorted(item.name for item in script.folder.glob("*"))[:8]
        raise UserError(
            f"the training script {program} is not in {script.folder}; "
            f"it holds {', '.join(there) or 'nothing'}"
        )
    if path.suffix not in (".py", ".sh"):
        raise UserError(f"the training script {program} must be a .py or .sh file")
    return script


def run(layout: Layout, script: Script, surroundings: Mapping[str, str] = os.environ) -> int:
    """Run the script as a process of its own; returns its exit code.

    SIGTERM is handed on. Where the script fails and leaves no failure file, one is written with
    the end of what it said.
    """
    variables = environment.variables(layout, script, surroundings)
    given = json.loads(variables["SM_USER_ARGS"])
    if (script.folder / "requirements.txt").is_file():
        log.warning(
            "requirements not installed",
            extra=fields(note="requirements.txt is not read: build an image from this one"),
        )
    for folder in (layout.model, layout.output_data):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable] if script.name.endswith(".py") else ["/bin/sh"]
    log.info("script", extra=fields(script=script.name, arguments=given))
    paths = [str(script.folder), surroundings.get("PYTHONPATH", "")]
    with subprocess.Popen(  # noqa: S603 - the user's own script
        [*command, script.name, *given],
        cwd=script.folder,
        env={
            **surroundings,
            **variables,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
        },
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        with _handing_on(process):
            tail = _copied(process.stderr)
            code = process.wait()
    if code:
        said = tail.decode(errors="replace").strip() or "it said nothing on stderr"
        ended = f"exited with {code}" if code > 0 else f"was ended by signal {-code}"
        layout.write_failure(f"{UserError.kind}: {script.name} {ended}: {_last(said)}")
    return code if code >= 0 else 128 - code


def _setting(name: str, hyperparameters: Mapping[str, str], surroundings: Mapping[str, str]) -> str:
    """A setting of the SDK, which writes texts as JSON."""
    text = hyperparameters.get(f"sagemaker_{name}") or surroundings.get(
        f"SAGEMAKER_{name.upper()}", ""
    )
    return text.strip().strip('"')


def _driven_program(layout: Layout) -> str:
    """What SDK v3 says of the source that it sent."""
    path = layout.channel(DRIVERS_CHANNEL) / "sourcecode.json"
    if not path.is_file():
        return ""
    found = read_json(path)
    return str(found.get("entry_script") or "") if isinstance(found, dict) else ""


def _source_folder(layout: Layout, submitted: str) -> Path:
    """The folder of the source; an archive is unpacked to /opt/ml/code."""
    if submitted.startswith("s3://"):
        raise UserError(
            f"the source {submitted} lies in S3, which this image does not read; let the SDK send "
            f"it as the channel {CODE_CHANNEL} (SDK v3, or enable_network_isolation in v2)"
        )
    if submitted:
        place = Path(submitted.removeprefix("file://"))
    else:
        channel = layout.channel(CODE_CHANNEL)
        place = channel if channel.is_dir() else layout.code
    if (place / SOURCE_ARCHIVE).is_file():
        place = place / SOURCE_ARCHIVE
    if not place.is_file():
        return place
    artifact.unpack(place, layout.code)
    return layout.code


@contextmanager
def _handing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGTERM goes to the script; we end when it ends."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hand_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    former = signal.signal(signal.SIGTERM, hand_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _copied(stream: IO[bytes]) -> bytes:
    """Hand a stream on to our own stderr; returns its end."""
    tail = b""
    for line in stream:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        tail = (tail + line)[-_TAIL_CHARACTERS:]
    return tail


def _last(said: str) -> str:
    """The last lines, as far as the failure file has room behind our own words."""
    return said[-900:]
