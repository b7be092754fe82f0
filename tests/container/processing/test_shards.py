"""The shards of an input meet at one host."""

from __future__ import annotations

import json
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from canarywood.contract import Cluster, ProcessingInput
from canarywood.errors import AlgorithmError, UserError
from canarywood.processing import shards
from canarywood.processing.shards import PORT, Meeting
from tests.container.processing.hosts import addresses


def meetings(base: Path, count: int, *inputs: str, **times: float) -> list[Meeting]:
    """What each host knows of the job; the first one leads."""
    hosts = tuple(sorted(addresses(count)))
    made = []
    for number, host in enumerate(hosts):
        folders = tuple(ProcessingInput(n, base / f"{number}" / n, sharded=True) for n in inputs)
        for item in folders:
            item.folder.mkdir(parents=True)
        made.append(Meeting("job-1", Cluster(host, hosts), folders, **times))
    return made


def put(meeting: Meeting, place: str, content: bytes) -> None:
    path = meeting.inputs[0].folder.parent / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def files(meeting: Meeting) -> dict[str, bytes]:
    base = meeting.inputs[0].folder.parent
    found = sorted(path for path in base.rglob("*") if path.is_file())
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in found}


def test_the_leader_has_every_file_of_every_host_in_its_place(tmp_path: Path) -> None:
    leader, *others = meetings(tmp_path, 3, "data", "weather")
    large = bytes(range(256)) * 20_000
    put(leader, "data/a.csv", b"a")
    put(others[0], "data/2013/b.csv", large)
    put(others[0], "weather/w.csv", b"")
    put(others[1], "data/c.csv", b"c")
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(shards.send, other) for other in others]
        got = shards.receive(leader)
    assert [each.result() for each in sent] == [2, 1]
    assert sorted(got.values()) == [1, 2]
    assert files(leader) == {
        "data/2013/b.csv": large,
        "data/a.csv": b"a",
        "data/c.csv": b"c",
        "weather/w.csv": b"",
    }


def test_a_host_without_a_file_is_awaited_all_the_same(tmp_path: Path) -> None:
    leader, other = meetings(tmp_path, 2, "data")
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(shards.send, other)
        assert shards.receive(leader) == {other.cluster.current: 0}
        assert sent.result() == 0


def test_a_file_that_two_hosts_have_is_a_fault_of_the_job(tmp_path: Path) -> None:
    leader, other = meetings(tmp_path, 2, "data")
    put(leader, "data/a.csv", b"a")
    put(other, "data/a.csv", b"a")
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(shards.send, other)
        with pytest.raises(UserError, match=r"a\.csv of input 'data' came from .* FullyReplicated"):
            shards.receive(leader)
        with pytest.raises(AlgorithmError, match=r"refused the data: a\.csv of input 'data'"):
            sent.result()


def test_a_host_that_never_comes_is_named(tmp_path: Path) -> None:
    leader, other = meetings(tmp_path, 2, "data", meet_s=0.1)
    with pytest.raises(AlgorithmError, match=f"no data from {other.cluster.current} in 0.1 s"):
        shards.receive(leader)


def test_a_leader_that_is_not_there_is_named(tmp_path: Path) -> None:
    leader, other = meetings(tmp_path, 2, "data", meet_s=0.1)
    with pytest.raises(AlgorithmError, match=f"not be sent to {leader.cluster.current}"):
        shards.send(other)


def document(value: Any) -> bytes:
    content = json.dumps(value).encode()
    return struct.pack(">I", len(content)) + content


def connect(address: str) -> socket.socket:
    while True:
        try:
            return socket.create_connection((address, PORT), 10)
        except ConnectionRefusedError:
            continue


STRANGERS = [
    b"",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff\xff\xff\xff",
    struct.pack(">I", 3) + b"{x}",
    document([1]),
    document({"job": "job-1", "host": "10.1.1.1"}),
    document({"job": "another", "host": "SENDER"}),
]


@pytest.mark.parametrize("hello", STRANGERS)
def test_a_stranger_is_turned_away_and_the_job_goes_on(tmp_path: Path, hello: bytes) -> None:
    leader, other = meetings(tmp_path, 2, "data")
    put(other, "data/a.csv", b"a")
    hello = hello.replace(b"SENDER", other.cluster.current.encode())
    with ThreadPoolExecutor(1) as pool:
        got = pool.submit(shards.receive, leader)
        with connect(leader.cluster.current) as stranger:
            stranger.sendall(hello)
            stranger.shutdown(socket.SHUT_WR)
            stranger.recv(1)
        assert shards.send(other) == 1
        assert got.result() == {other.cluster.current: 1}
    assert files(leader) == {"data/a.csv": b"a"}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([{"input": "data", "path": "../../x", "size": 0}], r"\.\./\.\./x of .* has no place"),
        ([{"input": "data", "path": "/x", "size": 0}], "/x of .* has no place"),
        ([{"input": "other", "path": "x", "size": 0}], "x of .* has no place"),
        ([{"input": "data", "path": "x", "size": 9}], "broke off"),
        ([{"files": 3}], "broke off.*0 of 3 files came"),
        ([], "broke off.*connection was closed"),
    ],
)
def test_a_host_that_sends_nonsense_or_half_ends_the_job(
    tmp_path: Path, said: list[Any], reason: str
) -> None:
    leader, other = meetings(tmp_path, 2, "data")
    leader = replace(leader, silence_s=10)
    with ThreadPoolExecutor(1) as pool:
        got = pool.submit(shards.receive, leader)
        with connect(leader.cluster.current) as sender:
            hello = {"job": "job-1", "host": other.cluster.current}
            sender.sendall(b"".join(map(document, [hello, *said])))
            sender.shutdown(socket.SHUT_WR)
            with pytest.raises(AlgorithmError, match=reason):
                got.result()
    assert not (tmp_path / "x").exists()
