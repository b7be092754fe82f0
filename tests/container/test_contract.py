"""The files of the SageMaker contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from canarywood.contract import Cluster, Layout, ProcessingInput, read_json, write_json
from canarywood.errors import DataError, HyperparameterError


def test_the_base_folder_is_a_setting_and_opt_ml_by_default() -> None:
    assert Layout.from_environment({}).base == Path("/opt/ml")
    assert Layout.from_environment({"SAGEMAKER_BASE_DIR": ""}).base == Path("/opt/ml")
    assert Layout.from_environment({"SAGEMAKER_BASE_DIR": "/x"}).model == Path("/x/model")


def test_every_folder_is_where_sagemaker_has_it() -> None:
    layout = Layout(Path("/opt/ml"))
    assert {
        layout.model: "/opt/ml/model",
        layout.config: "/opt/ml/input/config",
        layout.channel("train"): "/opt/ml/input/data/train",
        layout.failure: "/opt/ml/output/failure",
        layout.message: "/opt/ml/output/message",
        layout.processing_input("data"): "/opt/ml/processing/input/data",
        layout.processing_output("test"): "/opt/ml/processing/output/test",
    } == {
        Path(path): path
        for path in (
            "/opt/ml/model", "/opt/ml/input/config", "/opt/ml/input/data/train",
            "/opt/ml/output/failure", "/opt/ml/output/message",
            "/opt/ml/processing/input/data", "/opt/ml/processing/output/test",
        )
    }  # fmt: skip


def test_what_the_platform_writes_the_image_reads(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.write_training_input(
        {"eta": 0.1, "objective": "binary:logistic", "flag": True, "list": [1, 2], "none": None},
        {"train": "text/csv"},
    )
    assert layout.hyperparameters() == {
        "eta": "0.1", "objective": "binary:logistic", "flag": "true", "list": "[1, 2]",
        "none": "null",
    }  # fmt: skip
    assert layout.input_data_config()["train"]["ContentType"] == "text/csv"
    assert layout.resource_config()["hosts"] == ["algo-1"]


def test_what_the_platform_writes_of_a_processing_job_the_image_reads(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    inputs = (
        ProcessingInput("data", layout.processing_input("data"), sharded=True),
        ProcessingInput("model", layout.processing / "model", mode="Pipe"),
    )
    cluster = Cluster("algo-2", ("algo-1", "algo-2"))
    layout.write_processing_input("evaluate", inputs, cluster)
    assert layout.processing_inputs() == inputs
    assert layout.processing_cluster() == cluster
    assert layout.processing_cluster().leader == "algo-1"
    found = layout.processing_job_config()
    assert found["AppSpecification"] == {"ContainerArguments": ["evaluate"]}
    assert found["ProcessingInputs"][0]["S3Input"] == {
        "LocalPath": "/opt/ml/processing/input/data",
        "S3DataDistributionType": "ShardedByS3Key",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }


def test_an_input_from_athena_is_one_too(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    dataset = {"LocalPath": "/opt/ml/processing/x", "DataDistributionType": "ShardedByS3Key"}
    listed = [{"InputName": "x", "DatasetDefinition": dataset}]
    write_json(layout.processing_job_file, {"ProcessingInputs": listed})
    assert layout.processing_inputs() == (
        ProcessingInput("x", layout.processing / "x", sharded=True),
    )


@pytest.mark.parametrize("listed", [[{}], [{"InputName": "x"}], ["x"], 5])
def test_inputs_of_another_shape_are_named(tmp_path: Path, listed: object) -> None:
    layout = Layout(tmp_path)
    write_json(layout.processing_job_file, {"ProcessingInputs": listed})
    with pytest.raises(DataError, match=r"processingjobconfig\.json: ProcessingInputs"):
        layout.processing_inputs()


def test_hosts_are_in_order_and_one_where_none_are_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.processing_cluster() == Cluster("algo-1", ("algo-1",))
    write_json(
        layout.processing_config / "resourceconfig.json",
        {"current_host": "algo-2", "hosts": ["algo-2", "algo-10", "algo-1"]},
    )
    assert layout.processing_cluster() == Cluster("algo-2", ("algo-1", "algo-10", "algo-2"))


def test_a_file_that_the_platform_left_out_is_empty(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.hyperparameters() == {}
    assert layout.input_data_config() == {}
    assert layout.resource_config() == {}


def test_a_hyperparameter_that_is_no_string_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_json(layout.config / "hyperparameters.json", {"eta": 0.1, "seed": "1", "depth": 6})
    with pytest.raises(HyperparameterError, match="depth, eta: every value must be a string"):
        layout.hyperparameters()


@pytest.mark.parametrize("content", ["", "{", "[1", "\x00", "[" * 100_000])
def test_a_file_that_is_no_json_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"some\.json is not readable JSON"):
        read_json(path)


def test_json_that_is_no_object_is_refused_where_one_is_needed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_json(layout.config / "hyperparameters.json", ["eta"])
    with pytest.raises(DataError, match="must hold a JSON object"):
        layout.hyperparameters()


def test_json_is_written_strictly(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "a.json", {"ä": [1.5, None]})
    assert (tmp_path / "new" / "a.json").read_text(encoding="utf-8") == (
        '{\n  "ä": [\n    1.5,\n    null\n  ]\n}\n'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", float("nan"))


def test_a_failure_is_cut_to_its_characters_and_the_first_one_stays(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.write_failure("UserError: " + "ä" * 2000)
    layout.write_failure("AlgorithmError: a later one")
    text = layout.failure.read_text(encoding="utf-8")
    assert len(text) == 1024
    assert text.startswith("UserError: ää")


def test_a_message_is_cut_to_its_bytes_and_stays_utf_8(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.write_message("x" + "ä" * 2000)
    content = layout.message.read_bytes()
    assert len(content) == 1023  # 1,024 would cut a letter in two
    assert content.decode() == "x" + "ä" * 511


def test_a_reason_with_a_file_name_that_is_no_text_is_still_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    layout.write_message(f"{name} is odd")
    layout.write_failure(f"{name} is odd")
    assert layout.message.read_text(encoding="utf-8") == "caf?.csv is odd"
    assert layout.failure.read_text(encoding="utf-8") == "caf?.csv is odd"


def test_a_message_is_a_real_file_where_a_link_lay(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    layout.message.parent.mkdir()
    layout.message.symlink_to(elsewhere)
    layout.write_message("done")
    assert (layout.message.is_symlink(), layout.message.read_text()) == (False, "done")
    assert elsewhere.read_text() == "mine"
