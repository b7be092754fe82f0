"""How much memory this process may use. Standard library only.

The machine's memory counts only where no cgroup allows less (v2: memory.max; v1:
memory.limit_in_bytes).
"""

from __future__ import annotations

import os
from pathlib import Path

from canarywood.cpus import CGROUP, CGROUP_OF_PROCESS


def available_memory(root: Path = CGROUP, membership: Path = CGROUP_OF_PROCESS) -> int:
    """Bytes: the smallest limit of this process's cgroups, or the machine's memory."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    files = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    for line in _text(membership).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers not in ("", "memory"):
            continue
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        top = root / controllers
        group = top / path.strip().lstrip("/")
        above = [folder for folder in group.parents if folder.is_relative_to(top)]
        files += [folder / name for folder in (group, *above)]
    limits = [int(text) for file in files if (text := _text(file).strip()).isdigit()]
    return min([machine, *limits])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
