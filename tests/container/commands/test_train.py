"""`python -m canarywood train` as a process, on a folder as SageMaker lays it out."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from canarywood.artifact import digest
from canarywood.schema.definition import Column, Schema, Target
from tests.container import deprecations
from tests.container.commands.jobs import CODE, FEATURES, Job, csv, made, yes_or_no


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")


def test_a_binary_model_is_the_one_that_xgboost_trains(job: Job) -> None:
    features, other = made(200), made(80, seed=5)
    label, other_label = yes_or_no(features), yes_or_no(other, seed=6)
    job.put("train", csv(label, features, header=True))
    job.put("validation", csv(other_label, other, header=True))

    out = job.run(objective="binary:logistic", num_round=5, max_depth=3, eval_metric="auc")

    train = xgb.QuantileDMatrix(
        features, label=label, feature_names=FEATURES, feature_types=["q"] * 3
    )
    validation = xgb.QuantileDMatrix(
        other, label=other_label, feature_names=FEATURES, feature_types=["q"] * 3, ref=train
    )
    log: dict[str, dict[str, list[float]]] = {}
    expected = xgb.train(
        {"objective": "binary:logistic", "max_depth": 3, "eval_metric": "auc"},
        train,
        5,
        evals=[(train, "train"), (validation, "validation")],
        evals_result=log,
        verbose_eval=False,
    )
    assert job.model == bytes(expected.save_raw("ubj"))
    lines = [line for line in out.splitlines() if line.startswith("[")]
    assert lines == [
        f"[{i}]\ttrain-auc:{log['train']['auc'][i]:.5f}"
        f"\tvalidation-auc:{log['validation']['auc'][i]:.5f}"
        for i in range(5)
    ]


def test_the_artifact_holds_schema_and_manifest_and_one_root_file(job: Job) -> None:
    features = made(50)
    job.put("train", csv(yes_or_no(features), features, header=True))

    job.run(objective="binary:logistic", num_round=4, eta=0.5)

    assert sorted(p.relative_to(job.layout.model).as_posix() for p in files(job)) == [
        "canarywood/manifest.json",
        "canarywood/schema.json",
        "xgboost-model",
    ]
    schema, manifest = job.artifact.schema, job.artifact.manifest
    assert schema is not None
    assert schema.features == FEATURES
    assert schema.target == Target("y", "binary", above=0.5)
    assert manifest is not None
    assert (manifest.objective, manifest.rounds, manifest.features, manifest.outputs) == (
        "binary:logistic",
        4,
        3,
        1,
    )
    assert manifest.xgboost == xgb.__version__
    assert manifest.best_iteration is None
    assert manifest.hyperparameters["eta"] == 0.5
    assert manifest.hyperparameters["num_round"] == 4
    assert set(manifest.metrics) == {"train-logloss"}
    for name in ("xgboost-model", "canarywood/schema.json"):
        assert manifest.sha256[name] == digest(job.layout.model / name)


def files(job: Job) -> list[Path]:
    return [path for path in job.layout.model.rglob("*") if path.is_file()]


def test_what_was_read_is_one_event_a_channel(job: Job) -> None:
    features = made(50)
    job.put("train", csv(yes_or_no(features), features))
    job.put("validation", csv(yes_or_no(features[:20]), features[:20]))

    out = job.run(num_round=1, booster="gblinear", max_depth=3)

    events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    read = [
        (e["channel"], e["rows"], e["columns"], e["content_type"])
        for e in events
        if e["event"] == "channel read"
    ]
    assert read == [("train", 50, 3, "csv"), ("validation", 20, 3, "csv")]
    assert [e["note"] for e in events if e["event"] == "hyperparameter"] == [
        "max_depth has no effect on booster gblinear with reg:squarederror"
    ]
    assert events[-1]["event"] == "model written"


def test_a_warning_of_xgboost_is_an_event_and_not_a_python_warning(job: Job) -> None:
    job.put("train", "1,2\n1,3\n")

    out = job.run(objective="binary:logistic", num_round=2, eval_metric="auc")

    events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [e["warning"] for e in events if e["event"] == "xgboost"] == [
        "Dataset is empty, or contains only positive or negative samples."
    ]
    assert "[1]\ttrain-auc:nan" in out
    assert job.artifact.manifest is not None
    assert job.artifact.manifest.metrics == {}


def test_a_multiclass_model_answers_with_a_probability_for_each_class(job: Job) -> None:
    features = made(120)
    label = np.digitize(features[:, 0], [-0.5, 0.5])
    names = np.array(["low", "mid", "top"])[label]
    Schema(
        name="levels",
        target=Target("y", "multiclass", classes=("low", "mid", "top")),
        inputs=tuple(Column(name) for name in FEATURES),
        features=FEATURES,
    ).write(job.layout.channel("schema") / "schema.json")
    job.put("train", csv(names, features))

    job.run(num_round=5, eval_metric='["merror", "mlogloss"]')

    train = xgb.QuantileDMatrix(
        features, label=label, feature_names=FEATURES, feature_types=["q"] * 3
    )
    expected = xgb.train({"objective": "multi:softprob", "num_class": 3}, train, 5)
    scores = expected.predict(train)
    assert job.artifact.manifest is not None
    assert job.artifact.manifest.outputs == 3
    np.testing.assert_array_equal(job.booster.predict(train), scores)
    assert job.artifact.manifest.metrics["train-merror"] == pytest.approx(
        np.mean(scores.argmax(axis=1) != label), abs=1e-6
    )


def test_a_constraint_by_name_holds_in_the_model(job: Job) -> None:
    features = made(300)
    job.put("train", csv(-features[:, 1], features, header=True))

    job.run(num_round=5, monotone_constraints='{"income": 1}')

    rising = np.zeros((50, 3))
    rising[:, 1] = np.linspace(-3, 3, 50)
    scores = job.booster.predict(xgb.DMatrix(rising, feature_names=FEATURES))
    assert (np.diff(scores) >= 0).all()


def test_a_regression_with_weights_is_the_one_that_xgboost_trains(job: Job) -> None:
    features = made(100)
    label = features[:, 0] * 3
    weight = np.linspace(0.5, 2, 100)
    job.put("train", csv(label, np.column_stack([weight, features])))

    job.run(num_round=3, csv_weights=1, tree_method="exact")

    train = xgb.DMatrix(
        features,
        label=label,
        weight=weight,
        feature_names=["f0", "f1", "f2"],
        feature_types=["q"] * 3,
    )
    expected = xgb.train({"objective": "reg:squarederror", "tree_method": "exact"}, train, 3)
    assert job.model == bytes(expected.save_raw("ubj"))


def test_categories_are_split_as_categories(job: Job) -> None:
    homes = ("boat", "flat", "house", "tent")
    code = np.arange(80) % 4
    label = np.isin(code, [0, 2]).astype(int)  # no threshold on the code tells the two apart
    Schema(
        name="homes",
        target=Target("owner", "binary", classes=("no", "yes")),
        inputs=(Column("home", "category", homes), Column("age")),
        features=("home", "age"),
    ).write(job.layout.channel("train") / "schema.json")
    lines = [
        f"{homes[c]},{i},{('no', 'yes')[y]}"
        for i, (c, y) in enumerate(zip(code, label, strict=True))
    ]
    job.put("train", "\n".join(["home,age,owner", *lines, "igloo,1,no"]) + "\n")

    job.run(num_round=1, max_depth=1, eta=1, min_child_weight=0, max_cat_to_onehot=1)

    tree = json.loads(job.booster.get_dump(dump_format="json")[0])
    assert tree["split"] == "home"
    assert tree["split_condition"] in ([0, 2], [1, 3])
    assert job.booster.feature_types == ["c", "q"]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_input_gives_the_same_bytes_on_one_thread_and_two(
    tmp_path: Path, threads: int
) -> None:
    features = made(3000)
    text = csv(yes_or_no(features), features)
    models = []
    for name, nthread in (("first", 1), ("second", threads)):
        job = Job(tmp_path / name)
        job.put("train", text)
        job.run(objective="binary:logistic", num_round=8, subsample=0.7, seed=3, nthread=nthread)
        models.append(job.model)

    assert models[0] == models[1]


def test_sagemakers_regular_expressions_find_every_round(job: Job) -> None:
    features = made(60)
    job.put("train", csv(yes_or_no(features), features))
    job.put("validation", csv(yes_or_no(features), features))

    out = job.run(objective="binary:logistic", num_round=12, eval_metric="logloss,auc")

    shown = out.replace("\t", "#011").splitlines()  # as CloudWatch writes a TAB
    for metric in ("train-auc", "validation-auc", "train-logloss", "validation-logloss"):
        pattern = re.compile(rf".*\[[0-9]+\].*#011{metric}:(\S+)")
        values = [float(found[1].split("#")[0]) for line in shown if (found := pattern.match(line))]
        assert len(values) == 12


@deprecations.of_boosters
@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_early_stopping_needs_no_eval_metric_and_keeps_the_best_model(
    job: Job, booster: str
) -> None:
    features, other = made(100), made(100, seed=9)
    job.put("train", csv(yes_or_no(features), features))
    job.put("validation", csv(yes_or_no(other, seed=3), other))

    out = job.run(
        objective="binary:logistic",
        num_round=300,
        early_stopping_rounds=5,
        eta=1,
        booster=booster,
        **({"rate_drop": 0.3} if booster == "dart" else {}),
    )

    losses = [float(text) for text in re.findall(r"validation-logloss:(\S+)", out)]
    manifest = job.artifact.manifest
    assert manifest is not None
    best = manifest.best_iteration
    assert best is not None
    assert losses[best] == min(losses)
    assert len(losses) == best + 6 < 300
    assert manifest.rounds == job.booster.num_boosted_rounds() == best + 1
    data = xgb.DMatrix(other, label=yes_or_no(other, seed=3), feature_names=["f0", "f1", "f2"])
    score = job.booster.eval(data, "validation").split("logloss:")[1]
    assert float(score) == pytest.approx(losses[best], abs=1e-5)
    assert manifest.metrics["validation-logloss"] == pytest.approx(losses[best], abs=1e-5)


def test_sigterm_after_some_rounds_saves_what_is_there(job: Job) -> None:
    features = made(2000)
    job.put("train", csv(yes_or_no(features), features))

    with job.start(objective="binary:logistic", num_round=1_000_000) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[3]"):
                break
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=100)

    assert (process.returncode, err) == (0, "")
    last = [line for line in out.splitlines() if line.startswith("[")][-1:]
    rounds = int(last[0].split("]")[0][1:]) + 1 if last else 4
    assert job.booster.num_boosted_rounds() == rounds
    assert json.loads(out.splitlines()[-1])["stopped_by_signal"] is True


def test_sigterm_ends_the_job_at_once_where_no_model_is_wanted(job: Job) -> None:
    features = made(2000)
    job.put("train", csv(yes_or_no(features), features))

    with job.start(num_round=1_000_000, save_model_on_termination="false") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[0]"):
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=100)

    assert process.returncode == -signal.SIGTERM
    assert not (job.layout.model / "xgboost-model").exists()


def user_train(job: Job, tmp_path: Path, body: str) -> None:
    """Give the job a model/train.py of its own."""
    code = tmp_path / "code"
    (code / "model").mkdir(parents=True)
    (code / "model" / "__init__.py").write_text("")
    (code / "model" / "train.py").write_text(body)
    (code / "canarywood").symlink_to(CODE / "canarywood")
    job.code = code


def test_sigterm_before_the_first_round_is_a_failure_with_a_reason(
    job: Job, tmp_path: Path
) -> None:
    job.put("train", "1,2\n0,3\n")
    user_train(
        job,
        tmp_path,
        "import os, signal, xgboost\n"
        "def train(train, validation, parameters, num_round, callbacks):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return xgboost.train(parameters, train, num_round, callbacks=callbacks)\n",
    )

    assert job.fail() == (
        "UserError: the job was stopped before its first round ended; there is no model"
    )


def test_the_users_own_train_is_called(job: Job, tmp_path: Path) -> None:
    job.put("train", "1,2\n0,3\n")
    user_train(
        job,
        tmp_path,
        "import xgboost\n"
        "def train(train, validation, parameters, num_round, callbacks):\n"
        "    assert validation is None\n"
        "    return xgboost.train(parameters, train, 2 * num_round, callbacks=callbacks)\n",
    )

    job.run(num_round=3)

    assert job.booster.num_boosted_rounds() == 6


def test_a_train_that_returns_no_booster_is_named(job: Job, tmp_path: Path) -> None:
    job.put("train", "1,2\n0,3\n")
    user_train(job, tmp_path, "def train(*_):\n    return 3\n")

    assert job.fail() == (
        "UserError: model/train.py: train(...) must return an xgboost.Booster, not 3"
    )
