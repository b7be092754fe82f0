"""A real server for the tests that need one: gunicorn, nginx, a real model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from tests.container.serving.lives import Start
from tests.container.serving.server import (
    CODE,
    Server,
    started,
)

# A model of the user's: it takes as many seconds as the first cell says, per block of rows.
SLOW_MODEL = """
import time

def load(model_dir):
    return None

def predict(model, features):
    time.sleep(float(features[0, 0]))
    return features[:, 1]
"""


@pytest.fixture(scope="session")
def booster() -> xgb.Booster:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((2000, 10)).astype(np.float32)
    label = features[:, 0] + features[:, 1] / 2 + 0.7 * generator.standard_normal(2000) > 0
    parameters = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 1}
    return xgb.train(parameters, xgb.DMatrix(features, label), 50)


@pytest.fixture(scope="session")
def base(booster: xgb.Booster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    (folder / "model").mkdir()
    (folder / "model" / "xgboost-model").write_bytes(booster.save_raw("ubj"))
    return folder


@pytest.fixture
def start(base: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a server and waits until it is ready."""
    with ExitStack() as stack:

        def run(**environment: str) -> Server:
            server = stack.enter_context(started(base, tmp_path, **environment))
            server.wait_until_ready()
            return server

        yield run


@pytest.fixture
def slow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a server with the slow model."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "model").mkdir()
    (folder / "model" / "__init__.py").touch()
    (folder / "model" / "serve.py").write_text(SLOW_MODEL)
    return {"PYTHONPATH": f"{folder}:{CODE}"}


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[object]]]:
    with ThreadPoolExecutor(16) as pool:
        yield pool.submit
