"""What does a request cost? CPU time and latency against two floors in the same run.

    python -m benchmarks.serving [--rounds 5] [--seconds 1] [--clients 1 8] [--rows 1 100]

The floors: nginx before an nginx that answers a constant, which is what the architecture costs
without any model; and the server that one writes oneself, with as many workers as ours.
Only ratios within one round mean anything; the microseconds are there to see what moved.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import clients, models, processes, servers
from benchmarks.road import walk
from benchmarks.tables import machine, table
from canarywood.cpus import available_cpus
from ops import project

FLOOR, CLASSIC, OURS = "nginx, a constant", "classic", "canarywood"


@dataclass(frozen=True)
class Case:
    """A server under one kind of body."""

    server: str
    sample: models.Sample
    running: servers.Running

    @property
    def name(self) -> str:
        """`canarywood, flights`."""
        return f"{self.server}, {self.sample.name}"


@dataclass(frozen=True)
class Spell:
    """One case, one number of rows, one number of clients; a value a round."""

    cpu_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)


Key = tuple[int, int, str]  # rows, clients, name of the case


@dataclass(frozen=True)
class Found:
    """All spells of a run."""

    spells: Mapping[Key, Spell]
    floors: Mapping[str, str]  # case -> the floor that had the same body

    def ratio(self, key: Key, other: str, what: str) -> float:
        """Median over the rounds of a figure by that of another case in the same round."""
        rows, connections, _ = key
        ours: list[float] = getattr(self.spells[key], what)
        theirs: list[float] = getattr(self.spells[rows, connections, other], what)
        return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))

    def figures(self) -> dict[str, float]:
        """What the baseline keeps: the ratios of ours."""
        figures = {}
        for key in self.spells:
            rows, connections, name = key
            if name.startswith(OURS):
                where = f"serving, {name}, {_count(rows, 'row')}, {_count(connections, 'client')}"
                floor = self.floors[name]
                figures[f"{where}: CPU, x floor"] = self.ratio(key, floor, "cpu_us")
                figures[f"{where}: p50, x floor"] = self.ratio(key, floor, "p50_us")
        return figures


def measure(
    rounds: int, seconds: int, connections: Sequence[int], rows: Sequence[int], folder: Path
) -> Found:
    """Start all servers, check their answers, then load each in turn."""
    with _cases(folder, tuple(sorted({1, *rows}))) as cases:
        for case in cases:
            for size in rows:
                _check(case, size)
                clients.load(case.running.port, case.sample.bodies[size], max(connections), 1)
        keys = [(n, c, case.name) for n in rows for c in connections for case in cases]
        spells = {key: Spell() for key in keys}
        by_name = {case.name: case for case in cases}
        for _ in range(rounds):
            for size, count, name in keys:
                _load(by_name[name], size, count, seconds, spells[size, count, name])
    floors = {case.name: f"{FLOOR}, {case.sample.name}" for case in cases}
    return Found(spells, floors)


@contextmanager
def _cases(folder: Path, sizes: tuple[int, ...]) -> Iterator[list[Case]]:
    workers = available_cpus()
    flights = models.flights(walk(project.load(servers.ROOT), folder / "road"), sizes)
    numbers = models.numbers(folder / "numbers", sizes)
    with ExitStack() as stack:
        floor = stack.enter_context(servers.constant(numbers.bodies[1], folder / "floor"))
        peer = servers.classic(numbers.model, numbers.bodies[1], folder / "peer", workers)
        first = servers.ours(numbers.model, numbers.bodies[1], folder / "first", workers)
        second = servers.ours(flights.model, flights.bodies[1], folder / "second", workers)
        yield [
            Case(FLOOR, numbers, floor),
            Case(CLASSIC, numbers, stack.enter_context(peer)),
            Case(OURS, numbers, stack.enter_context(first)),
            Case(FLOOR, flights, floor),
            Case(OURS, flights, stack.enter_context(second)),
        ]


def _check(case: Case, size: int) -> None:
    """No figure counts for a server whose answers are not XGBoost's own, bit for bit."""
    if case.server == FLOOR:
        return
    answer = clients.post(case.running.port, case.sample.bodies[size])
    found = np.array(answer.split(), dtype=np.float32)
    if not np.array_equal(found, case.sample.answers[size]):
        raise RuntimeError(f"{case.name} does not answer what XGBoost answers")


def _load(case: Case, size: int, connections: int, seconds: int, spell: Spell) -> None:
    pids = case.running.pids
    before = processes.cpu_s(pids)
    load = clients.load(case.running.port, case.sample.bodies[size], connections, seconds)
    used = processes.cpu_s(pids) - before
    if load.failed:
        raise RuntimeError(f"{case.name}: {load.failed} of {load.requests} requests failed")
    spell.cpu_us.append(1e6 * used / load.requests)
    spell.p50_us.append(load.p50_us)


def show(found: Found) -> str:
    """The table."""
    rows = []
    for key, spell in found.spells.items():
        size, connections, name = key
        floor = found.floors[name]
        peer = f"{CLASSIC}, {name.partition(', ')[2]}"
        has_peer = (size, connections, peer) in found.spells and name.startswith(OURS)
        rows.append(
            [
                name,
                size,
                connections,
                f"{statistics.median(spell.cpu_us):.0f}",
                f"{found.ratio(key, floor, 'cpu_us'):.2f}",
                f"{found.ratio(key, peer, 'cpu_us'):.2f}" if has_peer else "",
                f"{statistics.median(spell.p50_us):.0f}",
                f"{found.ratio(key, floor, 'p50_us'):.2f}",
                f"{found.ratio(key, peer, 'p50_us'):.2f}" if has_peer else "",
            ]
        )
    header = ["server, model", "rows", "clients", "CPU us a request", "x floor", "x classic"]
    return table([*header, "p50 us", "x floor", "x classic"], rows)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 100])
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)  # workers that drop root must pass
        found = measure(given.rounds, given.seconds, given.clients, given.rows, Path(folder))
    print(f"{machine()}; client: {clients.name()}; medians of {given.rounds} rounds\n")
    print(show(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
