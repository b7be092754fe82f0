"""The SM_* variables and command line that a user's training script expects. Standard library only.

The platform sets none of them: AWS's toolkits derive them from the files of the job, those of SDK
v2 (sagemaker-training) and of v3 (ModelTrainer's drivers) in slightly different sets. Both sets are
here.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canarywood.contract import Layout
from canarywood.cpus import available_cpus

MASTER_PORT = 7777
PLATFORM_PREFIX = "sagemaker_"  # hyperparameters of the SDK itself


@dataclass(frozen=True)
class Script:
    """A user's script.

    Attributes:
        folder: of its source, where it is run.
        name: relative to the folder.
        driven: by the layout of SDK v3's ModelTrainer, whose arguments are spelled as JSON.
    """

    folder: Path
    name: str
    driven: bool = False


def users_hyperparameters(texts: Mapping[str, str]) -> dict[str, Any]:
    """The hyperparameters that are the user's, as JSON has them; other text stays text."""
    return {
        name: _value(text)
        for name, text in texts.items()
        if not name.startswith(PLATFORM_PREFIX) and name != "sagemaker_program"
    }


def arguments(hyperparameters: Mapping[str, Any], *, driven: bool) -> list[str]:
    """`--max-depth 6 --verbose True`, sorted by name; SDK v3 writes `true`, in the given order."""
    found: list[str] = []
    names = list(hyperparameters) if driven else sorted(hyperparameters)
    for name in names:
        value = hyperparameters[name]
        text = _json_text(value) if driven else _python_text(value)
        found += [f"-{name}" if len(name) == 1 and not driven else f"--{name}", text]
    return found


def variables(
    layout: Layout, script: Script, surroundings: Mapping[str, str], *, gpus: int | None = None
) -> dict[str, str]:
    """Every SM_* variable of the job, by name."""
    found: dict[str, Any] = {
        **_folders(layout),
        **_channels(layout),
        **_hosts(layout.resource_config()),
        **_hyperparameters(layout, script),
        **_source(script),
    }
    found |= {
        "SM_NUM_CPUS": available_cpus(),
        "SM_NUM_GPUS": count_gpus() if gpus is None else gpus,
        "SM_NUM_NEURONS": 0,
        "SM_LOG_LEVEL": _log_level(layout, surroundings),
        "SM_FRAMEWORK_MODULE": "canarywood",
        "SM_FRAMEWORK_PARAMS": {},
        "SM_RESOURCE_CONFIG": layout.resource_config(),
        "SM_INPUT_DATA_CONFIG": layout.input_data_config(),
    }
    found["SM_TRAINING_ENV"] = _training_env(found, surroundings)
    return {name: _json_text(value) for name, value in found.items()}


def count_gpus() -> int:
    """GPUs of this machine, by nvidia-smi."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--list-gpus"],  # noqa: S607 - where the driver puts it
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())


def _folders(layout: Layout) -> dict[str, Any]:
    base = layout.base
    return {
        "SM_MODEL_DIR": str(layout.model),
        "SM_INPUT_DIR": str(base / "input"),
        "SM_INPUT_DATA_DIR": str(base / "input" / "data"),
        "SM_INPUT_CONFIG_DIR": str(layout.config),
        "SM_OUTPUT_DIR": str(base / "output"),
        "SM_OUTPUT_DATA_DIR": str(layout.output_data),
        "SM_OUTPUT_FAILURE": str(layout.failure),
        "SM_OUTPUT_INTERMEDIATE_DIR": str(base / "output" / "intermediate"),
    }


def _channels(layout: Layout) -> dict[str, Any]:
    names = sorted(layout.input_data_config())
    return {
        "SM_CHANNELS": names,
        **{f"SM_CHANNEL_{_variable(name)}": str(layout.channel(name)) for name in names},
    }


def _hosts(config: Mapping[str, Any]) -> dict[str, Any]:
    hosts = sorted(config.get("hosts", ["algo-1"]))
    current = config.get("current_host", hosts[0])
    groups = config.get("instance_groups", [])
    by_name = {group.get("instance_group_name"): group for group in groups}
    group = config.get("current_group_name", "homogeneousCluster")
    return {
        "SM_HOSTS": hosts,
        "SM_HOST_COUNT": len(hosts),
        "SM_CURRENT_HOST": current,
        "SM_CURRENT_HOST_RANK": hosts.index(current) if current in hosts else 0,
        "SM_MASTER_ADDR": hosts[0],
        "SM_MASTER_PORT": MASTER_PORT,
        "SM_NETWORK_INTERFACE_NAME": config.get("network_interface_name", "eth0"),
        "SM_CURRENT_INSTANCE_TYPE": config.get("current_instance_type", "local"),
        "SM_CURRENT_INSTANCE_GROUP": group,
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": by_name.get(group, {}).get("hosts", hosts),
        "SM_INSTANCE_GROUPS": list(by_name),
        "SM_INSTANCE_GROUPS_DICT": by_name,
        "SM_IS_HETERO": len(by_name) > 1,
    }


def _hyperparameters(layout: Layout, script: Script) -> dict[str, Any]:
    found = users_hyperparameters(layout.hyperparameters())
    return {
        "SM_HPS": found,
        "SM_USER_ARGS": arguments(found, driven=script.driven),
        **{f"SM_HP_{_variable(name)}": value for name, value in found.items()},
    }


def _source(script: Script) -> dict[str, Any]:
    return {
        "SM_USER_ENTRY_POINT": script.name,
        "SM_MODULE_NAME": script.name.removesuffix(".py"),
        "SM_MODULE_DIR": str(script.folder),
        "SM_SOURCE_DIR": str(script.folder),
        "SM_ENTRY_SCRIPT": script.name,
    }


def _training_env(found: Mapping[str, Any], surroundings: Mapping[str, str]) -> dict[str, Any]:
    """The same once more in one value."""
    names = {
        "current_host": "SM_CURRENT_HOST",
        "current_instance_type": "SM_CURRENT_INSTANCE_TYPE",
        "current_instance_group": "SM_CURRENT_INSTANCE_GROUP",
        "current_instance_group_hosts": "SM_CURRENT_INSTANCE_GROUP_HOSTS",
        "hosts": "SM_HOSTS",
        "hyperparameters": "SM_HPS",
        "input_config_dir": "SM_INPUT_CONFIG_DIR",
        "input_data_config": "SM_INPUT_DATA_CONFIG",
        "input_data_dir": "SM_INPUT_DATA_DIR",
        "input_dir": "SM_INPUT_DIR",
        "instance_groups": "SM_INSTANCE_GROUPS",
        "instance_groups_dict": "SM_INSTANCE_GROUPS_DICT",
        "is_hetero": "SM_IS_HETERO",
        "log_level": "SM_LOG_LEVEL",
        "master_addr": "SM_MASTER_ADDR",
        "master_port": "SM_MASTER_PORT",
        "model_dir": "SM_MODEL_DIR",
        "module_dir": "SM_MODULE_DIR",
        "module_name": "SM_MODULE_NAME",
        "network_interface_name": "SM_NETWORK_INTERFACE_NAME",
        "num_cpus": "SM_NUM_CPUS",
        "num_gpus": "SM_NUM_GPUS",
        "num_neurons": "SM_NUM_NEURONS",
        "output_data_dir": "SM_OUTPUT_DATA_DIR",
        "output_dir": "SM_OUTPUT_DIR",
        "output_intermediate_dir": "SM_OUTPUT_INTERMEDIATE_DIR",
        "resource_config": "SM_RESOURCE_CONFIG",
        "user_entry_point": "SM_USER_ENTRY_POINT",
    }
    channels = {name: found[f"SM_CHANNEL_{_variable(name)}"] for name in found["SM_CHANNELS"]}
    return {
        **{name: found[variable] for name, variable in names.items()},
        "channel_input_dirs": channels,
        "additional_framework_parameters": {},
        "is_master": found["SM_CURRENT_HOST_RANK"] == 0,
        "job_name": surroundings.get("TRAINING_JOB_NAME", ""),
    }


def _log_level(layout: Layout, surroundings: Mapping[str, str]) -> int:
    text = layout.hyperparameters().get("sagemaker_container_log_level") or surroundings.get(
        "SAGEMAKER_CONTAINER_LOG_LEVEL", ""
    )
    return int(text) if text.isdecimal() else 20


def _variable(name: str) -> str:
    return name.replace("-", "_").upper()


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _python_text(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={item}" for name, item in sorted(value.items()))
    return str(value)
