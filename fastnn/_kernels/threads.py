"""How many threads the kernels use unless told otherwise."""

from __future__ import annotations

import os

MOST_THREADS = 1024


def _words(path: str) -> list[str]:
    """The words of a small file; none where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().split()
    except OSError:
        return []


def _cgroup_quota() -> float | None:
    """The processors that the container may use, or None where it has no limit."""
    cgroups = "/sys/fs/cgroup"
    limit = _words(f"{cgroups}/cpu.max") or [
        *_words(f"{cgroups}/cpu/cpu.cfs_quota_us"),
        *_words(f"{cgroups}/cpu/cpu.cfs_period_us"),
    ]
    if len(limit) != 2 or not limit[0].isdecimal():
        return None
    return int(limit[0]) / int(limit[1])


def _processors() -> int:
    """The processors that this process may use: affinity and container quota respected."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = _cgroup_quota()
    return count if quota is None else max(1, min(count, int(quota)))


def default_threads() -> int:
    """``OMP_NUM_THREADS`` where it is a number from 1 on, else the processors."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    threads = int(wanted) if wanted.isdecimal() and wanted.isascii() else 0
    return min(threads or _processors(), MOST_THREADS)
