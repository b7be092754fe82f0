"""Cross-validation as a training job: true out-of-fold metrics, one model a fold."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as sk
import xgboost as xgb
from numpy.typing import NDArray

from canarywood.contract import write_json
from tests.container.commands.jobs import Job, csv, made, yes_or_no

Floats = NDArray[np.float64]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")


def lines(out: str) -> list[str]:
    return [line for line in out.splitlines() if re.match(r"\[[0-9]+\]\t", line)]


def predictions(job: Job) -> Floats:
    return np.loadtxt(job.layout.output_data / "predictions.csv", delimiter=",", ndmin=2)


def fold_of(job: Job) -> NDArray[np.int64]:
    return np.loadtxt(job.layout.output_data / "folds.csv", delimiter=",", dtype=int, ndmin=2)


def models(job: Job) -> list[xgb.Booster]:
    return [xgb.Booster(model_file=bytearray(p.read_bytes())) for p in job.artifact.model_paths]


def value(line: str, name: str) -> float:
    return float(line.split(f"\t{name}:")[1].split("\t")[0])


def test_noise_scores_as_noise_and_the_metric_is_that_of_the_held_out_rows(job: Job) -> None:
    features = made(600)
    labels = np.random.default_rng(9).integers(0, 2, 600)
    job.put("train", csv(labels, features))

    out = job.run(
        objective="binary:logistic", num_round=20, eval_metric="auc,accuracy", _kfold=5, max_depth=6
    )

    found, fold = predictions(job), fold_of(job)[:, 0]
    assert found[:, 0].tolist() == labels.tolist()
    assert found[:, 2].tolist() == (found[:, 1] > 0.5).astype(float).tolist()
    by_fold = [sk.roc_auc_score(labels[fold == i], found[fold == i, 1]) for i in range(5)]
    mean_line = lines(out)[-1]
    assert mean_line.startswith("[20]\ttrain-auc:")
    assert value(mean_line, "validation-auc") == pytest.approx(np.mean(by_fold), abs=1e-5)
    assert 0.4 < value(mean_line, "validation-auc") < 0.6
    assert value(mean_line, "train-auc") > 0.9
    manifest = job.artifact.manifest
    assert manifest is not None
    whole = sk.roc_auc_score(labels, found[:, 1])
    assert manifest.metrics["out_of_fold-auc"] == pytest.approx(whole, abs=1e-5)
    assert manifest.metrics["out_of_fold-accuracy"] == sk.accuracy_score(labels, found[:, 2])
    assert manifest.metrics["validation-auc"] == pytest.approx(np.mean(by_fold), abs=1e-6)


def test_each_model_at_the_root_is_that_of_one_fold_and_never_saw_its_rows(job: Job) -> None:
    features = made(200)
    labels = yes_or_no(features)
    job.put("train", csv(labels[:150], features[:150]))
    job.put("validation", csv(labels[150:], features[150:]))

    job.run(objective="binary:logistic", num_round=4, _kfold=4, max_depth=3)

    root = sorted(path.name for path in job.layout.model.iterdir() if path.is_file())
    assert root == [f"xgboost-model-{i}" for i in range(4)]
    assert job.artifact.manifest is not None
    assert job.artifact.manifest.models == tuple(root)
    job.artifact.check()
    fold, found = fold_of(job)[:, 0], predictions(job)
    names = {"feature_names": ["f0", "f1", "f2"], "feature_types": ["q"] * 3}
    for number, booster in enumerate(models(job)):
        held = fold == number
        scores = booster.predict(xgb.DMatrix(features[held], **names))
        assert found[held, 1].astype(np.float32).tolist() == scores.tolist()
        data = xgb.QuantileDMatrix(features[~held], label=labels[~held], **names)
        expected = xgb.train({"objective": "binary:logistic", "max_depth": 3}, data, 4)
        assert booster.save_raw("ubj") == expected.save_raw("ubj")


def test_every_round_of_folds_has_its_line_and_all_have_one(job: Job) -> None:
    features = made(120)
    job.put("train", csv(features[:, 0], features))

    out = job.run(num_round=3, _kfold=3, _num_cv_round=2, eval_metric="rmse,mae")

    means = [line for line in lines(out) if line.startswith("[3]")]
    assert len(means) == 3
    assert [item.split(":")[0] for item in means[0].split("\t")[1:]] == [
        "train-rmse",
        "validation-rmse",
        "train-mae",
        "validation-mae",
    ]
    assert value(means[2], "validation-rmse") == pytest.approx(
        (value(means[0], "validation-rmse") + value(means[1], "validation-rmse")) / 2, abs=1e-5
    )
    assert len(job.artifact.model_paths) == 6
    found = predictions(job)
    assert found.shape == (120, 2)
    assert job.artifact.manifest is not None
    # the predictions are the mean over both rounds, the metric is the mean of both rounds' metrics
    assert job.artifact.manifest.metrics["out_of_fold-rmse"] > sk.root_mean_squared_error(
        found[:, 0], found[:, 1]
    )


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_classes_are_told_with_the_probability_of_the_answer(job: Job, objective: str) -> None:
    features = made(150)
    labels = np.digitize(features[:, 0], [-0.5, 0.5])
    job.put("train", csv(labels, features))

    job.run(objective=objective, num_class=3, num_round=3, _kfold=3, eval_metric="merror,f1")

    found = predictions(job)
    assert set(found[:, 2]) == {0, 1, 2}
    assert ((found[:, 1] > 1 / 3) & (found[:, 1] < 1)).all()
    assert job.artifact.manifest is not None
    metrics = job.artifact.manifest.metrics
    assert metrics["out_of_fold-merror"] == pytest.approx(np.mean(found[:, 2] != labels), abs=1e-6)
    assert metrics["out_of_fold-f1"] == pytest.approx(
        sk.f1_score(labels, found[:, 2], average="macro")
    )


def test_groups_and_times_split_by_a_column_that_is_no_feature(job: Job) -> None:
    features = made(90)
    rows = [f"{features[i, 0]},{features[i, 1]},{'abcdef'[i % 6]}" for i in range(90)]
    job.put("train", "y,x,who\n" + "\n".join(rows) + "\n")

    job.run(num_round=2, _kfold=3, _kfold_group="who")
    fold = fold_of(job)[:, 0]
    assert [len({*fold[i::6]}) for i in range(6)] == [1] * 6
    assert job.artifact.schema is not None
    assert job.artifact.schema.features == ("x",)

    days = [f"{features[i, 0]},{features[i, 1]},2020-01-{i // 3 + 1:02d}" for i in range(90)]
    job.put("train", "y,x,day\n" + "\n".join(days) + "\n")
    job.run(num_round=2, _kfold=2, _kfold_time="day")
    fold = fold_of(job)[:, 0].tolist()
    assert fold == [-1] * 30 + [0] * 30 + [1] * 30
    assert np.isnan(predictions(job)[:30, 1]).all()
    assert np.isfinite(predictions(job)[30:, 1]).all()


def test_early_stopping_in_a_fold_keeps_its_best_round(job: Job) -> None:
    features = made(200)
    job.put("train", csv(yes_or_no(features), features))

    job.run(objective="binary:logistic", num_round=100, eta=1, _kfold=3, early_stopping_rounds=3)

    assert all(booster.num_boosted_rounds() < 30 for booster in models(job))
    for booster in models(job):
        assert booster.attr("best_iteration") == str(booster.num_boosted_rounds() - 1)


def test_a_killed_cross_validation_goes_on_in_its_fold(tmp_path: Path) -> None:
    parameters = {
        "objective": "binary:logistic",
        "num_round": 30,
        "subsample": 0.6,
        "_kfold": 3,
        "checkpoint_interval": 4,
    }
    features = made(200)
    text = csv(yes_or_no(features), features)
    outputs = []
    for name in ("whole", "cut"):
        job = Job(tmp_path / name)
        job.put("train", text)
        write_json(
            job.layout.config / "checkpointconfig.json", {"LocalPath": "/opt/ml/checkpoints"}
        )
        if name == "cut":
            seen = 0
            with job.start(**parameters) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    seen += line.startswith("[25]")
                    if seen == 2:
                        process.kill()
                        break
                process.communicate(timeout=60)
        out = job.run(**parameters)
        outputs.append(([path.read_bytes() for path in job.artifact.model_paths], lines(out)))

    assert outputs[0][0] == outputs[1][0]
    assert len(outputs[1][1]) < len(outputs[0][1])
    assert outputs[1][1][-30:] == outputs[0][1][-30:]


def test_a_fault_is_named(job: Job) -> None:
    job.put("train", "1,2\n0,3\n")

    assert job.fail(_kfold=5) == ("UserError: 5 folds need at least as many rows; there are 2")
