"""SageMaker's contract on disk: every path and JSON file below /opt/ml. Standard library only.

Both halves stand here, what the platform writes and what the image reads, so that the two
cannot drift apart. Source of the paths: AWS, "How Amazon SageMaker AI Provides Training
Information" and "How Amazon SageMaker Processing Configures Input and Output".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from canarywood.errors import DataError, HyperparameterError

FAILURE_CHARACTERS = 1024  # of /opt/ml/output/failure that reach FailureReason
MESSAGE_BYTES = 1024  # of /opt/ml/output/message that reach ExitMessage

PLATFORM_BASE = PurePosixPath("/opt/ml")  # below which the platform names its paths
REPLICATED, SHARDED = "FullyReplicated", "ShardedByS3Key"

Json = dict[str, Any]


@dataclass(frozen=True)
class ProcessingInput:
    """An input of a processing job.

    Attributes:
        folder: where it lies.
        sharded: each host has other files of it; otherwise every host has all.
        mode: `File`, or `Pipe`.
    """

    name: str
    folder: Path
    sharded: bool = False
    mode: str = "File"


@dataclass(frozen=True)
class Cluster:
    """The hosts of a job, in order; the first one leads."""

    current: str
    hosts: tuple[str, ...]

    @property
    def leader(self) -> str:
        """The host that does what only one host can do."""
        return self.hosts[0]


@dataclass(frozen=True)
class Layout:
    """The folders of one job or one server, below `base` (/opt/ml on SageMaker)."""

    base: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Layout:
        """The layout below $SAGEMAKER_BASE_DIR, or below /opt/ml where that is not set."""
        return cls(Path(environment.get("SAGEMAKER_BASE_DIR") or "/opt/ml"))

    @property
    def model(self) -> Path:
        """Training writes the artifact here; hosting finds it here, untarred."""
        return self.base / "model"

    @property
    def config(self) -> Path:
        """The three JSON files of a training job."""
        return self.base / "input" / "config"

    @property
    def failure(self) -> Path:
        """A training job's reason; its first 1,024 characters become FailureReason."""
        return self.base / "output" / "failure"

    @property
    def output_data(self) -> Path:
        """Further results of a training job; becomes output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def code(self) -> Path:
        """The user's own script, where a job brings one."""
        return self.base / "code"

    @property
    def message(self) -> Path:
        """A processing job's exit message; its first 1,024 bytes become ExitMessage."""
        return self.base / "output" / "message"

    @property
    def processing(self) -> Path:
        """Inputs and outputs of a processing job."""
        return self.base / "processing"

    @property
    def processing_config(self) -> Path:
        """The two JSON files of a processing job."""
        return self.base / "config"

    @property
    def processing_job_file(self) -> Path:
        """The request that made the processing job."""
        return self.processing_config / "processingjobconfig.json"

    def channel(self, name: str) -> Path:
        """The folder of a training job's input channel."""
        return self.base / "input" / "data" / name

    def processing_input(self, name: str) -> Path:
        """The folder of a processing job's input."""
        return self.processing / "input" / name

    def processing_output(self, name: str) -> Path:
        """The folder of a processing job's output."""
        return self.processing / "output" / name

    def hyperparameters(self) -> dict[str, str]:
        """The hyperparameters; SageMaker passes every value as a string."""
        found = _read_object(self.config / "hyperparameters.json")
        wrong = sorted(name for name, value in found.items() if not isinstance(value, str))
        if wrong:
            raise HyperparameterError(
                f"hyperparameters.json: {', '.join(wrong)}: every value must be a string, "
                'as SageMaker sends it (write "6", not 6)'
            )
        return found

    def input_data_config(self) -> Json:
        """What is known of each channel: ContentType, TrainingInputMode, S3DistributionType."""
        return _read_object(self.config / "inputdataconfig.json")

    def checkpoints(self) -> Path | None:
        """The folder that is kept between a job and its restart; None where none is configured."""
        found = _read_object(self.config / "checkpointconfig.json").get("LocalPath")
        if not found:
            return None
        return self._local(found)

    def resource_config(self) -> Json:
        """Hosts of the job: current_host, hosts, network_interface_name."""
        return _read_object(self.config / "resourceconfig.json")

    def processing_job_config(self) -> Json:
        """The request that made the processing job; empty where the platform wrote none."""
        return _read_object(self.processing_job_file)

    def processing_cluster(self) -> Cluster:
        """The hosts of the processing job; one, where the platform names none."""
        found = _read_object(self.processing_config / "resourceconfig.json")
        hosts = tuple(sorted(map(str, found.get("hosts") or ["algo-1"])))
        current = str(found.get("current_host") or hosts[0])
        if current not in hosts:
            raise DataError(f"resourceconfig.json: {current} is not among {', '.join(hosts)}")
        return Cluster(current, hosts)

    def processing_inputs(self) -> tuple[ProcessingInput, ...]:
        """The inputs of the processing job, as its request describes them."""
        listed = self.processing_job_config().get("ProcessingInputs") or []
        try:
            return tuple(map(self._processing_input, listed))
        except (AttributeError, KeyError, TypeError) as error:
            raise DataError(
                f"processingjobconfig.json: ProcessingInputs cannot be read: {error!r}"
            ) from error

    def write_processing_input(
        self, command: str, inputs: Sequence[ProcessingInput], cluster: Cluster | None = None
    ) -> None:
        """Write the two config files of a processing job, as the platform does.

        Args:
            command: of the image, which is also the job's name.
            inputs: `folder` is below this layout's base.
            cluster: one host where None.
        """
        cluster = cluster or Cluster("algo-1", ("algo-1",))
        write_json(
            self.processing_config / "resourceconfig.json",
            {"current_host": cluster.current, "hosts": list(cluster.hosts)},
        )
        write_json(
            self.processing_job_file,
            {
                "ProcessingJobName": command,
                "AppSpecification": {"ContainerArguments": [command]},
                "ProcessingInputs": [
                    {
                        "InputName": item.name,
                        "AppManaged": False,
                        "S3Input": {
                            "LocalPath": str(PLATFORM_BASE / item.folder.relative_to(self.base)),
                            "S3DataDistributionType": SHARDED if item.sharded else REPLICATED,
                            "S3DataType": "S3Prefix",
                            "S3InputMode": item.mode,
                        },
                    }
                    for item in inputs
                ],
                "ProcessingResources": {"ClusterConfig": {"InstanceCount": len(cluster.hosts)}},
            },
        )

    def write_training_input(
        self, hyperparameters: Mapping[str, object], channels: Mapping[str, str]
    ) -> None:
        """Write the three config files of a one-host training job, as the platform does.

        Args:
            hyperparameters: any values; written as strings.
            channels: content type by channel name.
        """
        self.config.mkdir(parents=True, exist_ok=True)
        write_json(
            self.config / "hyperparameters.json",
            {name: _as_string(value) for name, value in hyperparameters.items()},
        )
        write_json(
            self.config / "inputdataconfig.json",
            {
                name: {
                    "ContentType": content_type,
                    "TrainingInputMode": "File",
                    "S3DistributionType": "FullyReplicated",
                    "RecordWrapperType": "None",
                }
                for name, content_type in channels.items()
            },
        )
        write_json(
            self.config / "resourceconfig.json",
            {
                "current_host": "algo-1",
                "current_instance_type": "local",
                "current_group_name": "homogeneousCluster",
                "hosts": ["algo-1"],
                "instance_groups": [
                    {
                        "instance_group_name": "homogeneousCluster",
                        "instance_type": "local",
                        "hosts": ["algo-1"],
                    }
                ],
                "network_interface_name": "lo",
            },
        )

    def write_failure(self, text: str) -> None:
        """Leave a training job's reason, unless one is there already."""
        if not self.failure.exists():
            self.failure.parent.mkdir(parents=True, exist_ok=True)
            cut = text[:FAILURE_CHARACTERS]
            self.failure.write_text(cut, encoding="utf-8", errors="replace")

    def write_message(self, text: str) -> None:
        """Leave a processing job's exit message: valid UTF-8 also after the cut."""
        self.message.parent.mkdir(parents=True, exist_ok=True)
        # a file name that is no text holds characters that UTF-8 lacks
        cut = text.encode(errors="replace")[:MESSAGE_BYTES].decode(errors="ignore")
        self.message.unlink(missing_ok=True)  # the platform takes a file, not where a link leads
        self.message.write_text(cut, encoding="utf-8")

    def _processing_input(self, value: Json) -> ProcessingInput:
        """One of `ProcessingInputs`: from S3, or from Athena or Redshift."""
        source = value.get("S3Input") or {}
        dataset = value.get("DatasetDefinition") or {}
        spread = source.get("S3DataDistributionType") or dataset.get("DataDistributionType")
        place = source.get("LocalPath") or dataset["LocalPath"]
        mode = source.get("S3InputMode") or dataset.get("InputMode") or "File"
        return ProcessingInput(
            str(value["InputName"]), self._local(place), spread == SHARDED, str(mode)
        )

    def _local(self, place: str) -> Path:
        """A path of the platform's, below this base."""
        path = PurePosixPath(place)
        if not path.is_relative_to(PLATFORM_BASE):
            return Path(path)
        return self.base / path.relative_to(PLATFORM_BASE)


def write_json(path: Path, value: object) -> None:
    """Write indented JSON with a final newline; NaN and infinity are refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> object:
    """Read a JSON file; raises DataError with the file's name where that fails."""
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is not there") from None
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path} is not readable JSON: {error}") from error
    return value


def _read_object(path: Path) -> Json:
    """A JSON object, or an empty one where the platform wrote no such file."""
    if not path.exists():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path} must hold a JSON object")
    return value


def _as_string(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
