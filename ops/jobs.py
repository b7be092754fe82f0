"""Does one job of the plan: lays its tree, runs it, reads its reason where it fails."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from canarywood.contract import MESSAGE_BYTES, Layout, ProcessingInput, read_json, write_json
from canarywood.errors import DataError, UserError
from ops.plan import CHANNELS, Home, Step
from ops.runtime import OnLine, Runtime

LOG_LINES = 8
CUT = 8  # bytes that a cut reason may be shorter than allowed: half a character, blanks
METRIC_LINE = re.compile(r"\[\d+\].*:\s*-?\d")


class JobError(UserError):
    """A job has failed; the message is its own reason, its last lines, and where its log lies."""


@dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    reused: bool
    seconds: float


def run(step: Step, home: Home, runtime: Runtime, on_line: OnLine, *, fresh: bool) -> Outcome:
    """Run a job, unless its outputs of the same code, inputs and parameters are there.

    Args:
        fresh: run it in any case.
    """
    digest = step.digest(runtime.fingerprint())
    before = None if fresh else _stamp(home.stamp(step.command))
    if before is not None and before.get("digest") == digest:
        return Outcome(reused=True, seconds=float(str(before.get("seconds", 0))))
    home.stamp(step.command).unlink(missing_ok=True)
    lay(step)
    begun = time.monotonic()
    log = home.log(step.command)
    status = runtime.run(step.command, step.layout.base, log=log, on_line=on_line)
    seconds = time.monotonic() - begun
    if status:
        raise JobError(failure(step.command, status, step.layout, log))
    write_json(home.stamp(step.command), {"digest": digest, "seconds": round(seconds, 2)})
    return Outcome(reused=False, seconds=seconds)


def lay(step: Step) -> None:
    """Make the job's tree anew, as the platform does before the container starts."""
    layout = step.layout
    shutil.rmtree(layout.base, ignore_errors=True)
    for folder in _empty_folders(step):
        folder.mkdir(parents=True, exist_ok=True)
    for copy in step.copies:
        target = layout.base / copy.to
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy.source.is_dir():
            shutil.copytree(copy.source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(copy.source, target)
    for place, document in step.config.items():
        write_json(layout.base / place, document)
    if step.hyperparameters is not None:
        layout.write_training_input(step.hyperparameters, CHANNELS)
    else:
        layout.write_processing_input(step.command, _inputs(step))


def failure(command: str, status: int, layout: Layout, log: Path) -> str:
    """The job's own reason, else the end of its log, then where to read on.

    What the user can mend is said by the reason alone; to all else the log's end is added.
    """
    reason = ""
    for place in (layout.failure, layout.message):
        if place.is_file():
            reason = place.read_text(encoding="utf-8", errors="replace").strip()
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if len(reason.encode()) >= MESSAGE_BYTES - CUT and reason in text:
        reason = text[text.rindex(reason) :].strip()  # the platform's file holds its beginning
    told = {line.strip() for line in reason.splitlines()}
    lines = [line for line in text.splitlines() if line.strip() and not _said(line, told)]
    tail = [] if reason.startswith(f"{UserError.kind}:") else lines[-LOG_LINES:]
    return "\n".join(
        [
            f"{command} failed: {reason or f'exit status {status}, and no reason was left'}",
            *(["", "the last lines of its log:"] if tail else []),
            *(f"  {line}" for line in tail),
            "",
            f"the whole log: {log}",
        ]
    )


def _said(line: str, told: set[str]) -> bool:
    """Whether a line of the log repeats one of the reason, with or without words before it."""
    return any(part and line.strip().endswith(part) for part in told)


def watcher(command: str, show: OnLine) -> OnLine:
    """Picks the lines worth showing: of training its metrics, of the others every line."""

    def on_line(line: str) -> None:
        text = plain(line)
        if text and (command != "train" or METRIC_LINE.search(text)):
            show(text)

    return on_line


def last_line(log: Path, matches: Callable[[str], object]) -> str:
    """The last line of a log that matches, without its time and level."""
    if not log.exists():
        return ""
    lines = map(plain, reversed(log.read_text(encoding="utf-8", errors="replace").splitlines()))
    return next((line for line in lines if line and matches(line)), "")


def plain(line: str) -> str:
    """The message of a log line: JSON lines hold it under a key, others are it."""
    if not line.startswith("{"):
        return line.strip()
    try:
        fields = json.loads(line)
    except ValueError:
        return line.strip()
    return str(fields.get("message") or fields.get("event") or line)


def _empty_folders(step: Step) -> list[Path]:
    """What the platform makes before a job, also where nothing is put into it."""
    layout = step.layout
    if step.hyperparameters is not None:
        return [layout.config, layout.model, layout.failure.parent, layout.failure.parent / "data"]
    return [layout.processing, layout.message.parent]


def _inputs(step: Step) -> list[ProcessingInput]:
    """The folders that the platform fills, named after themselves."""
    places = [PurePosixPath(copy.to) for copy in step.copies if copy.source.is_dir()]
    places += [PurePosixPath(copy.to).parent for copy in step.copies if copy.source.is_file()]
    places += [PurePosixPath(place).parent for place in step.config]
    folders = sorted({step.layout.base / place for place in places})
    return [ProcessingInput(folder.name, folder) for folder in folders]


def _stamp(path: Path) -> dict[str, object] | None:
    try:
        value = read_json(path)
    except DataError:
        return None
    return value if isinstance(value, dict) else None
