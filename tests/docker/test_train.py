"""`docker run IMAGE train` on a hand-made /opt/ml: XGBoost trained here says what is right."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from tests.docker import engine

PARAMETERS = {"objective": "binary:logistic", "max_depth": 3}


def test_a_csv_channel_gives_the_model_that_xgboost_gives(
    training: Path, rows: NDArray[np.float32]
) -> None:
    engine.must(engine.run("train", opt_ml=training))
    assert np.array_equal(_trained(training).inplace_predict(rows), _expected(rows))


def test_training_needs_no_root_no_capability_and_no_writable_root(
    training: Path, rows: NDArray[np.float32]
) -> None:
    engine.must(engine.run("train", opt_ml=training, options=engine.LOCKED_DOWN))
    assert np.array_equal(_trained(training).inplace_predict(rows), _expected(rows))


def test_every_round_is_a_line_that_the_built_in_algorithms_metrics_match(training: Path) -> None:
    outcome = engine.run("train", opt_ml=training)
    lines = [line for line in (outcome.stdout + outcome.stderr).splitlines() if "\t" in line]
    assert [line.split("\t")[0] for line in lines] == ["[0]", "[1]", "[2]", "[3]", "[4]"]
    assert all("\tvalidation-logloss:" in line for line in lines)


def test_a_wrong_hyperparameter_fails_the_job_with_one_reason(training: Path) -> None:
    given = training / "input" / "config" / "hyperparameters.json"
    given.write_text(json.dumps({"num_round": "5", "max_dept": "3"}))
    outcome = engine.run("train", opt_ml=training)
    failure = (training / "output" / "failure").read_text()
    assert outcome.code == 1
    assert "max_depth" in failure
    assert outcome.stderr.splitlines()[-1] == f"canarywood train: {failure}".rstrip("\n")
    assert "Traceback" not in outcome.stderr
    assert list((training / "model").iterdir()) == []


def test_a_stopped_job_ends_in_order_and_leaves_a_model(training: Path) -> None:
    given = training / "input" / "config" / "hyperparameters.json"
    given.write_text(json.dumps({"num_round": "1000000", "objective": "binary:logistic"}))
    name = engine.must(
        engine.docker(
            *("run", "--detach", "--volume", f"{training}:/opt/ml", engine.IMAGE, "train")
        )
    ).strip()
    try:
        deadline = time.monotonic() + engine.READY_SECONDS
        while "[3]\t" not in (log := _log(name)):
            assert time.monotonic() < deadline, log
            time.sleep(0.05)
        engine.must(engine.docker("stop", "--time", "60", name))
        assert engine.inspect(name)["State"]["ExitCode"] == 0, _log(name)
    finally:
        engine.docker("rm", "--force", name)
    assert 4 <= _trained(training).num_boosted_rounds() < 1_000_000


def _log(name: str) -> str:
    outcome = engine.docker("logs", name)
    return outcome.stdout + outcome.stderr


def _trained(base: Path) -> xgboost.Booster:
    return xgboost.Booster(model_file=bytearray((base / "model" / "xgboost-model").read_bytes()))


def _expected(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    labels = np.nan_to_num(rows[:150, 0]) > 0
    matrix = xgboost.DMatrix(rows[:150], labels)
    predicted: NDArray[np.float32] = xgboost.train(PARAMETERS, matrix, 5).inplace_predict(rows)
    return predicted
