"""Runs the suite as a user does, and reads its JSON result."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from conformance.__main__ import main

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """What one run of the suite found."""

    exit_code: int
    results: dict[str, str]
    seen: dict[str, str]

    def named(self, result: str) -> set[str]:
        return {number for number, found in self.results.items() if found == result}


def run(file: Path, *arguments: str) -> Run:
    """Run the suite in this process; the subject runs in others."""
    code = main([*arguments, "--json", str(file)])
    cases = json.loads(file.read_text(encoding="utf-8"))["cases"]
    return Run(
        code,
        {case["id"]: case["result"] for case in cases},
        {case["id"]: " ".join(case["seen"]) for case in cases},
    )


def command(program: str) -> tuple[str, ...]:
    """Options that drive one of the servers beside this file."""
    return ("--process", "--command", f"{sys.executable} {HERE / program}")
