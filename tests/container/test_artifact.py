"""Packing, unpacking and checking a model archive."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood.artifact import (
    MANIFEST_FILE,
    MODEL_FILE,
    MOST_MEMBERS,
    SCHEMA_FILE,
    Artifact,
    Manifest,
    digest,
    pack,
    unpack,
)
from canarywood.errors import ArtifactError
from canarywood.schema.definition import plain

MANIFEST = Manifest(
    created="2026-01-01T00:00:00Z",
    canarywood="0.1.0",
    xgboost="3.2.0",
    python="3.11",
    objective="binary:logistic",
    rounds=3,
    features=2,
    outputs=1,
    metrics={"validation-auc": 0.7},
)


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0
) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, link, size
    return found


def archive_of(folder: Path, *members: tarfile.TarInfo) -> Path:
    """An archive with a good member first, so that a late refusal would leave a trace."""
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for item in (member("good", size=4), *members):
            tar.addfile(item, io.BytesIO(b"good"[: item.size]))
    return path


def model_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / MODEL_FILE).write_bytes(b"{booster}")
    plain(2).write(folder / SCHEMA_FILE)
    MANIFEST.write(folder)
    return folder


@pytest.mark.parametrize(
    "bad",
    [
        member("../x"),
        member("a/../../x"),
        member("a/.."),
        member("/abs"),
        member("//abs"),
        member("../model-evil/x"),
        member("..\\x"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.SYMTYPE, "../model-evil"),
        member("link", tarfile.SYMTYPE, "good"),
        member("link", tarfile.LNKTYPE, "good"),
        member("link", tarfile.LNKTYPE, "/etc/passwd"),
        member("device", tarfile.CHRTYPE),
        member("device", tarfile.BLKTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda bad: f"{bad.name}-{bad.linkname}",
)
def test_an_unsafe_member_is_refused_and_nothing_is_written(
    tmp_path: Path, bad: tarfile.TarInfo
) -> None:
    archive = archive_of(tmp_path, bad)
    with pytest.raises(ArtifactError, match="is not safe") as caught:
        unpack(archive, tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]


def test_a_link_and_a_file_through_it_are_refused_together(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, member("d", tarfile.SYMTYPE, str(tmp_path)), member("d/x"))
    with pytest.raises(ArtifactError, match="is a link"):
        unpack(archive, tmp_path / "model")
    assert not (tmp_path / "x").exists()


def test_a_file_is_never_written_through_a_link_that_lies_there(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "good").symlink_to(outside)
    unpack(archive_of(tmp_path), tmp_path / "model")
    assert outside.read_text() == "mine"
    assert (tmp_path / "model" / "good").read_text() == "good"


def test_an_archive_larger_than_the_disk_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    # a header that declares a petabyte, as a bomb does; no data behind it is needed
    head = member("bomb", size=1 << 50)
    path = tmp_path / "model.tar"
    path.write_bytes(head.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ArtifactError, match=r"1,125,899,906,842,624 bytes|not a safe tar archive"):
        unpack(path, tmp_path / "model")
    assert list((tmp_path / "model").glob("*")) == []


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, *(member(str(i)) for i in range(MOST_MEMBERS)))
    with pytest.raises(ArtifactError, match="more than 10,000 files"):
        unpack(archive, tmp_path / "model")


def test_members_with_a_leading_dot_are_unpacked(tmp_path: Path) -> None:
    archive = archive_of(
        tmp_path,
        member(".", tarfile.DIRTYPE),
        member("./xgboost-model", size=3),
        member("./canarywood/schema.json", size=2),
        member("no/folder/before", size=1),
    )
    unpack(archive, tmp_path / "model")
    found = {
        p.relative_to(tmp_path / "model").as_posix(): p for p in (tmp_path / "model").rglob("*")
    }
    assert sorted(name for name, path in found.items() if path.is_file()) == [
        "canarywood/schema.json", "good", "no/folder/before", "xgboost-model",
    ]  # fmt: skip
    assert found["xgboost-model"].read_bytes() == b"goo"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04zip", b"\x1f\x8b\x08\x00broken", b"x" * 2000])
def test_what_is_no_archive_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="is not a safe tar archive") as caught:
        unpack(path, tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_an_archive_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is not there"):
        unpack(tmp_path / "none.tar.gz", tmp_path / "model")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_archive_is_refused_or_read_but_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = archive_of(folder, member("a/b", size=4))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = bytearray(gzip.decompress(content))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        unpack(path, folder / "model")
    except ArtifactError:
        return
    assert {p.name for p in folder.iterdir()} <= {"model.tar.gz", "model"}


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1.tar.gz", tmp_path / "sub" / "2.tar.gz"
    pack(model_folder(tmp_path / "a"), first)
    other = model_folder(tmp_path / "b")
    (other / MODEL_FILE).chmod(0o600)
    pack(other, second)
    assert first.read_bytes() == second.read_bytes()


def test_packed_and_unpacked_a_model_is_as_it_was(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "a")
    pack(folder, tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "b")
    for name in (MODEL_FILE, SCHEMA_FILE, MANIFEST_FILE):
        assert (tmp_path / "b" / name).read_bytes() == (folder / name).read_bytes()
    artifact = Artifact(tmp_path / "b")
    artifact.check()
    assert artifact.schema == plain(2)
    assert artifact.manifest is not None
    assert artifact.manifest.metrics == {"validation-auc": 0.7}
    assert artifact.manifest.sha256[MODEL_FILE] == digest(folder / MODEL_FILE)


def test_a_link_is_packed_as_the_file_behind_it(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (tmp_path / "elsewhere").write_text("booster")
    (folder / MODEL_FILE).symlink_to(tmp_path / "elsewhere")
    pack(folder, tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "b")
    assert not (tmp_path / "b" / MODEL_FILE).is_symlink()
    assert (tmp_path / "b" / MODEL_FILE).read_text() == "booster"


@pytest.mark.parametrize("name", [MODEL_FILE, SCHEMA_FILE])
def test_a_file_that_training_did_not_write_is_found_by_its_digest(
    tmp_path: Path, name: str
) -> None:
    folder = model_folder(tmp_path / "a")
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(ArtifactError, match=f"{name} is not the file that training wrote"):
        Artifact(folder).check()


def test_a_schema_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "a")
    (folder / SCHEMA_FILE).unlink()
    with pytest.raises(ArtifactError, match=r"schema\.json is not the file"):
        Artifact(folder).check()


def test_a_folder_without_a_model_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds nothing"):
        Artifact(tmp_path).check()
    (tmp_path / "model.bin").touch()
    with pytest.raises(ArtifactError, match=r"holds model\.bin"):
        Artifact(tmp_path).check()


def test_an_artifact_of_another_image_has_neither_schema_nor_manifest(tmp_path: Path) -> None:
    (tmp_path / MODEL_FILE).write_bytes(b"{}")
    artifact = Artifact(tmp_path)
    artifact.check()
    assert artifact.schema is None
    assert artifact.manifest is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"created": "x"}', "[" * 100_000, "\xff", json.dumps({
        "created": "", "canarywood": "", "xgboost": "", "python": "", "objective": "",
        "rounds": 1, "features": 1, "outputs": 1, "sha256": "abc"})],
)  # fmt: skip
def test_a_damaged_manifest_is_an_artifact_error(tmp_path: Path, content: str) -> None:
    folder = model_folder(tmp_path / "a")
    (folder / MANIFEST_FILE).write_text(content, encoding="latin-1")
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        Artifact(folder).check()


def test_a_manifest_with_keys_of_a_later_version_is_read(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "a")
    path = folder / MANIFEST_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "later": 1}))
    assert Manifest.read(folder).objective == "binary:logistic"
