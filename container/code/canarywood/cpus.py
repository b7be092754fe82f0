"""How many CPUs this process may use. Standard library only.

`os.cpu_count()` counts the machine's; a container sees all of them and gets a share. The share is
the smaller of the affinity mask and the cgroup's quota (v2: cpu.max; v1: cpu.cfs_quota_us).
"""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CGROUP_OF_PROCESS = Path("/proc/self/cgroup")


def available_cpus(root: Path = CGROUP, membership: Path = CGROUP_OF_PROCESS) -> int:
    """Whole CPUs for this process, at least 1; a quota of 1.5 CPUs counts as 1."""
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quotas = [quota for folder in _folders(root, membership) if (quota := _quota(folder))]
    return max(1, min([allowed, *(int(quota) for quota in quotas)]))


def _folders(root: Path, membership: Path) -> list[Path]:
    """The cgroup folders that can limit this process: its own and every one above it.

    Inside a container the root of the mount is its own group; outside, the group's path counts.
    """
    folders = [root, root / "cpu", root / "cpu,cpuacct"]
    for line in (_text(membership) or "").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "cpu" if controllers else root
        group = top / path.strip().lstrip("/")
        folders += [folder for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return list(dict.fromkeys(folders))


def _quota(folder: Path) -> float | None:
    """CPUs that this group may use, or None where it sets no limit."""
    words = (_text(folder / "cpu.max") or "").split()  # v2: "150000 100000" or "max 100000"
    if not words:
        words = [
            _text(folder / "cpu.cfs_quota_us") or "",  # v1: -1 is no limit
            _text(folder / "cpu.cfs_period_us") or "",
        ]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:
        return None
    return quota / period if quota > 0 and period > 0 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
