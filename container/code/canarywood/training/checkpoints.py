"""Checkpoints: what a training job needs to go on after it was killed, bit for bit.

    xgboost-checkpoint-0-00000040.zip    rank 0, after 40 rounds
        state.json    rounds done, the job that made it, every metric so far
        model.ubj     the booster
        best.ubj      the best booster so far, where it cannot be cut out of the model later

SageMaker uploads the folder while training goes on and marks a file on its way with a neighbour
`.sagemaker-uploading`, then `.sagemaker-uploaded`. Deletes are uploaded as well, all hosts share
one folder, and what ends in `.sagemaker-ignore` stays where it is.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canarywood.errors import PlatformError, UserError
from canarywood.logs import fields

KEEP = 5
STATE, MODEL, BEST = "state.json", "model.ubj", "best.ubj"
UPLOADING, UPLOADED, UNFINISHED = (
    ".sagemaker-uploading",
    ".sagemaker-uploaded",
    ".sagemaker-ignore",
)
FORMAT = 1

History = dict[str, dict[str, list[float]]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training job between two rounds.

    Attributes:
        rounds: that are done.
        job: what a job must have in common with this one to go on from here.
        history: data name -> metric -> value of each round.
    """

    rounds: int
    job: Mapping[str, Any]
    model: bytes
    best: bytes | None = None
    history: History = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The file."""
        state = {
            "format": FORMAT,
            "rounds": self.rounds,
            "job": self.job,
            "history": self.history,
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(STATE, json.dumps(state))
            archive.writestr(MODEL, self.model)
            if self.best is not None:
                archive.writestr(BEST, self.best)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Read what to_bytes wrote; raises ValueError where it is damaged."""
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = set(archive.namelist())
                state = json.loads(archive.read(STATE))
                if state["format"] != FORMAT:
                    raise ValueError(f"format {state['format']!r}")
                return cls(
                    rounds=int(state["rounds"]),
                    job=dict(state["job"]),
                    model=archive.read(MODEL),
                    best=archive.read(BEST) if BEST in names else None,
                    history=dict(state["history"]),
                )
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError) as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True)
class CheckpointFolder:
    """The checkpoints of one rank of a job.

    Attributes:
        interval: rounds between two checkpoints; part of the result, because the booster is
            rebuilt at each of them.
    """

    path: Path
    job: Mapping[str, Any]
    interval: int
    rank: int = 0

    def write(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint in place in one step, then delete the oldest.

        Raises:
            PlatformError: the disk is full, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            target = self.path / self._name(checkpoint.rounds)
            unfinished = target.with_name(target.name + UNFINISHED)
            with unfinished.open("wb") as stream:
                stream.write(checkpoint.to_bytes())
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(target)
            self._delete_oldest()
        except OSError as error:
            raise PlatformError(f"the checkpoint cannot be written: {error}") from error

    def newest(self, *, at_most: int | None = None) -> Checkpoint | None:
        """The newest checkpoint that can be read; None where there is none.

        Raises:
            UserError: it is of another job.
        """
        for rounds, path in reversed(self._found()):
            if at_most is not None and rounds > at_most:
                continue
            try:
                checkpoint = Checkpoint.from_bytes(path.read_bytes())
            except (OSError, ValueError) as error:
                log.warning(
                    "checkpoint skipped", extra=fields(file=path.name, reason=f"damaged: {error}")
                )
                continue
            self._check_job(checkpoint, path)
            return checkpoint
        return None

    def _found(self) -> list[tuple[int, Path]]:
        """This rank's checkpoints, by rounds."""
        if not self.path.is_dir():
            return []
        pattern = re.compile(rf"xgboost-checkpoint-{self.rank}-([0-9]{{8,}})\.zip")
        matches = ((pattern.fullmatch(path.name), path) for path in self.path.iterdir())
        return sorted((int(match[1]), path) for match, path in matches if match)

    def _name(self, rounds: int) -> str:
        return f"xgboost-checkpoint-{self.rank}-{rounds:08d}.zip"

    def _delete_oldest(self) -> None:
        """Keep the newest few; what is being uploaded is left for the next time."""
        for _, path in self._found()[:-KEEP]:
            uploading = path.with_name(path.name + UPLOADING).exists()
            if uploading and not path.with_name(path.name + UPLOADED).exists():
                continue
            path.unlink(missing_ok=True)

    def _check_job(self, checkpoint: Checkpoint, path: Path) -> None:
        job = json.loads(json.dumps(self.job))
        names = sorted({*job, *checkpoint.job})
        odd = [name for name in names if job.get(name) != checkpoint.job.get(name)]
        if odd:
            differences = "; ".join(
                f"{name} was {checkpoint.job.get(name)!r:.60}, is {job.get(name)!r:.60}"
                for name in odd[:4]
            )
            raise UserError(
                f"the checkpoint {path.name} is of another job: {differences}. "
                "Give this job an empty checkpoint folder"
            )
