"""How soon does the server answer, and what does it hold in memory? By number of workers.

    python -m benchmarks.start [--rounds 5] [--workers 1 2 4]

Beside it stand the server that one writes oneself, and a Python that imports numpy alone: the
least that any server of a model needs.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import clients, models, processes, servers
from benchmarks.tables import machine, spread, table

WARM_REQUESTS = 200

Open = Callable[..., AbstractContextManager[servers.Running]]


@dataclass(frozen=True)
class Started:
    """One start.

    Attributes:
        ready_s: to the first 200 of /ping.
        first_s: to the first prediction.
        workers: gunicorn's worker processes.
        worker_mb: PSS of one of them, after some requests.
        server_mb: PSS of all processes of the server, nginx included.
    """

    ready_s: float
    first_s: float
    workers: int
    worker_mb: float
    server_mb: float


def started(model: Path, row: bytes, folder: Path, workers: int | None) -> Started:
    """Start our server once, look, stop it."""
    return _look(partial(servers.ours, workers=workers), model, row, folder)


def medians(found: Sequence[Started]) -> Started:
    """Of each figure."""
    return Started(
        ready_s=statistics.median(one.ready_s for one in found),
        first_s=statistics.median(one.first_s for one in found),
        workers=found[0].workers,
        worker_mb=statistics.median(one.worker_mb for one in found),
        server_mb=statistics.median(one.server_mb for one in found),
    )


@dataclass(frozen=True)
class Found:
    """All starts of each server by name, and of the bare Python."""

    servers: dict[str, list[Started]]
    floor_s: list[float]

    def figures(self) -> dict[str, float]:
        """What the baseline keeps: ratios, and MB."""
        floor = statistics.median(self.floor_s)
        figures = {}
        for name, starts in self.servers.items():
            middle = medians(starts)
            if name.startswith("canarywood"):
                figures[f"start, {name}: first 200, x bare Python"] = middle.ready_s / floor
                figures[f"start, {name}: server MB"] = middle.server_mb
        return figures


def measure(rounds: int, workers: Sequence[int], folder: Path) -> Found:
    """Start everything once a round, so that a noisy moment hits all of them."""
    sample = models.numbers(folder / "numbers", (1,))
    row = sample.bodies[1]
    openers: dict[str, Open] = {}
    for count in workers:
        openers[f"canarywood, {_workers(count)}"] = partial(servers.ours, workers=count)
    most = max(workers)
    openers[f"classic, {_workers(most)}"] = partial(servers.classic, workers=most)
    found = Found({name: [] for name in openers}, [])
    for number in range(rounds):
        found.floor_s.append(_bare_python())
        for place, (name, opener) in enumerate(openers.items()):
            spot = folder / f"{number}-{place}"
            found.servers[name].append(_look(opener, sample.model, row, spot))
    return found


def show(found: Found) -> str:
    """The table."""
    floor = statistics.median(found.floor_s)
    rows = [["`python -c 'import numpy'`", spread(found.floor_s), "", "1.0", "", ""]]
    rows += [
        [
            name,
            spread([one.ready_s for one in starts]),
            spread([one.first_s for one in starts]),
            f"{medians(starts).ready_s / floor:.1f}",
            f"{medians(starts).worker_mb:.1f}",
            f"{medians(starts).server_mb:.1f}",
        ]
        for name, starts in found.servers.items()
    ]
    header = ["server", "first 200 s", "first prediction s", "x bare", "worker MB", "server MB"]
    return table(header, rows)


def _look(opener: Open, model: Path, row: bytes, folder: Path) -> Started:
    with opener(model, row, folder) as server:
        for _ in range(WARM_REQUESTS):
            clients.post(server.port, row)
        pids = server.pids
        workers = processes.workers(server.roots[0])
        return Started(
            ready_s=server.ready_s,
            first_s=server.first_s,
            workers=len(workers),
            worker_mb=processes.pss_mb(workers) / len(workers),
            server_mb=processes.pss_mb(pids),
        )


def _bare_python() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return time.perf_counter() - began


def _workers(count: int) -> str:
    return f"{count} worker{'s' if count > 1 else ''}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)  # workers that drop root must pass
        found = measure(given.rounds, given.workers, Path(folder))
    print(f"{machine()}; {given.rounds} rounds: median (smallest-largest)\n")
    print(show(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
