"""Where a channel's bytes are, and of which kind: a folder, a read-only mount, or a pipe.

A pipe (input mode Pipe) is a FIFO `<channel>_0` beside the folders. It is written to a temporary
folder first, so that the rows and the model are those of File mode. S3 objects come one behind the
other; with RecordWrapperType RecordIO each is a frame of its own.
"""

from __future__ import annotations

import logging
import mmap
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canarywood import media
from canarywood.contract import Layout
from canarywood.errors import DataError
from canarywood.formats import recordio
from canarywood.logs import fields
from canarywood.schema.files import data_files

CSV, PARQUET, LIBSVM, RECORDIO = "csv", "parquet", "libsvm", "recordio"
_TYPES = {
    media.CSV: CSV,
    media.PARQUET: PARQUET,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "application/x-recordio-protobuf": RECORDIO,
    # as short as SageMaker's own image takes them
    "libsvm": LIBSVM,
    "recordio-protobuf": RECORDIO,
}
_PARQUET = b"PAR1"
_RECORDIO = b"\x0a\x23\xd7\xce"
_GZIP = b"\x1f\x8b"
_LIBSVM_LINE = re.compile(rb"[ \t]*[^\s,;:]*(?:[ \t]+qid:[0-9]+)?(?:[ \t]+[0-9]+:[^\s,:]+)+[ \t]*")
_PIPE_WAIT_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The files of one channel.

    Attributes:
        kind: CSV, PARQUET, LIBSVM or RECORDIO.
        content_type: as the job gave it, or None.
    """

    channel: str
    folder: Path
    files: tuple[Path, ...]
    kind: str
    content_type: str | None


class Sources:
    """The channels of a job; a context manager that takes temporary files away again."""

    def __init__(self, layout: Layout, *, pipe_wait_s: float = _PIPE_WAIT_S) -> None:
        self._layout = layout
        self._config = layout.input_data_config()
        self._wait_s = pipe_wait_s
        self._stack = ExitStack()
        self._opened: dict[str, Source | None] = {}

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __contains__(self, channel: str) -> bool:
        """Whether the job has this channel, with or without data."""
        return channel in self._config or self._layout.channel(channel).is_dir()

    def folder(self, channel: str) -> Path:
        """Where the channel's files are, but for a pipe."""
        return self._layout.channel(channel)

    def open(self, channel: str) -> Source | None:
        """The files of a channel; None where it has none on this host. A pipe is read once."""
        if channel not in self._opened:
            self._opened[channel] = self._found(channel)
        return self._opened[channel]

    def _found(self, channel: str) -> Source | None:
        config = self._config.get(channel, {})
        folder = self._layout.channel(channel)
        if config.get("TrainingInputMode") == "Pipe":
            folder = self._stack.enter_context(_drained(folder, config, self._wait_s))
        files = tuple(data_files(folder)) if folder.is_dir() else ()
        if not files:
            return None
        content_type = config.get("ContentType") or None
        try:
            kind = _kind(files[0], content_type)
        except DataError as error:
            raise DataError(f"channel {channel}: {error}") from error
        return Source(channel, folder, files, kind, content_type)


def _kind(path: Path, content_type: str | None) -> str:
    """What a file is: by the channel's type; where none is given, by its first bytes."""
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    if head.startswith(_PARQUET):
        return PARQUET
    if content_type:
        name = media.parse(content_type).name
        if name not in _TYPES:
            raise DataError(
                f"content type {content_type} of {path.name} is not supported; use {media.CSV}, "
                f"{media.PARQUET}, text/libsvm or application/x-recordio-protobuf"
            )
        return _TYPES[name]
    if head.startswith(_RECORDIO):
        return RECORDIO
    is_libsvm = _LIBSVM_LINE.fullmatch(head.split(b"\n", 1)[0].rstrip(b"\r")) is not None
    return LIBSVM if is_libsvm and not head.startswith(_GZIP) else CSV


@contextmanager
def _drained(folder: Path, config: Mapping[str, Any], wait_s: float) -> Iterator[Path]:
    """The first epoch of a pipe as files in a temporary folder."""
    pipe = folder.with_name(f"{folder.name}_0")
    _await(pipe, wait_s)
    with tempfile.TemporaryDirectory(prefix="canarywood-pipe-") as name:
        target = Path(name)
        whole = target / "pipe-00000"
        with pipe.open("rb") as source, whole.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        size = whole.stat().st_size
        log.info("pipe read", extra=fields(channel=folder.name, bytes=size))
        if size:
            if config.get("RecordWrapperType") == "RecordIO":
                _unwrap(whole)
            else:
                _part_parquet(whole)
        yield target


def _await(pipe: Path, wait_s: float) -> None:
    """The platform makes the FIFO when it is ready."""
    deadline = time.monotonic() + wait_s
    while not pipe.exists():
        if time.monotonic() > deadline:
            raise DataError(f"channel {pipe.name.removesuffix('_0')}: {pipe} did not appear")
        time.sleep(0.05)


def _unwrap(whole: Path) -> None:
    """One file for each frame."""
    try:
        for number, content in enumerate(recordio.frames(whole.read_bytes()), 1):
            whole.with_name(f"pipe-{number:05d}").write_bytes(content)
    finally:
        whole.unlink()


def _part_parquet(whole: Path) -> None:
    """Parquet files that came one behind the other: each begins and ends with PAR1."""
    with whole.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != _PARQUET:
            return
        starts = [0]
        while (found := data.find(_PARQUET * 2, starts[-1])) >= 0:
            starts.append(found + len(_PARQUET))
        if len(starts) == 1:
            return
        for number, (start, end) in enumerate(
            zip(starts, [*starts[1:], len(data)], strict=True), 1
        ):
            whole.with_name(f"pipe-{number:05d}").write_bytes(data[start:end])
    whole.unlink()
