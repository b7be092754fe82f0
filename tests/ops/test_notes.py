import json
from pathlib import Path

from canarywood.artifact import Manifest
from ops import notes
from ops.plan import Home
from tests.ops import fakes


def test_where_tables_come_from_is_said(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_bytes(b"x" * 600_000)
    assert notes.fetched({}, tmp_path, files) == "a, b (1.2 MB)"
    assert notes.fetched({"a": True, "b": True}, tmp_path, files) == (
        f"reused: a, b (1.2 MB in {tmp_path})"
    )
    assert notes.fetched({"a": True, "b": False}, tmp_path, files) == (
        f"a, b (1.2 MB, sha256 right, kept in {tmp_path})"
    )


def test_of_preprocess_the_rows_are_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    config = home.layout("preprocess").processing_input("config")
    config.mkdir(parents=True)
    (config / "data.json").write_text('{"name": "toy"}')
    fakes.preprocess(home.layout("preprocess"))
    assert notes.job("preprocess", home) == "1,000 train, 20 validation, 30 test rows"


def test_of_train_rounds_and_metrics_are_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    manifest = Manifest("now", "0.1.0", "3.2.0", "3.11", "binary:logistic", 57, 2, 1)
    model = home.layout("train").model
    (model / "canarywood").mkdir(parents=True)
    (model / "canarywood" / "manifest.json").write_text(
        json.dumps({**vars(manifest), "metrics": {"train-auc": 0.75, "validation-auc": 0.66123}})
    )
    assert notes.job("train", home) == "57 rounds, train-auc 0.75, validation-auc 0.6612"


def test_of_a_model_without_manifest_the_last_metric_line_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.log("train").parent.mkdir()
    home.log("train").write_text("[0]\ttrain-auc:0.5\n[1]\ttrain-auc:0.6\nsaved\n")
    assert notes.job("train", home) == "[1]  train-auc:0.6"


def test_without_a_report_the_last_line_of_the_log_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.log("evaluate").parent.mkdir()
    home.log("evaluate").write_text('one\n{"event": "done", "level": "info"}\n')
    assert notes.job("evaluate", home) == "done"


def test_a_path_is_written_as_a_person_would() -> None:
    assert notes.short(Path.cwd() / "a" / "b") == "a/b"
    assert notes.short(Path("/elsewhere/a")) == "/elsewhere/a"
