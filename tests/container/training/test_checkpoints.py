from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from canarywood.errors import UserError
from canarywood.training.checkpoints import KEEP, Checkpoint, CheckpointFolder

JOB = {"max_depth": 6, "features": ["a", "b"]}


def at(rounds: int, model: bytes = b"model") -> Checkpoint:
    return Checkpoint(rounds, JOB, model, history={"train": {"auc": [0.5] * rounds}})


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints", JOB, interval=10)


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def test_a_checkpoint_comes_back_as_it_was(folder: CheckpointFolder) -> None:
    written = Checkpoint(10, JOB, b"\x00model", b"best", {"train": {"auc": [0.1, float("nan")]}})
    folder.write(written)

    found = folder.newest()

    assert found is not None
    assert (found.rounds, found.model, found.best, found.job) == (10, b"\x00model", b"best", JOB)
    assert found.history["train"]["auc"][0] == 0.1
    with zipfile.ZipFile(folder.path / "xgboost-checkpoint-0-00000010.zip") as archive:
        assert archive.namelist() == ["state.json", "model.ubj", "best.ubj"]


def test_without_a_folder_there_is_no_checkpoint(folder: CheckpointFolder) -> None:
    assert folder.newest() is None


def test_the_newest_five_are_kept(folder: CheckpointFolder) -> None:
    for rounds in range(10, 101, 10):
        folder.write(at(rounds))

    assert names(folder) == [f"xgboost-checkpoint-0-{n:08d}.zip" for n in (60, 70, 80, 90, 100)]
    assert len(names(folder)) == KEEP


def test_rounds_are_ordered_as_numbers(folder: CheckpointFolder) -> None:
    for rounds in (999_999_990, 99_999_990):
        folder.write(Checkpoint(rounds, JOB, b""))

    found = folder.newest()

    assert found is not None
    assert found.rounds == 999_999_990


def test_what_is_being_uploaded_is_deleted_later(folder: CheckpointFolder) -> None:
    folder.write(at(10))
    folder.write(at(20))
    first, second = (folder.path / f"xgboost-checkpoint-0-000000{n}.zip" for n in (10, 20))
    for path in (first, second):
        path.with_name(path.name + ".sagemaker-uploading").touch()
    second.with_name(second.name + ".sagemaker-uploaded").touch()

    for rounds in range(30, 80, 10):
        folder.write(at(rounds))
    assert first.exists()
    assert not second.exists()

    first.with_name(first.name + ".sagemaker-uploaded").touch()
    folder.write(at(80))
    assert not first.exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "text"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    folder: CheckpointFolder, damage: str
) -> None:
    folder.write(at(10, b"old" * 100))
    folder.write(at(20, b"new" * 100))
    newest = folder.path / "xgboost-checkpoint-0-00000020.zip"
    content = newest.read_bytes()
    middle = content.index(b"newnew")
    newest.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "flipped": content[:middle] + b"X" + content[middle + 1 :],
            "text": b"no zip at all",
        }[damage]
    )

    found = folder.newest()

    assert found is not None
    assert found.model == b"old" * 100


def test_other_files_ranks_and_unfinished_ones_are_left_alone(folder: CheckpointFolder) -> None:
    folder.write(at(10))
    for name in (
        "xgboost-checkpoint-1-00000090.zip",
        "xgboost-checkpoint-0-00000090.zip.sagemaker-ignore",
        "xgboost-checkpoint-0-00000090.zip.sagemaker-uploaded",
        "xgboost-checkpoint_0.ubj",
    ):
        (folder.path / name).write_bytes(at(90).to_bytes())

    found = folder.newest()

    assert found is not None
    assert found.rounds == 10


def test_a_checkpoint_behind_the_end_is_not_taken(folder: CheckpointFolder) -> None:
    folder.write(at(10))
    folder.write(at(20))

    found = folder.newest(at_most=15)

    assert found is not None
    assert found.rounds == 10


def test_a_checkpoint_of_another_job_is_refused_with_what_differs(folder: CheckpointFolder) -> None:
    folder.write(at(10))
    other = CheckpointFolder(folder.path, {**JOB, "max_depth": 3}, interval=10)

    with pytest.raises(UserError) as caught:
        other.newest()

    assert str(caught.value) == (
        "the checkpoint xgboost-checkpoint-0-00000010.zip is of another job: max_depth was 6, "
        "is 3. Give this job an empty checkpoint folder"
    )
