"""What XGBoost can train, trained by a job: the same bytes as XGBoost alone."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from canarywood.contract import write_json
from canarywood.formats import recordio
from tests.container.commands.jobs import FEATURES, Job, csv, made, yes_or_no

ROWS = made(120)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")


def expected(parameters: dict[str, Any], rounds: int, **fields: Any) -> bytes:
    data = xgb.QuantileDMatrix(ROWS, feature_names=FEATURES, feature_types=["q"] * 3, **fields)
    return bytes(xgb.train(parameters, data, rounds).save_raw("ubj"))


def table(**columns: Any) -> str:
    found = {**columns, **dict(zip(FEATURES, ROWS.T, strict=True))}
    lines = [",".join(found)]
    lines += [",".join(map(str, row)) for row in zip(*found.values(), strict=True)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("objective", ["rank:ndcg", "rank:pairwise", "rank:map"])
def test_ranking_by_groups(job: Job, objective: str) -> None:
    grades = np.arange(120) % 2
    qid = np.repeat(np.arange(12), 10)
    job.put("train", table(y=grades, qid=[f"q{n:02d}" for n in qid]))

    out = job.run(objective=objective, num_round=4, eval_metric="ndcg@5")

    assert job.model == expected({"objective": objective}, 4, label=grades, qid=qid)
    assert "[3]\ttrain-ndcg@5:" in out


def test_survival_with_bounds(job: Job) -> None:
    low = np.round(np.exp(ROWS[:, 0]), 3)
    high = np.where(np.arange(120) % 3 == 0, np.inf, low)
    job.put("train", table(label_lower_bound=low, label_upper_bound=high))
    parameters = {"objective": "survival:aft", "aft_loss_distribution_scale": 1.5}

    out = job.run(**parameters, num_round=4)

    assert job.model == expected(
        parameters, 4, label=low, label_lower_bound=low, label_upper_bound=high
    )
    assert "train-aft-nloglik:" in out


def test_several_quantiles_at_once(job: Job) -> None:
    job.put("train", table(y=ROWS[:, 1]))

    job.run(objective="reg:quantileerror", quantile_alpha="[0.1, 0.5, 0.9]", num_round=4)

    parameters = {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]}
    assert job.model == expected(parameters, 4, label=ROWS[:, 1])
    assert job.artifact.manifest is not None
    assert job.artifact.manifest.outputs == 3


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_targets(job: Job, strategy: str) -> None:
    job.put("train", table(y=ROWS[:, 1], z=ROWS[:, 0]))

    job.run(label_column="y,z", num_round=4, multi_strategy=strategy)

    assert job.model == expected({"multi_strategy": strategy}, 4, label=ROWS[:, 1::-1])
    assert job.artifact.manifest is not None
    assert job.artifact.manifest.outputs == 2


def test_base_margins_and_weights_by_name(job: Job) -> None:
    label, margin = yes_or_no(ROWS), np.round(ROWS[:, 2], 3)
    weight = np.linspace(0.5, 2, 120)
    job.put("train", table(y=label, base_margin=margin, share=weight))

    job.run(objective="binary:logistic", num_round=4, weight_column="share")

    parameters = {"objective": "binary:logistic"}
    assert job.model == expected(
        parameters, 4, label=label, base_margin=margin, weight=weight.astype(np.float32)
    )
    assert job.artifact.schema is not None
    assert job.artifact.schema.features == FEATURES


def test_a_model_of_libsvm_that_counts_from_one_knows_it(job: Job) -> None:
    label = yes_or_no(ROWS)
    lines = [
        f"{y} {' '.join(f'{i}:{v!r}' for i, v in enumerate(row, 1))}"
        for y, row in zip(label, ROWS.tolist(), strict=True)
    ]
    job.put("train", "\n".join(lines) + "\n", "a.libsvm")
    job.put("validation", "\n".join(lines[:20]) + "\n", "a.libsvm")
    job.content_type = "text/libsvm"

    out = job.run(objective="binary:logistic", num_round=4)

    names = ["f0", "f1", "f2"]
    data = xgb.QuantileDMatrix(ROWS, label=label, feature_names=names, feature_types=["q"] * 3)
    alone = xgb.train({"objective": "binary:logistic"}, data, 4)
    assert job.model == alone.save_raw("ubj")
    assert job.artifact.schema is not None
    assert job.artifact.schema.index_base == 1
    assert '"content_type":"libsvm"' in out


def test_a_pipe_trains_the_model_of_file_mode(job: Job, tmp_path: Path) -> None:
    label = yes_or_no(ROWS)
    content = recordio.write(ROWS.astype(np.float32), label.astype(np.float32))
    folder = job.layout.channel("train")
    folder.mkdir(parents=True)
    (folder / "a.pbr").write_bytes(content)
    parameters = {"objective": "binary:logistic", "num_round": 4}
    job.content_type = "application/x-recordio-protobuf"
    job.run(**parameters)

    other = Job(tmp_path / "pipe")
    pipe = other.layout.channel("train_0")
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(content))
    writer.start()
    other.input_config = {
        "train": {
            "ContentType": "application/x-recordio-protobuf",
            "TrainingInputMode": "Pipe",
            "RecordWrapperType": "None",
            "S3DistributionType": "FullyReplicated",
        }
    }
    other.run(**parameters)
    writer.join()

    assert other.model == job.model


def test_own_metrics_stand_in_the_line_and_stop_training(job: Job) -> None:
    other = made(100, seed=4)
    job.put("train", csv(yes_or_no(ROWS), ROWS))
    job.put("validation", csv(yes_or_no(other, seed=5), other))

    out = job.run(
        objective="binary:logistic",
        num_round=60,
        eval_metric="f1_binary,error,accuracy",
        _tuning_objective_metric="validation:f1_binary",
        early_stopping_rounds=4,
        eta=1,
    )

    lines = [line for line in out.splitlines() if line.startswith("[")]
    names = [item.split(":")[0] for item in lines[0].split("\t")[1:]]
    assert names == [
        f"{data}-{name}"
        for data in ("train", "validation")
        for name in ("f1_binary", "error", "accuracy")
    ]
    values = [dict(item.split(":") for item in line.split("\t")[1:]) for line in lines]
    for found in values:
        accuracy, error = float(found["validation-accuracy"]), float(found["validation-error"])
        assert accuracy == pytest.approx(1 - error, abs=1e-5)
    scores = [float(found["validation-f1_binary"]) for found in values]
    assert job.artifact.manifest is not None
    assert job.artifact.manifest.best_iteration == int(np.argmax(scores))
    assert len(scores) == np.argmax(scores) + 5 < 60


def test_a_host_without_a_gpu_says_so(job: Job) -> None:
    job.put("train", table(y=ROWS[:, 0]))

    assert job.fail(device="cuda") == (
        "UserError: device = 'cuda': there is no GPU here that this XGBoost can use; set it to cpu"
    )


def test_fast_file_mode_reads_the_mount(job: Job) -> None:
    job.put("train", table(y=ROWS[:, 0]))
    job.input_config = {"train": {"ContentType": "text/csv", "TrainingInputMode": "FastFile"}}

    job.run(num_round=2)

    assert job.model == expected({}, 2, label=ROWS[:, 0])


def test_two_checkpoint_folders_of_fold_models_are_apart(job: Job) -> None:
    job.put("train", table(y=ROWS[:, 0]))
    job.layout.config.mkdir(parents=True, exist_ok=True)
    write_json(job.layout.config / "checkpointconfig.json", {"LocalPath": "/opt/ml/checkpoints"})

    job.run(num_round=4, _kfold=2, checkpoint_interval=2)

    folder = job.layout.base / "checkpoints"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.zip")) == [
        f"fold-{fold}/xgboost-checkpoint-0-0000000{rounds}.zip"
        for fold in (0, 1)
        for rounds in (2, 4)
    ]
