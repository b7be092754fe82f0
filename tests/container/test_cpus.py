from __future__ import annotations

import os
from pathlib import Path

import pytest

from canarywood.cpus import available_cpus

MINE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def cpus(root: Path, membership: str = "0::/\n") -> int:
    (root / "membership").write_text(membership)
    return available_cpus(root, root / "membership")


def test_no_cgroup_leaves_the_affinity_mask(tmp_path: Path) -> None:
    assert available_cpus(tmp_path / "none", tmp_path / "none") == MINE


@pytest.mark.parametrize(
    ("text", "count"),
    [("100000 100000\n", 1), ("150000 100000\n", 1), ("20000 100000\n", 1), ("max 100000\n", MINE)],
)
def test_version_2_quota_limits(tmp_path: Path, text: str, count: int) -> None:
    (tmp_path / "cpu.max").write_text(text)

    assert cpus(tmp_path) == count


def test_a_quota_above_the_affinity_mask_gives_no_more_cpus(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("99900000 100000\n")

    assert cpus(tmp_path) == MINE


@pytest.mark.parametrize(("quota", "count"), [("100000", 1), ("-1", MINE)])
def test_version_1_quota_limits(tmp_path: Path, quota: str, count: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")

    assert cpus(tmp_path, "3:cpu,cpuacct:/\n") == count


def test_a_group_above_ours_limits_too(tmp_path: Path) -> None:
    (tmp_path / "job" / "step").mkdir(parents=True)
    (tmp_path / "job" / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "job" / "step" / "cpu.max").write_text("max 100000\n")

    assert cpus(tmp_path, "0::/job/step\n") == 1
