"""One job on two hosts: two processes that meet on loopback addresses of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from canarywood.contract import write_json
from tests.container.commands.jobs import Job, csv, made, yes_or_no

PARAMETERS = {
    "objective": "binary:logistic",
    "num_round": 8,
    "max_depth": 3,
    "eval_metric": "f1,logloss,auc,accuracy",
}
ROWS, OTHER = made(600), made(200, seed=5)
LABELS, OTHER_LABELS = yes_or_no(ROWS), yes_or_no(OTHER, seed=6)


class Cluster:
    """Jobs of one training on several hosts; each meets at an address of its own."""

    def __init__(self, base: Path, count: int) -> None:
        self.jobs = [Job(base / f"host-{i}") for i in range(count)]

    def start(self, **hyperparameters: Any) -> list[subprocess.Popen[str]]:
        processes = []
        net = int.from_bytes(os.urandom(2), "big")  # anew: ports stay taken for a while
        names = [f"127.{net >> 8}.{net & 255}.{i + 11}" for i in range(len(self.jobs))]
        for number, (name, job) in enumerate(zip(names, self.jobs, strict=True)):
            job.resources = {
                "current_host": name,
                "hosts": names,
                "network_interface_name": "lo",
            }
            job.environment = {"PYTHONHASHSEED": str(number + 1)}
            processes.append(job.start(**hyperparameters, nthread=1))
        return processes

    def run(self, **hyperparameters: Any) -> list[str]:
        ended = ends(self.start(**hyperparameters))
        for code, _, err in ended:
            assert code == 0, err
        return [out for _, out, _ in ended]


def ends(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each; none is left behind."""
    found = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=150)
            found.append((process.returncode, out, err))
    finally:
        for process in processes:
            with process:
                process.kill()
    return found


def share(cluster: Cluster) -> None:
    """Every second row to each host."""
    for number, job in enumerate(cluster.jobs):
        mine, others = slice(number, None, 2), slice(number, None, 2)
        job.put("train", csv(LABELS[mine], ROWS[mine]))
        job.put("validation", csv(OTHER_LABELS[others], OTHER[others]))


def lines(out: str) -> list[str]:
    return [line for line in out.splitlines() if re.match(r"\[[0-9]+\]\t", line)]


def model_files(job: Job) -> list[str]:
    return sorted(path.name for path in job.layout.model.rglob("*") if path.is_file())


@pytest.mark.slow
def test_two_hosts_train_one_model_and_the_first_writes_it(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 2)
    share(cluster)

    first, second = cluster.run(**PARAMETERS)

    assert len(lines(first)) == 8
    assert lines(second) == []
    names = [item.split(":")[0] for item in lines(first)[0].split("\t")[1:]]
    assert names == [
        f"{data}-{name}"
        for data in ("train", "validation")
        for name in ("f1", "logloss", "auc", "accuracy")
    ]
    assert "xgboost-model" in model_files(cluster.jobs[0])
    assert model_files(cluster.jobs[1]) == []
    names = ["f0", "f1", "f2"]
    data = xgb.DMatrix(OTHER, label=OTHER_LABELS, feature_names=names, feature_types=["q"] * 3)
    scores = cluster.jobs[0].booster.predict(data)
    accuracy = np.mean((scores > 0.5) == OTHER_LABELS)  # of the rows of both hosts
    assert float(lines(first)[-1].rpartition("validation-accuracy:")[2]) == pytest.approx(
        accuracy, abs=1e-5
    )


@pytest.mark.slow
def test_a_host_without_rows_goes_home_and_the_other_trains_alone(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 2)
    cluster.jobs[1].put("train", csv(LABELS, ROWS))
    cluster.jobs[0].layout.channel("train").mkdir(parents=True)
    alone = Job(tmp_path / "alone")
    alone.put("train", csv(LABELS, ROWS))
    alone.run(**PARAMETERS, nthread=1)

    idle, trained = cluster.run(**PARAMETERS)

    assert lines(idle) == []
    assert len(lines(trained)) == 8
    assert model_files(cluster.jobs[0]) == []
    assert cluster.jobs[1].model == alone.model


@pytest.mark.slow
def test_two_hosts_go_on_from_their_checkpoints_with_the_same_bytes(tmp_path: Path) -> None:
    whole, cut = Cluster(tmp_path / "whole", 2), Cluster(tmp_path / "cut", 2)
    parameters = {**PARAMETERS, "num_round": 12, "subsample": 0.6, "checkpoint_interval": 3}
    for cluster in (whole, cut):
        share(cluster)
        for job in cluster.jobs:
            config = job.layout.config
            write_json(config / "checkpointconfig.json", {"LocalPath": "/opt/ml/checkpoints"})
    whole.run(**parameters)
    cut.run(**{**parameters, "num_round": 7})
    newest = cut.jobs[1].layout.base / "checkpoints" / "xgboost-checkpoint-1-00000006.zip"
    newest.unlink()  # the hosts were killed while one of them had written its checkpoint

    first, _ = cut.run(**parameters)

    assert [line.split("\t")[0] for line in lines(first)] == [f"[{n}]" for n in range(3, 12)]
    assert cut.jobs[0].model == whole.jobs[0].model


@pytest.mark.slow
def test_sigterm_to_one_host_stops_both_behind_the_same_round(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 2)
    share(cluster)

    processes = cluster.start(**{**PARAMETERS, "num_round": 1_000_000})
    assert processes[0].stdout is not None
    for line in processes[0].stdout:
        if line.startswith("[2]"):
            break
    processes[1].send_signal(signal.SIGTERM)
    assert [code for code, _, _ in ends(processes)] == [0, 0]
    assert cluster.jobs[0].booster.num_boosted_rounds() >= 3


@pytest.mark.slow
def test_a_fault_on_one_host_ends_both_and_is_named(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 2)
    share(cluster)
    cluster.jobs[1].put("train", "1,2,x,4\n", "z.csv")

    codes = [code for code, _, _ in ends(cluster.start(**PARAMETERS))]

    assert 0 not in codes
    assert cluster.jobs[1].layout.failure.read_text() == (
        "UserError: channel train: z.csv, row 1, column f1: 'x' is not a number"
    )
    assert model_files(cluster.jobs[0]) == []


@pytest.mark.slow
def test_hosts_agree_on_the_columns_of_libsvm_files(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 2)
    for number, job in enumerate(cluster.jobs):
        widest = 3 + number
        text = "".join(
            f"{i % 2} 1:{i} 2:{i % 3} {widest}:{i % 5 + 1}\n" for i in range(number, 40, 2)
        )
        job.put("train", text, "a.libsvm")
        job.content_type = "text/libsvm"

    cluster.run(objective="binary:logistic", num_round=2)

    schema = cluster.jobs[0].artifact.schema
    assert schema is not None
    assert (len(schema.features), schema.index_base) == (4, 1)


def test_a_job_of_one_host_meets_nobody(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 1)
    cluster.jobs[0].put("train", csv(LABELS, ROWS))

    (out,) = cluster.run(**PARAMETERS)

    assert len(lines(out)) == 8
    assert json.loads(out.splitlines()[-1])["event"] == "model written"
