"""All benchmarks, and what has become worse than benchmarks/baseline.json.

    python -m benchmarks [--quick] [--save]

The baseline holds ratios and megabytes, never requests a second; each with the share by which it
may rise before the comparison fails. `--save` writes the figures of this run as the new baseline.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import clients, road, serving, start
from benchmarks.servers import ROOT
from benchmarks.tables import machine, table
from ops import project

BASELINE = Path(__file__).with_name("baseline.json")
MAY_RISE = {"MB": 0.10, "CPU": 0.25, "p50": 0.35, "first 200": 0.35}  # by what the figure is of


@dataclass(frozen=True)
class Change:
    """One figure beside its baseline."""

    name: str
    before: float | None
    now: float

    @property
    def is_worse(self) -> bool:
        """Whether it has risen by more than it may."""
        if self.before is None:
            return False
        share = next(share for kind, share in MAY_RISE.items() if kind in self.name)
        return self.now > self.before * (1 + share)


def compare(now: Mapping[str, float], before: Mapping[str, float]) -> list[Change]:
    """Every figure of now beside that of before; None where there was none."""
    return [Change(name, before.get(name), value) for name, value in now.items()]


def show(changes: Sequence[Change]) -> str:
    """The table."""
    return table(
        ["figure", "baseline", "now", ""],
        [
            [
                change.name,
                "" if change.before is None else f"{change.before:.2f}",
                f"{change.now:.2f}",
                "WORSE" if change.is_worse else "",
            ]
            for change in changes
        ],
    )


def main(words: Sequence[str] | None = None) -> int:
    """Measure all, print, compare; 1 where something has become worse."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of each: does it run?")
    parser.add_argument("--save", action="store_true", help="write benchmarks/baseline.json")
    given = parser.parse_args(words)
    rounds = 1 if given.quick else 5
    print(f"{machine()}; client: {clients.name()}\n")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # workers that drop root must pass
        settings = [project.load(ROOT / place) for place in road.PROJECTS]
        walked = [road.measure(one, 1 if given.quick else 3, folder / "road") for one in settings]
        print(road.show(walked), end="\n\n")
        started = start.measure(rounds, (1, 2, 4), folder / "start")
        print(start.show(started), end="\n\n")
        served = serving.measure(rounds, 1, (1, 8), (1, 100), folder / "serving")
        print(serving.show(served), end="\n\n")
    now = {**started.figures(), **served.figures()}
    if given.save:
        figures = {name: round(value, 3) for name, value in now.items()}
        BASELINE.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    before = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    changes = compare(now, before)
    print(show(changes))
    return int(any(change.is_worse for change in changes))


if __name__ == "__main__":
    sys.exit(main())
