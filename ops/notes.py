"""One line on what came of each step, out of the files that it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from canarywood import reports
from canarywood.artifact import Manifest
from canarywood.contract import read_json
from canarywood.errors import ArtifactError, DataError
from ops.jobs import METRIC_LINE, last_line
from ops.plan import Home

# The metrics worth a line, the best first; a report holds more.
HEADLINE = ("auc", "accuracy", "rmse", "mae", "r2", "poisson-nloglik")


def fetched(reused: Mapping[str, bool], cache: Path, files: Sequence[Path]) -> str:
    """Which tables, and where from."""
    megabytes = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
    new = [name for name, was_there in reused.items() if not was_there]
    names = ", ".join(path.stem for path in files)
    if not reused:
        return f"{names} ({megabytes:.1f} MB)"
    if not new:
        return f"reused: {names} ({megabytes:.1f} MB in {short(cache)})"
    return f"{names} ({megabytes:.1f} MB, sha256 right, kept in {short(cache)})"


def job(command: str, home: Home) -> str:
    """What a job made."""
    found = {"preprocess": _preprocess, "train": _train, "evaluate": _evaluate}[command](home)
    return found or last_line(home.log(command), bool)


def warnings(home: Home) -> list[str]:
    """What preprocess wants a person to know: a leak, a column that merely counts."""
    found = _object(_preprocess_report(home)).get("warnings", [])
    return [str(warning) for warning in found] if isinstance(found, list) else []


def short(path: Path) -> str:
    """A path as a person would write it: below the working directory, or below ~."""
    for start, written in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(start):
            return f"{written}{path.relative_to(start)}"
    return str(path)


def _preprocess(home: Home) -> str:
    facts = _object(_preprocess_report(home)).get("rows", {})
    counts = [
        f"{facts[part]['rows']:,} {part}"
        for part in ("train", "validation", "test")
        if isinstance(facts.get(part), dict)
    ]
    return f"{', '.join(counts)} rows" if counts else ""


def _preprocess_report(home: Home) -> Path:
    return home.layout("preprocess").processing_output("report") / "preprocess.json"


def _train(home: Home) -> str:
    try:
        manifest = Manifest.read(home.layout("train").model)
    except ArtifactError:
        return last_line(home.log("train"), METRIC_LINE.search).replace("\t", "  ")
    metrics = [f"{name} {value:.4g}" for name, value in manifest.metrics.items()]
    return ", ".join([f"{manifest.rounds} rounds", *metrics])


def _evaluate(home: Home) -> str:
    try:
        report = reports.read(home.evaluation / "evaluation.json")
    except DataError:
        return ""
    metrics: dict[str, Any] = next(
        (report[kind] for kind in reports.KINDS.values() if kind in report), {}
    )
    return ", ".join(
        [f"{name} {_value(metrics[name])}" for name in HEADLINE if name in metrics][:3]
    )


def _value(metric: Any) -> str:
    value = metric.get("value") if isinstance(metric, dict) else metric
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _object(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except DataError:
        return {}
    return value if isinstance(value, dict) else {}
