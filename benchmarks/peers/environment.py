"""Two threads for every library: set before any of them is loaded."""

from __future__ import annotations

import os
from pathlib import Path

THREADS = 2

# A forced BLAS kernel makes NumPy slower than it is; a number of threads is set below.
_FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
_NUMBERS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


def threads_of(quick: bool) -> int:
    """How many threads each side gets; one where nothing is measured, which nobody waits for."""
    return 1 if quick else THREADS


def prepare() -> None:
    """Run on two cores, with two threads; JAX counts the processors that it may use."""
    for name in _FORCED:
        os.environ.pop(name, None)
    for name in _NUMBERS:
        os.environ[name] = str(THREADS)
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _two_cores(sorted(os.sched_getaffinity(0))))


def _two_cores(processors: list[int]) -> list[int]:
    """Two processors that do not share a core, where there are such."""
    chosen: list[int] = []
    taken: set[str] = set()
    for each in processors:
        siblings = Path(f"/sys/devices/system/cpu/cpu{each}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.exists() else str(each)
        if core not in taken:
            taken.add(core)
            chosen.append(each)
    return (chosen if len(chosen) >= THREADS else processors)[:THREADS]
