"""What a process may use: a container's quota counts, in control groups of both versions, at every level above it."""

import os

import pytest

from course_utils import machine

GIGABYTE = 10**9
NO_LIMIT = str(2**63 - 4096)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Write a tree of control groups: the lines of /proc/self/cgroup, then {file: content}."""

    def write(own, files):
        (tmp_path / "own").write_text(own, encoding="utf-8")
        for name, content in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n", encoding="ascii")

    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "_OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "groups").mkdir()
    write("0::/\n", {})
    return write


def test_without_limits_the_machine_counts(groups):
    assert machine.cores() == 8
    total, available = machine.memory_gb()
    assert 0 < available <= total
    groups("0::/user.slice\n", {"user.slice/cpu.max": "max 100000", "user.slice/memory.max": "max"})
    assert machine.cores() == 8
    assert machine.memory_gb()[0] == total


@pytest.mark.parametrize(
    "quota, cores", [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8)]
)
def test_processor_quota_of_version_2(groups, quota, cores):
    groups("0::/\n", {"cpu.max": quota})
    assert machine.cores() == cores


def test_processor_quota_of_version_1(groups):
    own = "5:cpu,cpuacct:/docker/12\n4:memory:/docker/12\n"
    files = {"cpu/docker/12/cpu.cfs_quota_us": "300000", "cpu/docker/12/cpu.cfs_period_us": "100000"}
    groups(own, files)
    assert machine.cores() == 3
    groups(own, {"cpu/docker/12/cpu.cfs_quota_us": "-1"})
    assert machine.cores() == 8


def test_memory_limit_of_version_2(groups):
    groups("0::/\n", {"memory.max": str(GIGABYTE // 2), "memory.current": str(GIGABYTE // 8)})
    assert machine.memory_gb() == (0.5, 0.375)


def test_memory_limit_of_version_1(groups):
    own = "4:memory:/docker/12\n"
    files = {
        "memory/docker/12/memory.limit_in_bytes": str(GIGABYTE),
        "memory/docker/12/memory.usage_in_bytes": "0",
    }
    groups(own, files)
    assert machine.memory_gb()[0] == 1
    groups(own, {"memory/docker/12/memory.limit_in_bytes": NO_LIMIT})
    assert machine.memory_gb()[0] > 1


def test_a_group_above_has_the_tighter_limit(groups):
    """Slurm and systemd limit the job, not the step inside it."""
    files = {
        "job/cpu.max": "100000 100000",
        "job/memory.max": str(GIGABYTE // 2),
        "job/memory.current": "0",
        "job/step/cpu.max": "max 100000",
        "job/step/memory.max": str(GIGABYTE),
        "job/step/memory.current": "0",
    }
    groups("0::/job/step\n", files)
    assert machine.cores() == 1
    assert machine.memory_gb()[0] == 0.5


def test_inside_a_container_the_path_may_be_the_hosts(groups):
    """/proc/self/cgroup names a folder that is not mounted here; the root of what is mounted is the container's."""
    files = {"cpu.max": "100000 100000", "memory.max": str(GIGABYTE // 2), "memory.current": "0"}
    groups("0::/kubepods/burstable/pod12\n", files)
    assert machine.cores() == 1 and machine.memory_gb()[0] == 0.5
    groups("4:memory:/kubepods/pod12\n3:cpu,cpuacct:/kubepods/pod12\n", {"cpu/cpu.cfs_quota_us": "200000"})
    groups("3:cpu,cpuacct:/kubepods/pod12\n", {"cpu/cpu.cfs_period_us": "100000", "cpu.max": "max 100000"})
    assert machine.cores() == 2


def test_more_used_than_granted_leaves_nothing(groups):
    groups("0::/\n", {"memory.max": str(GIGABYTE), "memory.current": str(2 * GIGABYTE)})
    assert machine.memory_gb()[1] == 0


def test_without_psutil_the_limit_counts_too(groups, monkeypatch):
    """The door asks before anything is installed."""
    monkeypatch.setitem(__import__("sys").modules, "psutil", None)
    groups("0::/\n", {"memory.max": str(GIGABYTE // 2), "memory.current": "0"})
    total, _ = machine.memory_gb()
    assert total in (0.5, None)
    assert (total is None) == (not hasattr(os, "sysconf"))


def test_damaged_files_are_no_limit(groups):
    groups("0::/\n", {"cpu.max": "", "memory.max": "", "memory.current": "x"})
    assert machine.cores() == 8 and machine.memory_gb()[0] > 0


def test_peak_memory_of_this_and_of_another_process():
    assert 0.01 < machine.peak_memory_gb() < 100
    assert machine.peak_memory_gb(os.getppid()) > 0
