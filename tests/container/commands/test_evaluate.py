"""`evaluate` on a folder as SageMaker lays it out, with a model trained here."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from sklearn import metrics as oracle

from canarywood import reports
from canarywood.artifact import MODEL_FILE, SCHEMA_FILE, Manifest, pack
from canarywood.commands import evaluate
from canarywood.contract import Layout
from canarywood.errors import ArtifactError, DataError, UserError
from canarywood.schema import table as tables
from canarywood.schema.definition import Column, Schema, Target

NOW = datetime(2013, 5, 1, tzinfo=UTC)
BINARY = Target("late", "binary", classes=("no", "yes"))


def rows(count: int, seed: int, target: Target) -> pa.Table:
    generator = np.random.default_rng(seed)
    x, city = generator.normal(0, 1, count), generator.choice(["a", "b", "c"], count)
    signal = x + 2 * (city == "a") + generator.normal(0, 1, count)
    if target.task == "binary":
        truth = np.where(signal > 1, "yes", "no")
    elif target.task == "multiclass":
        truth = np.array(["low", "mid", "high"])[np.digitize(signal, [0, 1.5])]
    else:
        truth = np.round(signal, 3).astype(str)
    return pa.table({"x": x, "city": city, target.column: truth})


class Job:
    """A trained model and the folder of a job that evaluates it."""

    def __init__(
        self,
        base: Path,
        target: Target,
        parameters: dict[str, object],
        slices: tuple[str, ...] = ("city",),
    ) -> None:
        self.layout = Layout(base)
        self.model = base / "trained"
        train = rows(500, 0, target)
        self.schema = Schema(
            name="trips",
            target=target,
            inputs=(
                Column("x", low=-3.0, high=3.0),
                Column("city", "category", categories=("a", "b", "c")),
            ),
            features=("x", "city"),
            slices=slices,
        )
        matrix = xgb.DMatrix(
            tables.encode(train, self.schema),
            tables.labels(train, self.schema),
            feature_names=["x", "city"],
            feature_types=["q", "c"],
            enable_categorical=True,
        )
        self.booster = xgb.train({"max_depth": 3, "nthread": 1, **parameters}, matrix, 15)
        (self.model / "canarywood").mkdir(parents=True)
        (self.model / MODEL_FILE).write_bytes(bytes(self.booster.save_raw("ubj")))
        self.schema.write(self.model / SCHEMA_FILE)
        Manifest(
            created="2013-04-01T06:00:00Z",
            canarywood="0.1.0",
            xgboost="3.2.0",
            python="3.11",
            objective=str(parameters["objective"]),
            rounds=15,
            features=2,
            outputs=1,
        ).write(self.model)

    def put_model(self) -> None:
        pack(self.model, self.layout.processing / "model" / "model.tar.gz")

    def put_test(self, table: pa.Table) -> None:
        folder = self.layout.processing / "test"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / "part-0.parquet")

    def run(self) -> dict[str, object]:
        assert evaluate.run(self.layout) == 0
        return reports.read(self.layout.processing / "evaluation" / "evaluation.json")

    def scores(self, table: pa.Table):
        matrix = xgb.DMatrix(
            tables.encode(table, self.schema),
            feature_names=["x", "city"],
            feature_types=["q", "c"],
            enable_categorical=True,
        )
        return self.booster.predict(matrix)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job(tmp_path, BINARY, {"objective": "binary:logistic"})
    made.put_model()
    return made


def test_the_metrics_are_those_of_xgboosts_own_predictions(job: Job, capsys):
    test = rows(400, 1, BINARY)
    job.put_test(test)
    report = job.run()
    truth, scores = tables.labels(test, job.schema), job.scores(test).astype(float)
    auc = oracle.roc_auc_score(truth, scores)
    assert reports.metric(report, "auc") == pytest.approx(auc, rel=1e-12)
    assert reports.metric(report, "log_loss") == pytest.approx(oracle.log_loss(truth, scores))
    assert 0 < reports.deviation(report, "auc") < 0.05
    assert report["classes"] == ["no", "yes"]
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["rows"], line["auc"]) == ("evaluated", 400, round(auc, 6))


def test_each_slice_has_the_metric_of_its_rows(job: Job):
    test = rows(400, 1, BINARY)
    job.put_test(test)
    found = job.run()["slices"]["city"]
    for city in "abc":
        part = test.filter(pa.compute.equal(test["city"], city))
        truth = tables.labels(part, job.schema)
        expected = oracle.roc_auc_score(truth, job.scores(part).astype(float))
        assert found[city]["auc"]["value"] == pytest.approx(expected, rel=1e-12)
        assert found[city]["item_count"] == part.num_rows


def test_a_slice_may_be_a_column_that_is_no_input(tmp_path: Path):
    job = Job(tmp_path, BINARY, {"objective": "binary:logistic"}, slices=("season",))
    job.put_model()
    test = rows(400, 1, BINARY)
    half = ["summer"] * 200 + ["winter"] * 200
    job.put_test(test.append_column("season", pa.array(half)))
    found = job.run()["slices"]["season"]
    for season, part in (("summer", test.slice(0, 200)), ("winter", test.slice(200))):
        truth = tables.labels(part, job.schema)
        expected = oracle.roc_auc_score(truth, job.scores(part).astype(float))
        assert found[season]["auc"]["value"] == pytest.approx(expected, rel=1e-12)


def test_a_slice_that_the_test_rows_lack_is_named(tmp_path: Path):
    job = Job(tmp_path, BINARY, {"objective": "binary:logistic"}, slices=("season",))
    job.put_model()
    job.put_test(rows(40, 1, BINARY))
    with pytest.raises(DataError, match="the test rows lack season"):
        job.run()


def test_the_page_lies_beside_the_figures(job: Job):
    job.put_test(rows(400, 1, BINARY))
    job.run()
    html = (job.layout.processing / "evaluation" / "report.html").read_text()
    assert "Of 1,000 rows," in html
    assert "late = yes" in html
    assert "city" in html


def test_the_untarred_model_is_evaluated_too(job: Job):
    job.put_test(rows(50, 1, BINARY))
    archived = evaluate.evaluate(job.model, job.layout.processing / "test", now=NOW)
    assert archived.created == "2013-05-01T00:00:00Z"
    assert (
        archived.report()["binary_classification_metrics"]
        == job.run()["binary_classification_metrics"]
    )


def test_a_file_of_csv_gives_the_same_metrics(job: Job):
    test = rows(60, 2, BINARY)
    job.put_test(test)
    as_parquet = job.run()
    folder = job.layout.processing / "test"
    (folder / "part-0.parquet").unlink()
    pa.csv.write_csv(test, folder / "test.csv")
    kind = "binary_classification_metrics"
    assert job.run()[kind] == as_parquet[kind]


def test_weights_of_the_test_rows_count(job: Job):
    test = rows(300, 3, BINARY)
    weights = np.arange(300) % 3
    job.put_test(test.append_column(tables.WEIGHT, pa.array(weights.astype(np.float32))))
    expected = oracle.roc_auc_score(
        tables.labels(test, job.schema), job.scores(test).astype(float), sample_weight=weights
    )
    assert reports.metric(job.run(), "auc") == pytest.approx(expected, rel=1e-12)


def test_noise_labels_score_about_one_half(job: Job):
    test = rows(2000, 4, BINARY)
    shuffled = np.random.default_rng(0).permutation(test["late"].to_numpy(zero_copy_only=False))
    job.put_test(test.set_column(2, "late", pa.array(shuffled)))
    assert 0.45 < reports.metric(job.run(), "auc") < 0.55


def test_unknown_categories_are_counted(job: Job):
    test = rows(100, 5, BINARY)
    cities = ["Oslo"] * 7 + test["city"].to_pylist()[7:]
    job.put_test(test.set_column(1, "city", pa.array(cities)))
    job.run()
    html = (job.layout.processing / "evaluation" / "report.html").read_text()
    assert "city: 7 rows (7%) hold a category that training never saw" in html


def test_one_class_only_is_reported_and_not_ranked(job: Job, capsys):
    test = rows(300, 6, BINARY)
    job.put_test(test.filter(pa.compute.equal(test["late"], "no")))
    report = job.run()
    with pytest.raises(DataError, match="auc is undefined"):
        reports.metric(report, "auc")
    assert reports.metric(report, "accuracy") > 0.5
    assert json.loads(capsys.readouterr().out)["auc"] is None


def test_rows_without_a_label_are_left_out(job: Job):
    test = rows(40, 7, BINARY)
    labels = [None] * 10 + test["late"].to_pylist()[10:]
    job.put_test(test.set_column(2, "late", pa.array(labels)))
    assert job.run()["dataset"]["item_count"] == 30


def test_log_odds_are_evaluated_as_probabilities(tmp_path: Path):
    made = Job(tmp_path, BINARY, {"objective": "binary:logitraw"})
    made.put_model()
    test = rows(200, 8, BINARY)
    made.put_test(test)
    chances = 1 / (1 + np.exp(-made.scores(test).astype(float)))
    expected = oracle.brier_score_loss(tables.labels(test, made.schema), chances)
    assert reports.metric(made.run(), "brier_score") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_several_classes_are_evaluated(tmp_path: Path, objective: str):
    target = Target("level", "multiclass", classes=("high", "low", "mid"))
    made = Job(tmp_path, target, {"objective": objective, "num_class": 3})
    made.put_model()
    test = rows(300, 9, target)
    made.put_test(test)
    scores = made.scores(test)
    labels = scores.argmax(axis=1) if scores.ndim == 2 else scores
    report = made.run()
    expected = oracle.f1_score(tables.labels(test, made.schema), labels, average="weighted")
    assert reports.metric(report, "weighted_f1") == pytest.approx(expected, rel=1e-12)
    assert ("macro_auc" in reports.values(report)) is (objective == "multi:softprob")
    assert set(report["slices"]["city"]) == {"a", "b", "c"}


def test_a_number_is_evaluated(tmp_path: Path):
    target = Target("delay", "regression")
    made = Job(tmp_path, target, {"objective": "reg:squarederror"})
    made.put_model()
    test = rows(300, 10, target)
    made.put_test(test)
    mse = oracle.mean_squared_error(tables.labels(test, made.schema), made.scores(test))
    assert reports.metric(made.run(), "rmse") == pytest.approx(math.sqrt(mse), rel=1e-5)


def test_what_preprocess_found_reaches_the_page(job: Job):
    job.put_test(rows(30, 11, BINARY))
    place = job.layout.processing / "report" / "preprocess.json"
    place.parent.mkdir()
    leakage = {"column": "dep_delay", "metric": "auc", "value": 0.94, "used": False}
    warning = "x alone nearly gives the target away"
    place.write_text(json.dumps({"warnings": [warning], "leakage": [leakage]}))
    job.run()
    html = (job.layout.processing / "evaluation" / "report.html").read_text()
    assert warning in html
    assert "dep_delay (not used): 0.940" in html


def test_no_test_rows_are_a_users_fault(job: Job):
    job.put_test(rows(5, 0, BINARY).slice(0, 0))
    with pytest.raises(DataError, match="no test rows"):
        evaluate.run(job.layout)


def test_a_missing_target_column_is_named(job: Job):
    job.put_test(rows(5, 0, BINARY).drop_columns(["late"]))
    with pytest.raises(DataError, match="no target column 'late'"):
        evaluate.run(job.layout)


def test_rows_without_any_label_are_refused(job: Job):
    job.put_test(rows(3, 0, BINARY).set_column(2, "late", pa.array(["", "", ""])))
    with pytest.raises(DataError, match=r"no row below .* has a label"):
        evaluate.run(job.layout)


def test_a_job_without_a_model_says_what_it_needs(tmp_path: Path):
    with pytest.raises(ArtifactError, match=r"neither model\.tar\.gz nor xgboost-model"):
        evaluate.run(Layout(tmp_path))


def test_a_model_without_a_schema_is_refused(job: Job):
    job.put_test(rows(5, 0, BINARY))
    for path in (job.model / "canarywood").iterdir():
        path.unlink()
    with pytest.raises(ArtifactError, match="no schema that says what it predicts"):
        evaluate.evaluate(job.model, job.layout.processing / "test", now=NOW)


def test_a_pickle_is_refused_and_never_opened(job: Job):
    job.put_test(rows(5, 0, BINARY))
    (job.model / MODEL_FILE).write_bytes(b"\x80\x04cos\nsystem\n.")
    job.put_model()
    with pytest.raises(ArtifactError, match="pickle"):
        evaluate.run(job.layout)


TEST = (np.array([0.0, 1.0]), np.array([0.2, 0.7]), np.ones(2))


def test_the_users_metrics_join_ours(job: Job):
    job.put_test(rows(400, 1, BINARY))
    report = job.run()  # the user's file as it is shipped
    assert reports.metric(report, "lift_in_top_tenth") > 1.5
    assert reports.deviation(report, "lift_in_top_tenth") is None


def test_the_users_function_cannot_change_what_we_report():
    def spoil(truth, scores, weights):
        truth[:] = scores[:] = weights[:] = 9
        return {"one": np.float32(1), "two": 2}

    assert evaluate.own_metrics(spoil, TEST, {}) == {"one": 1.0, "two": 2.0}
    assert TEST[0].tolist() == [0.0, 1.0]


def test_without_a_function_there_are_no_further_metrics():
    assert evaluate.own_metrics(None, TEST, {}) == {}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"auc": 1.0}, "auc is computed already"),
        ({"x": math.nan}, "x must be finite"),
        ({"x": "high"}, "x must be a number"),
        (0.5, "must return a dict"),
    ],
)
def test_what_is_no_metric_of_the_users_is_refused(found, sentence):
    with pytest.raises(UserError, match=r"model/evaluate\.py: .*" + sentence):
        evaluate.own_metrics(lambda *_: found, TEST, {"auc": 0.5})


def test_a_fault_in_the_users_function_is_said_to_be_there():
    with pytest.raises(UserError, match=r"model/evaluate\.py: metrics failed: ZeroDivisionError"):
        evaluate.own_metrics(lambda *_: {"x": 1 / 0}, TEST, {})
