"""The files of a job are all there, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from canarywood.processing.files import JobFiles


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_nothing_has_its_name_before_all_are_published(tmp_path: Path) -> None:
    files = JobFiles()
    for name in ("a/one.txt", "b/two.txt"):
        files.new(tmp_path / name).write_text(name)
    assert names(tmp_path) == ["a/.one.txt.unfinished", "b/.two.txt.unfinished"]
    files.publish()
    assert names(tmp_path) == ["a/one.txt", "b/two.txt"]
    files.discard()
    assert (tmp_path / "a" / "one.txt").read_text() == "a/one.txt"


def test_what_is_discarded_leaves_no_trace(tmp_path: Path) -> None:
    files = JobFiles()
    files.new(tmp_path / "one.txt").write_text("half")
    files.new(tmp_path / "two.txt")  # never written
    scratch = files.scratch()
    (scratch / "big").touch()
    files.discard()
    assert names(tmp_path) == []
    assert not scratch.exists()


def test_a_file_that_cannot_be_published_takes_the_others_back(tmp_path: Path) -> None:
    files = JobFiles()
    for name in ("one.txt", "two.txt"):
        files.new(tmp_path / name).write_text(name)
    (tmp_path / "two.txt").mkdir()
    with pytest.raises(OSError, match=r"two\.txt"):
        files.publish()
    files.discard()
    assert names(tmp_path) == ["two.txt"]


def test_a_link_in_the_place_becomes_a_real_file_and_its_target_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("mine")
    place = tmp_path / "out" / "one.txt"
    place.parent.mkdir()
    place.symlink_to(elsewhere)
    files = JobFiles()
    files.new(place).write_text("result")
    files.publish()
    assert (place.is_symlink(), place.read_text(), elsewhere.read_text()) == (
        False,
        "result",
        "mine",
    )


def test_a_hidden_file_of_a_killed_job_is_written_anew(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("mine")
    (tmp_path / ".one.txt.unfinished").symlink_to(elsewhere)
    JobFiles().new(tmp_path / "one.txt").write_text("new")
    assert elsewhere.read_text() == "mine"
