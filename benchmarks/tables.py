"""Results as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import xgboost


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    marks = ["---", *["---:"] * (len(header) - 1)]
    lines = [header, marks, *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, and smallest to largest in brackets."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def machine() -> str:
    """Processor, versions and how busy it is otherwise, in a line."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        models = [line.partition(": ")[2] for line in text.splitlines() if "model name" in line]
        cpu = f"{len(models)} x {models[0]}"
    except (OSError, IndexError):
        cpu = platform.processor() or "unknown processor"
    versions = [f"{name} {version(name)}" for name in ("numpy", "gunicorn", "flask")]
    versions = [f"Python {platform.python_version()}", f"xgboost {xgboost.__version__}", *versions]
    load = f"load average {os.getloadavg()[0]:.1f}"
    return f"{cpu}, {load}; {', '.join(versions)}"
