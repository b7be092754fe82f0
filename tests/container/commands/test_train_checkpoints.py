"""A training job that is killed and started again, as processes."""

from __future__ import annotations

import hashlib
import json
import random
import re
from pathlib import Path

import pytest

from canarywood.contract import write_json
from tests.container.commands.jobs import Job, csv, made, yes_or_no

PARAMETERS = {
    "objective": "binary:logistic",
    "num_round": 60,
    "max_depth": 4,
    "eta": 0.3,
    "subsample": 0.6,
    "colsample_bytree": 0.7,
    "colsample_bynode": 0.7,
    "num_parallel_tree": 2,
    "eval_metric": "auc,f1",
    "seed": 5,
}
BOOSTERS = {
    "trees": {},
    "dart": {"booster": "dart", "rate_drop": 0.2},
    "early": {"early_stopping_rounds": 40, "eta": 1},
}


def job_in(base: Path, rows: int = 400) -> Job:
    job = Job(base)
    features, other = made(rows), made(rows // 2, seed=7)
    job.put("train", csv(yes_or_no(features), features))
    job.put("validation", csv(yes_or_no(other, seed=8), other))
    write_json(job.layout.config / "checkpointconfig.json", {"LocalPath": "/opt/ml/checkpoints"})
    return job


def rounds(out: str) -> list[str]:
    return [line for line in out.splitlines() if re.match(r"\[[0-9]+\]\t", line)]


def kill_after(job: Job, number: int, **hyperparameters: object) -> list[str]:
    """Start the job and kill it with SIGKILL behind the line of one round; the lines seen."""
    seen = []
    with job.start(**hyperparameters) as process:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(line.rstrip("\n"))
            if line.startswith(f"[{number}]"):
                process.kill()
                break
        process.communicate(timeout=60)
    return rounds("\n".join(seen))


def kept(job: Job) -> list[int]:
    folder = job.layout.base / "checkpoints"
    return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob("*.zip"))


def test_a_job_keeps_five_checkpoints_and_says_every_how_many_rounds(tmp_path: Path) -> None:
    job = job_in(tmp_path / "ml")

    job.run(**PARAMETERS, checkpoint_interval=4)

    assert kept(job) == [44, 48, 52, 56, 60]
    assert job.artifact.manifest is not None
    assert job.artifact.manifest.hyperparameters["checkpoint_interval"] == 4


def test_ten_rounds_are_the_default_interval(tmp_path: Path) -> None:
    job = job_in(tmp_path / "ml")

    job.run(objective="binary:logistic", num_round=35)

    assert kept(job) == [10, 20, 30]


def test_a_job_without_a_checkpoint_folder_keeps_none(tmp_path: Path) -> None:
    job = job_in(tmp_path / "ml")
    (job.layout.config / "checkpointconfig.json").unlink()

    job.run(objective="binary:logistic", num_round=12, checkpoint_interval=2)

    assert kept(job) == []
    assert job.artifact.manifest is not None
    assert "checkpoint_interval" not in job.artifact.manifest.hyperparameters


def test_a_killed_job_goes_on_with_true_round_numbers_and_ends_in_the_same_bytes(
    tmp_path: Path,
) -> None:
    whole, cut = job_in(tmp_path / "whole"), job_in(tmp_path / "cut")
    lines = rounds(whole.run(**PARAMETERS))

    kill_after(cut, 33, **PARAMETERS)
    assert not (cut.layout.model / "xgboost-model").exists()
    resumed_at = kept(cut)[-1]
    out = cut.run(**PARAMETERS)

    assert resumed_at in (30, 40)  # the pipe may run ahead of the kill
    assert rounds(out) == lines[resumed_at:]
    assert json.loads(out.splitlines()[-1])["resumed_after"] == resumed_at
    assert cut.model == whole.model
    assert cut.artifact.manifest is not None
    assert whole.artifact.manifest is not None
    assert cut.artifact.manifest.metrics == whole.artifact.manifest.metrics


def test_a_job_goes_on_to_more_rounds_but_not_with_other_parameters(tmp_path: Path) -> None:
    job = job_in(tmp_path / "ml")
    job.run(**{**PARAMETERS, "num_round": 20})

    out = job.run(**{**PARAMETERS, "num_round": 25})
    assert [line.split("\t")[0] for line in rounds(out)] == [f"[{n}]" for n in range(20, 25)]

    (job.layout.model / "xgboost-model").unlink()
    assert job.fail(**{**PARAMETERS, "max_depth": 2}) == (
        "UserError: the checkpoint xgboost-checkpoint-0-00000020.zip is of another job: "
        "max_depth was 4, is 2. Give this job an empty checkpoint folder"
    )


def test_a_job_goes_on_with_other_data_not_at_all(tmp_path: Path) -> None:
    job = job_in(tmp_path / "ml")
    job.run(**PARAMETERS)
    (job.layout.model / "xgboost-model").unlink()
    features = made(400, seed=99)
    job.put("train", csv(yes_or_no(features), features))

    assert "is of another job: train data was" in job.fail(**PARAMETERS)


@pytest.mark.slow
@pytest.mark.parametrize(("booster", "kills"), [("trees", 10), ("dart", 3), ("early", 3)])
def test_kills_at_random_rounds_change_no_byte(tmp_path: Path, booster: str, kills: int) -> None:
    parameters = {**PARAMETERS, **BOOSTERS[booster], "num_round": 90, "checkpoint_interval": 3}
    whole = job_in(tmp_path / "whole", rows=800)
    lines = rounds(whole.run(**parameters))
    expected = hashlib.sha256(whole.model).hexdigest()
    chance = random.Random(booster)
    cut = job_in(tmp_path / "cut", rows=800)

    for number in sorted(chance.sample(range(2, len(lines) - 20), kills)):
        seen = kill_after(cut, number, **parameters)
        assert all(line in lines for line in seen)
    out = cut.run(**parameters)

    assert rounds(out) == lines[len(lines) - len(rounds(out)) :]
    assert hashlib.sha256(cut.model).hexdigest() == expected
