"""Makes a model artifact of an old model file: a pickle, a joblib file, XGBoost's own formats.

Opening a pickle runs the code in it. So it is opened only if the user vouches for it, in a process
of its own (ops.open_model): with an empty working directory, without this one's environment, and
without a network where the system lets us cut it off. What comes back is looked at like a file
from a stranger, and read once more by XGBoost, which runs no code.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from canarywood.artifact import MODEL_FILE
from canarywood.errors import ArtifactError, UserError

OPENER = Path(__file__).with_name("open_model.py")
MODEL, RESULT = "model.ubj", "result.json"
TIMEOUT_S = 600.0
MOST_RESULT_BYTES = 1 << 20
LOG_LINES = 5
# First bytes of pickles, and of what joblib packs them into.
PICKLED = (b"\x80", b"\x1f\x8b", b"x\x01", b"x\x5e", b"x\x9c", b"x\xda", b"BZ", b"\xfd7zXZ", b"]\0")
# The first that works: other processes of it end with it, too.
CUT_OFF = (
    ("unshare", "--net", "--pid", "--fork", "--kill-child", "--"),
    ("unshare", "--net", "--"),
    ("unshare", "--user", "--map-root-user", "--net", "--"),
)
WARNING = (
    "A pickle runs the code that its author put into it, as soon as it is opened: it can read, "
    "change and delete whatever you can. If you know who made this file, and that nobody has "
    "changed it since, say so with --trust; best on a machine that holds nothing of worth"
)


@dataclass(frozen=True)
class Converted:
    """What was found in the file.

    Attributes:
        kind: its type's name.
        cut_off: whether it was opened without a network.
        notes: sentences for the user.
    """

    kind: str
    objective: str
    features: int
    rounds: int
    model: Path
    cut_off: bool
    notes: tuple[str, ...]


def convert(file: Path, output: Path, *, trust: bool) -> Converted:
    """Write `output`/xgboost-model, or raise a UserError and write nothing.

    Args:
        file: of any format.
        output: a folder that is empty or not there.
        trust: whether the user vouches for the file, so that it may be unpickled.
    """
    file = file.resolve()
    _check(file, output)
    with tempfile.TemporaryDirectory(prefix="canarywood-convert-") as name:
        scratch = Path(name)
        found = _open(file, scratch / "first", trust=trust)
        # what a pickle's process has left is read again, by one that runs nothing of it
        sure = _result(_run("read", scratch / "first" / MODEL, scratch / "second"))
        model = scratch / "second" / MODEL
        facts = sure.get("facts")
        if "error" in sure or not isinstance(facts, dict) or not model.is_file():
            raise ArtifactError(f"{file} gave no model that XGBoost reads: {sure.get('error')}")
        output.mkdir(parents=True, exist_ok=True)
        hidden = output / f".{MODEL_FILE}.unfinished"
        shutil.copyfile(model, hidden)
        hidden.replace(output / MODEL_FILE)
    notes = found.get("notes")
    return Converted(
        kind=_line(found.get("type")),
        objective=_line(facts.get("objective")),
        features=int(str(facts.get("features"))),
        rounds=int(str(facts.get("rounds"))),
        model=output / MODEL_FILE,
        cut_off=bool(_cut_off()),
        notes=tuple(map(_line, notes)) if isinstance(notes, list) else (),
    )


def _check(file: Path, output: Path) -> None:
    if not file.is_file():
        raise UserError(f"{file} is not a file")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output} is not an empty folder; name another one with --output")


def _open(file: Path, scratch: Path, *, trust: bool) -> dict[str, object]:
    """The result of XGBoost's own reader, or else of unpickling."""
    with file.open("rb") as stream:
        pickled = stream.read(8).startswith(PICKLED)
    if pickled and not trust:
        raise UserError(f"{file} is a pickle. {WARNING}")
    found = {} if pickled else _result(_run("read", file, scratch))
    if "error" in found and not trust:
        raise UserError(
            f"{file} is no model file that XGBoost reads ({_line(found['error'])}). The binary "
            "format of old versions is read by XGBoost 3.0 and older alone: save it there with "
            f"Booster.save_model('model.ubj'). Or is it a pickle? {WARNING}"
        )
    if pickled or "error" in found:
        shutil.rmtree(scratch, ignore_errors=True)
        found = _result(_run("unpickle", file, scratch))
    if "error" in found:
        raise UserError(f"{file} is not converted: {_line(found['error'])}")
    return found


def _run(way: str, file: Path, scratch: Path) -> Path:
    """Open a file in a process of its own; returns its folder."""
    scratch.mkdir()
    log = scratch / "log"
    command = [*_cut_off(), sys.executable, "-I", "-B", str(OPENER), way, str(file)]
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "OMP_NUM_THREADS": "1",
    }
    with log.open("wb") as stream, _process(command, scratch, environment, stream) as process:
        try:
            status = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise UserError(f"{file} took more than {TIMEOUT_S:g} s to open; given up") from None
    if status or not (scratch / RESULT).is_file():
        lines = log.read_text(encoding="utf-8", errors="replace")[-8000:].splitlines()
        said = " / ".join(map(_line, lines[-LOG_LINES:])) or "nothing"
        raise UserError(f"{file}: the process that opened it ended with {status}; it said: {said}")
    return scratch


@contextmanager
def _process(
    command: Sequence[str], folder: Path, environment: dict[str, str], log: object
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with this block, and its children with it."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,  # type: ignore[call-overload]  # a file
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@cache
def _cut_off() -> tuple[str, ...]:
    """What a command begins with to run without a network; nothing where that is not allowed."""
    for prefix in CUT_OFF:
        if shutil.which(prefix[0]) is None:
            continue
        done = subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=30)
        if not done.returncode:
            return prefix
    return ()


def _result(scratch: Path) -> dict[str, object]:
    """What the process wrote, which a pickle's code may have written in its place."""
    for name in (MODEL, RESULT):
        if (scratch / name).is_symlink():
            raise ArtifactError(f"the process that opened the file left a link as {name}")
    with (scratch / RESULT).open("rb") as stream:
        content = stream.read(MOST_RESULT_BYTES)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not ("error" in found or (scratch / MODEL).is_file()):
        raise ArtifactError("the process that opened the file left no result")
    return found


def _line(value: object) -> str:
    """A stranger's text as one line that a terminal can show."""
    text = " ".join(str(value).split())[:500]
    return "".join(mark if mark.isprintable() else "?" for mark in text)
