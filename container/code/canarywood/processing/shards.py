"""Brings the shards of an input to one host. Standard library only.

With ShardedByS3Key each host of a job has other files. What a job fits (categories, splits, a
metric) needs all of them, so every host sends its files to the first one, which then works as if
it were alone: the same files in the same folders, hence the same result, to the byte.

On the wire, from each host: `{"job", "host"}`, then `{"input", "path", "size"}` and the bytes of
each file, then `{"files": count}`; back comes `{"ok": true}` or `{"error"}`. A document is its
length in four bytes and JSON.
"""

from __future__ import annotations

import json
import logging
import shutil
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedRWPair
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, BinaryIO

from canarywood.contract import Cluster, ProcessingInput
from canarywood.errors import AlgorithmError, UserError
from canarywood.logs import fields

PORT = 9199
MEET_S = 900.0  # hosts start at different times, and their names are known late
SILENCE_S = 120.0  # between two pieces of one host
RETRY_S = 0.1
MOST_BYTES = 1 << 16  # of a document
_LENGTH = struct.Struct(">I")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Meeting:
    """Which hosts meet for which job, and how long they wait for each other."""

    job: str
    cluster: Cluster
    inputs: tuple[ProcessingInput, ...]
    meet_s: float = MEET_S
    silence_s: float = SILENCE_S

    @property
    def others(self) -> list[str]:
        """All hosts but the leader."""
        return list(self.cluster.hosts[1:])


class Refused(Exception):  # noqa: N818 - an answer on the wire, not an error of the product
    """What a connection said cannot be accepted; the text goes back to it."""


def send(meeting: Meeting) -> int:
    """Send this host's files to the leader; returns how many.

    Raises:
        AlgorithmError: the leader cannot be reached, or refuses.
    """
    leader = meeting.cluster.leader
    files = [
        (item.name, path.relative_to(item.folder), path)
        for item in meeting.inputs
        for path in sorted(item.folder.rglob("*"))
        if path.is_file()
    ]
    try:
        with _connect(meeting) as connection, connection.makefile("rwb") as stream:
            _write(stream, {"job": meeting.job, "host": meeting.cluster.current})
            for name, place, path in files:
                with path.open("rb") as source:
                    size = path.stat().st_size
                    _write(stream, {"input": name, "path": place.as_posix(), "size": size})
                    shutil.copyfileobj(source, stream)
            _write(stream, {"files": len(files)})
            stream.flush()
            # the leader may still be busy with a larger shard of another host
            connection.settimeout(meeting.meet_s)
            answer = _read(stream)
    except (OSError, EOFError, Refused) as error:
        raise AlgorithmError(f"the data could not be sent to {leader}: {error}") from error
    if "error" in answer:
        raise AlgorithmError(f"{leader} refused the data: {answer['error']}")
    return len(files)


def receive(meeting: Meeting) -> dict[str, int]:
    """Wait for every other host and put its files beside our own; returns files by host.

    Raises:
        AlgorithmError: a host did not come, or broke off.
        UserError: two hosts have the same file.
    """
    inbox = _Inbox(meeting)
    end = time.monotonic() + meeting.meet_s
    with (
        socket.create_server((meeting.cluster.current, PORT)) as server,
        ThreadPoolExecutor(len(meeting.others)) as pool,
    ):
        arrivals: list[Future[None]] = []
        while missing := inbox.missing():
            for arrival in [each for each in arrivals if each.done()]:
                arrivals.remove(arrival)
                arrival.result()
            if time.monotonic() > end and not arrivals:
                raise AlgorithmError(
                    f"no data from {', '.join(missing)} in {meeting.meet_s:g} s; "
                    f"do the hosts reach each other on port {PORT}?"
                )
            server.settimeout(RETRY_S)
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            arrivals.append(pool.submit(inbox.take, connection))
    return inbox.files


@dataclass
class _Inbox:
    """What the leader has from whom."""

    meeting: Meeting
    files: dict[str, int] = field(default_factory=dict)
    _from: dict[Path, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def missing(self) -> list[str]:
        return [host for host in self.meeting.others if host not in self.files]

    def take(self, connection: socket.socket) -> None:
        """Everything that one host sends."""
        connection.settimeout(self.meeting.silence_s)
        host: str | None = None
        with connection, connection.makefile("rwb") as stream:
            try:
                host = self._greeted(_read(stream))
                count = len(list(self._files(host, stream)))
                _answer(stream, {"ok": True})
            except (Refused, UserError) as error:
                _answer(stream, {"error": str(error)})
                if isinstance(error, UserError):
                    raise
                if host is not None:
                    raise AlgorithmError(str(error)) from error
                log.warning("connection refused", extra=fields(reason=str(error)))
                return
            except (OSError, EOFError) as error:
                if host is None:  # one who only knocks, as port scanners do
                    return
                raise AlgorithmError(f"{host} broke off while it sent its data: {error}") from error
        with self._lock:
            self.files[host] = count

    def _greeted(self, hello: Mapping[str, Any]) -> str:
        host = str(hello.get("host"))
        if hello.get("job") != self.meeting.job or host not in self.missing():
            raise Refused(f"{host} of {hello.get('job')} is not awaited here")
        return host

    def _files(self, host: str, stream: BufferedRWPair) -> Iterator[Path]:
        folders = {item.name: item.folder for item in self.meeting.inputs}
        count = 0
        while "files" not in (head := _read(stream)):
            name, place = PurePosixPath(str(head.get("path"))), folders.get(str(head.get("input")))
            if place is None or name.is_absolute() or ".." in name.parts:
                raise Refused(f"{name} of {host} has no place here")
            path = place / name
            with self._lock:
                before = self._from.setdefault(path, host)
            if before != host or path.exists():
                raise UserError(
                    f"{name} of input {head['input']!r} came from {host} and lies on "
                    f"{before if before != host else self.meeting.cluster.leader} too; are the "
                    "hosts' shards disjoint? Give the input with S3DataDistributionType "
                    "FullyReplicated"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as target:
                _copy(stream, target, int(head["size"]))
            count += 1
            yield path
        if head["files"] != count:
            raise EOFError(f"{count} of {head['files']} files came")


def _connect(meeting: Meeting) -> socket.socket:
    end = time.monotonic() + meeting.meet_s
    while True:
        try:
            return socket.create_connection((meeting.cluster.leader, PORT), meeting.silence_s)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(RETRY_S)


def _write(stream: BufferedRWPair, document: Mapping[str, object]) -> None:
    content = json.dumps(document).encode()
    stream.write(_LENGTH.pack(len(content)) + content)


def _answer(stream: BufferedRWPair, document: Mapping[str, object]) -> None:
    with suppress(OSError):  # the other side may have gone; what is done stays done
        _write(stream, document)
        stream.flush()


def _read(stream: BufferedRWPair) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > MOST_BYTES:
        raise Refused(f"{length} bytes are no greeting")
    try:
        document = json.loads(_exactly(stream, length))
    except ValueError as error:
        raise Refused("not JSON") from error
    if not isinstance(document, dict):
        raise Refused("not a JSON object")
    return document


def _exactly(stream: BufferedRWPair, length: int) -> bytes:
    content = stream.read(length)
    if len(content) != length:
        raise EOFError("the connection was closed")
    return content


def _copy(source: BufferedRWPair, target: BinaryIO, size: int) -> None:
    while size:
        piece = source.read(min(size, 1 << 20))
        if not piece:
            raise EOFError("the connection was closed")
        target.write(piece)
        size -= len(piece)
