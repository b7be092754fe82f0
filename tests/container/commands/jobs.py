"""A training job as a process, on a folder as SageMaker lays it out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from canarywood.artifact import Artifact
from canarywood.contract import Layout, write_json

CODE = Path(__file__).parents[3] / "container" / "code"
FEATURES = ("age", "income", "debt")

Floats = NDArray[np.float64]


class Job:
    """A training job on a folder of its own."""

    def __init__(self, base: Path) -> None:
        self.layout = Layout(base)
        self.code = CODE
        self.content_type = "text/csv"
        self.input_config: dict[str, dict[str, str]] | None = None
        self.resources: dict[str, object] | None = None
        self.environment: dict[str, str] = {}

    def put(self, channel: str, text: str, name: str = "data.csv") -> None:
        self.layout.channel(channel).mkdir(parents=True, exist_ok=True)
        (self.layout.channel(channel) / name).write_text(text)

    def start(self, **hyperparameters: object) -> subprocess.Popen[str]:
        found = [path.name for path in (self.layout.base / "input" / "data").glob("*")]
        self.layout.write_training_input(hyperparameters, dict.fromkeys(found, self.content_type))
        if self.input_config:
            write_json(self.layout.config / "inputdataconfig.json", self.input_config)
        if self.resources:
            write_json(self.layout.config / "resourceconfig.json", self.resources)
        return subprocess.Popen(
            [sys.executable, "-m", "canarywood", "train"],
            env={
                **os.environ,
                "SAGEMAKER_BASE_DIR": str(self.layout.base),
                "PYTHONPATH": str(self.code),
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **hyperparameters: object) -> str:
        """Train; returns stdout."""
        with self.start(**hyperparameters) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert err == ""
        return out

    def fail(self, **hyperparameters: object) -> str:
        """Train in vain; returns the failure file."""
        with self.start(**hyperparameters) as process:
            process.communicate(timeout=120)
        assert process.returncode == 1
        assert not (self.layout.model / "xgboost-model").exists()
        return self.layout.failure.read_text()

    @property
    def artifact(self) -> Artifact:
        return Artifact(self.layout.model)

    @property
    def model(self) -> bytes:
        return self.artifact.model_path.read_bytes()

    @property
    def booster(self) -> xgb.Booster:
        return xgb.Booster(model_file=bytearray(self.model))


def made(rows: int, *, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32).astype(float)


def csv(label: NDArray[np.generic], features: Floats, *, header: bool = False) -> str:
    lines = [",".join(("y", *FEATURES))] if header else []
    lines += [
        f"{y},{','.join(map(repr, row))}"
        for y, row in zip(label.tolist(), features.tolist(), strict=True)
    ]
    return "\n".join(lines) + "\n"


def yes_or_no(features: Floats, *, seed: int = 1) -> NDArray[np.int64]:
    noise = np.random.default_rng(seed).normal(size=len(features))
    return (features[:, 0] + noise > 0).astype(np.int64)
