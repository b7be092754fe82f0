"""Several hosts of one job on this machine: each has its own folders and loopback address."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from canarywood.contract import Cluster, Layout, ProcessingInput

_jobs = itertools.count(1)


def addresses(count: int) -> tuple[str, ...]:
    """Addresses that no other job uses, in this process or another."""
    worker = os.getpid() % 250 + 2
    return tuple(f"127.{worker}.{next(_jobs) % 250 + 2}.{host + 1}" for host in range(count))


def lay(
    base: Path, command: str, hosts: Sequence[str], sharded: Sequence[str], *, count: int = 2
) -> list[Layout]:
    """The layouts of a job's hosts, with their config files.

    Args:
        sharded: places of inputs below processing/, of which each host has a part.
    """
    layouts = [Layout(base / f"host-{number}") for number in range(count)]
    for host, layout in zip(hosts, layouts, strict=True):
        inputs = [
            ProcessingInput(Path(place).name, layout.processing / place, place in sharded)
            for place in ("input/data", "input/config", "model", "test")
        ]
        layout.write_processing_input(command, inputs, Cluster(host, tuple(sorted(hosts))))
    return layouts
