from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from canarywood.errors import SettingsError
from canarywood.serving.memory import available_memory
from canarywood.serving.plan import Run, make_plan, worker_count
from canarywood.serving.processes import unprivileged_identity

GIB = 1024**3


@pytest.mark.parametrize(
    ("cpus", "threads", "memory", "expected"),
    [
        (1, 1, 64 * GIB, 1),
        (4, 1, 64 * GIB, 4),
        (4, 2, 64 * GIB, 2),
        (2, 4, 64 * GIB, 1),
        (8, 1, GIB, 1),
        (8, 1, 3 * GIB, 3),
        (8, 1, GIB // 2, 1),
    ],
)
def test_workers_fit_the_cpus_and_the_memory(
    cpus: int, threads: int, memory: int, expected: int
) -> None:
    assert worker_count(cpus, threads, memory) == expected


def test_a_set_number_of_workers_counts() -> None:
    plan = make_plan({"MODEL_SERVER_WORKERS": "7", "CANARYWOOD_THREADS": "2"}, Run(Path("/x")))
    assert (plan.workers, plan.slots) == (7, 14)


def test_threads_are_enough_to_predict_wait_and_refuse() -> None:
    environment = {"CANARYWOOD_THREADS": "2", "SAGEMAKER_MODEL_JOB_QUEUE_SIZE": "10"}
    plan = make_plan(environment, Run(Path("/x")))
    assert plan.threads_per_worker == 16


def test_a_folder_too_long_for_a_socket_is_told() -> None:
    Run(Path("/tmp/canarywood-abc")).check()  # noqa: S108 - only a name
    with pytest.raises(SettingsError, match="TMPDIR"):
        Run(Path("/" + "x" * 100)).check()


def test_memory_is_the_smallest_limit_of_the_own_groups(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/a/b\n")
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (tmp_path / "a" / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("2000000\n")
    assert available_memory(tmp_path, membership) == 1_000_000


def test_memory_of_cgroup_v1(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/job\n1:cpu:/job\n")
    group = tmp_path / "memory" / "job"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("5000000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert available_memory(tmp_path, membership) == 5_000_000


def test_without_a_cgroup_the_machine_counts(tmp_path: Path) -> None:
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert available_memory(tmp_path, tmp_path / "none") == pages


def status_file(tmp_path: Path, effective: str) -> Path:
    path = tmp_path / "status"
    path.write_text(f"Name:\tpython\nCapEff:\t{effective}\n")
    return path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its user")
def test_root_with_capabilities_becomes_the_first_user_that_exists(tmp_path: Path) -> None:
    status = status_file(tmp_path, "000001ffffffffff")
    found = unprivileged_identity(status, ["no-such-user", "root"], [])
    assert found is not None
    assert (found.name, found.group, found.uid) == ("root", "root", pwd.getpwnam("root").pw_uid)


def test_without_the_capabilities_nobody_changes_the_user(tmp_path: Path) -> None:
    assert unprivileged_identity(status_file(tmp_path, "0000000000000000")) is None
    only_some = f"{1 << 6 | 1 << 7:016x}"
    assert unprivileged_identity(status_file(tmp_path, only_some)) is None


def test_without_a_user_to_become_root_stays(tmp_path: Path) -> None:
    status = status_file(tmp_path, "000001ffffffffff")
    assert unprivileged_identity(status, ["no-such-user"], []) is None


def test_a_program_that_others_cannot_read_keeps_its_user(tmp_path: Path) -> None:
    status = status_file(tmp_path, "000001ffffffffff")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "os.py").touch()
    assert unprivileged_identity(status, ["root"], [str(hidden / "os.py")]) is None


def test_the_worker_is_chosen_by_setting_and_never_ours_without_nginx() -> None:
    def chosen(**environment: str) -> str:
        return make_plan(environment, Run(Path("/run/x"))).worker_class

    ours = "canarywood.serving.worker.LoopWorker"
    assert chosen(CANARYWOOD_WORKER="loop") == ours
    assert chosen(CANARYWOOD_WORKER="threads") == "canarywood.serving.threads.ThreadsWorker"
    assert (
        chosen(CANARYWOOD_WORKER="loop", SAGEMAKER_USE_NGINX="false")
        == "canarywood.serving.threads.ThreadsWorker"
    )
