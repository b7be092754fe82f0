"""The docker tests run where an engine answers and the image is built; under CI they must run.

Where CI=true, what would be skipped fails: a green run then means that the image was tested.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from tests.docker import engine

HERE = Path(__file__).parent
CODE = HERE.parents[1] / "container" / "code"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs an engine, so nobody has to write it on each test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.docker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 - a hook's arguments are known by their names
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped docker test has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"with CI=true a docker test may not be skipped. {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def image() -> str:
    """The name of the image, built from the code that is being tested."""
    if shutil.which("docker") is None or engine.docker("version").code != 0:
        pytest.skip("no Docker engine answers")
    if engine.docker("image", "inspect", engine.IMAGE).code != 0:
        pytest.skip(f"there is no {engine.IMAGE}: make images")
    if _files_in_image() != _files_here():
        pytest.skip(f"{engine.IMAGE} was built from other code: make images")
    return engine.IMAGE


@pytest.fixture(scope="session")
def rows() -> NDArray[np.float32]:
    """Rows with missing cells, as a client would send them."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(200, 4)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


@pytest.fixture(scope="session")
def booster(rows: NDArray[np.float32]) -> xgboost.Booster:
    """A small binary model; what it predicts is what the image has to answer."""
    labels = (np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1]) > 0).astype(np.float32)
    matrix = xgboost.DMatrix(rows, labels)
    return xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, matrix, 10)


@pytest.fixture(scope="session")
def hosting(tmp_path_factory: pytest.TempPathFactory, booster: xgboost.Booster) -> Path:
    """An /opt/ml as hosting lays it: a model, nothing else (the form of the built-in algorithm)."""
    base = tmp_path_factory.mktemp("hosting")
    (base / "model").mkdir()
    (base / "model" / "xgboost-model").write_bytes(bytes(booster.save_raw("ubj")))
    base.chmod(0o755)
    return base


@pytest.fixture
def training(tmp_path: Path, rows: NDArray[np.float32]) -> Path:
    """An /opt/ml as a training job lays it: two csv channels, label first, no header."""
    base = tmp_path / "ml"
    labels = (np.nan_to_num(rows[:, 0]) > 0).astype(int)
    for name, part in (("train", slice(0, 150)), ("validation", slice(150, None))):
        folder = base / "input" / "data" / name
        folder.mkdir(parents=True)
        lines = [f"{label},{csv(row)}" for label, row in zip(labels[part], rows[part], strict=True)]
        (folder / "part-0.csv").write_text("\n".join(lines) + "\n")
    configuration = base / "input" / "config"
    configuration.mkdir()
    channel = {
        "ContentType": "text/csv",
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    for name, content in (
        ("hyperparameters", {"num_round": "5", "objective": "binary:logistic", "max_depth": "3"}),
        ("inputdataconfig", {"train": channel, "validation": channel}),
        ("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]}),
    ):
        (configuration / f"{name}.json").write_text(json.dumps(content))
    for name in ("model", "output"):
        (base / name).mkdir()
        (base / name).chmod(0o777)  # the platform's folders take what any user of the image writes
    return base


def csv(row: NDArray[np.float32]) -> str:
    """One line of cells; a missing one is empty, the others parse back to the same float32."""
    return ",".join("" if np.isnan(cell) else str(cell) for cell in row)


def _files_here() -> dict[str, str]:
    return {
        str(path.relative_to(CODE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in CODE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def _files_in_image() -> dict[str, str]:
    listing = engine.shell("find . -type f ! -name '*.pyc' -exec sha256sum {} +")
    return {line[66:].removeprefix("./"): line[:64] for line in listing.splitlines()}
