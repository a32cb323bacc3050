"""What this process may use of the machine: cores and memory, also in a container, and what it has used.

A container sees all of the machine's cores and memory, but its control group may grant less; what counts is what is
granted. Standard library only (psutil where it is there): the door asks before anything is installed.
"""

import os
import sys
from pathlib import Path

GIGABYTE = 1e9  # bytes; decimal, so that numbers are the same on every system
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def cores() -> int:
    """Return how many cores this process may keep busy: affinity and a container's quota count, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:  # macOS, Windows
        count = os.cpu_count() or 1
    quota = _quota()
    return count if quota is None else max(1, min(count, int(quota + 0.5)))


def memory_gb() -> tuple:
    """Return (total, available) in units of 1e9 bytes as this process may use them; (None, None) if nothing is known."""
    try:
        import psutil

        memory = psutil.virtual_memory()
        total, available = memory.total, memory.available
    except ImportError:
        try:
            page = os.sysconf("SC_PAGE_SIZE")
            total, available = os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
        except (AttributeError, ValueError, OSError):
            return None, None
    for limit, used in _memory_limits():
        total, available = min(total, limit), min(available, max(0, limit - used))
    return total / GIGABYTE, available / GIGABYTE


def peak_memory_gb(process_id=None) -> float:
    """Return the most memory that a process has had resident so far, in units of 1e9 bytes.

    Linux: the kernel's high-water mark of this process, VmHWM. (`ru_maxrss` would not do there: a child process
    inherits the parent's, and a tiny child of a large parent reported 713 MB.) Windows: the peak working set;
    macOS: `ru_maxrss`, which counts bytes there; elsewhere what is resident now, a lower bound.

    Args:
        process_id: another process than this one.

    Raises:
        OSError, psutil.Error: there is no such process.
    """
    if sys.platform == "linux":
        status = Path(f"/proc/{process_id or 'self'}/status").read_text(encoding="utf-8")
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / GIGABYTE  # "VmHWM:  589000 kB", kB of 1024 bytes
    if sys.platform == "darwin" and process_id is None:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIGABYTE
    import psutil

    memory = psutil.Process(process_id).memory_info()
    return getattr(memory, "peak_wset", memory.rss) / GIGABYTE


def _quota():
    """Cores' worth of processor time that the control groups grant; None without a limit."""
    grants = []
    for folder in _group_folders(""):  # version 2: "50000 100000" or "max 100000", microseconds
        words = _words(folder / "cpu.max")
        if len(words) == 2 and words[0] != "max":
            grants.append(float(words[0]) / float(words[1]))
    for folder in _group_folders("cpu"):  # version 1: -1 without a limit
        quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
        if quota and period and float(quota[0]) > 0:
            grants.append(float(quota[0]) / float(period[0]))
    return min(grants, default=None)


def _memory_limits():
    """Yield (limit, used) in bytes of every control group above this process that has a limit."""
    names = (
        ("", "memory.max", "memory.current"),  # version 2; "max" without a limit
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),  # version 1; about 2**63 without one
    )
    for controller, limit_name, used_name in names:
        for folder in _group_folders(controller):
            limit, used = _words(folder / limit_name), _words(folder / used_name)
            if limit and used and limit[0].isdigit() and int(limit[0]) < 2**60:
                yield int(limit[0]), int(used[0])


def _group_folders(controller: str) -> list:
    """Return the folders of this process's control group and of those above it; "" is version 2's single tree."""
    try:
        lines = _OWN_GROUP.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return []
    own = "/"
    for line in lines:  # "0::/user.slice" in version 2, "5:cpu,cpuacct:/docker/1234" in version 1
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") or controllers == controller:
            own = path
    root = _GROUPS / controller if controller else _GROUPS
    places = [root / own.strip("/"), *(root / own.strip("/")).parents]
    # Inside a container the path may be the host's, which does not exist here: then the root alone speaks.
    return [place for place in places if place.is_dir() and (place == root or root in place.parents)]


def _words(path: Path) -> list:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []


memory_gigabytes = (
    memory_gb  # its name in version 0.1, which a learner's copy of chapter 9 calls; for one release
)
