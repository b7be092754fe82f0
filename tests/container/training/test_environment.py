from __future__ import annotations

import json
from pathlib import Path

import pytest

from canarywood.contract import Layout, write_json
from canarywood.training.environment import Script, arguments, users_hyperparameters, variables

HOSTS = {
    "current_host": "algo-2",
    "current_instance_type": "ml.m5.large",
    "current_group_name": "workers",
    "hosts": ["algo-2", "algo-1", "algo-3"],
    "network_interface_name": "eth1",
    "instance_groups": [
        {"instance_group_name": "chief", "instance_type": "ml.m5.large", "hosts": ["algo-1"]},
        {
            "instance_group_name": "workers",
            "instance_type": "ml.m5.large",
            "hosts": ["algo-2", "algo-3"],
        },
    ],
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "ml")
    layout.write_training_input(
        {
            "max-depth": 6,
            "eta": 0.5,
            "name": '"a b"',
            "verbose": True,
            "sagemaker_program": '"train.py"',
            "sagemaker_container_log_level": "10",
        },
        {"train": "text/csv", "my-data": "text/csv"},
    )
    write_json(layout.config / "resourceconfig.json", HOSTS)
    return layout


def derived(layout: Layout) -> dict[str, str]:
    script = Script(layout.code, "train.py")
    return variables(layout, script, {"TRAINING_JOB_NAME": "job-1"}, gpus=2)


def test_folders_and_channels_have_variables(layout: Layout) -> None:
    found = derived(layout)

    assert found["SM_MODEL_DIR"] == str(layout.base / "model")
    assert found["SM_OUTPUT_DATA_DIR"] == str(layout.base / "output" / "data")
    assert found["SM_INPUT_CONFIG_DIR"] == str(layout.base / "input" / "config")
    assert found["SM_CHANNEL_TRAIN"] == str(layout.base / "input" / "data" / "train")
    assert found["SM_CHANNEL_MY_DATA"] == str(layout.base / "input" / "data" / "my-data")
    assert json.loads(found["SM_CHANNELS"]) == ["my-data", "train"]


def test_hosts_and_groups_have_variables(layout: Layout) -> None:
    found = derived(layout)

    assert json.loads(found["SM_HOSTS"]) == ["algo-1", "algo-2", "algo-3"]
    assert (found["SM_CURRENT_HOST"], found["SM_CURRENT_HOST_RANK"]) == ("algo-2", "1")
    assert (found["SM_HOST_COUNT"], found["SM_MASTER_ADDR"]) == ("3", "algo-1")
    assert found["SM_MASTER_PORT"] == "7777"
    assert found["SM_NETWORK_INTERFACE_NAME"] == "eth1"
    assert found["SM_CURRENT_INSTANCE_TYPE"] == "ml.m5.large"
    assert found["SM_CURRENT_INSTANCE_GROUP"] == "workers"
    assert json.loads(found["SM_CURRENT_INSTANCE_GROUP_HOSTS"]) == ["algo-2", "algo-3"]
    assert found["SM_IS_HETERO"] == "true"
    assert found["SM_NUM_GPUS"] == "2"


def test_hyperparameters_have_variables_without_those_of_the_sdk(layout: Layout) -> None:
    found = derived(layout)

    assert json.loads(found["SM_HPS"]) == {
        "max-depth": 6,
        "eta": 0.5,
        "name": "a b",
        "verbose": True,
    }
    assert found["SM_HP_MAX_DEPTH"] == "6"
    assert found["SM_HP_NAME"] == "a b"
    assert "SM_HP_SAGEMAKER_PROGRAM" not in found
    assert found["SM_LOG_LEVEL"] == "10"


def test_all_of_it_stands_once_more_in_one_value(layout: Layout) -> None:
    found = json.loads(derived(layout)["SM_TRAINING_ENV"])

    assert found["job_name"] == "job-1"
    assert found["channel_input_dirs"]["my-data"].endswith("/input/data/my-data")
    assert found["hyperparameters"]["eta"] == 0.5
    assert found["user_entry_point"] == "train.py"
    assert found["is_master"] is False


def test_arguments_are_spelled_as_each_sdk_spells_them() -> None:
    given = users_hyperparameters(
        {"b": "true", "alpha": "[1, 2]", "name": '"x y"', "free": "plain text", "eta": "0.1"}
    )

    assert arguments(given, driven=False) == [
        *("--alpha", "[1, 2]", "-b", "True", "--eta", "0.1", "--free", "plain text"),
        *("--name", "x y"),
    ]
    assert arguments(given, driven=True) == [
        *("--b", "true", "--alpha", "[1, 2]", "--name", "x y", "--free", "plain text"),
        *("--eta", "0.1"),
    ]


def test_every_value_is_text(layout: Layout) -> None:
    assert all(isinstance(value, str) for value in derived(layout).values())
