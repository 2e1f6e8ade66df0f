"""Threads and the machine: how many threads the kernels use, and what they run on."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from fastnn import _kernels
from fastnn._kernels import _doorway
from fastnn._kernels.threads import MOST_THREADS


def set_num_threads(n: int) -> None:
    """Let the kernels use ``n`` threads from now on.

    The results do not depend on the number of threads.  The default is the number of
    processors that the process may use (``OMP_NUM_THREADS``, affinity and a container's quota
    are respected).  Where there are no POSIX threads the kernels run on one, and so
    they do in a forked child, because threads do not survive a fork.

    Raises:
        TypeError: ``n`` is not an integer.
        ValueError: ``n`` is less than 1.
        RuntimeError: ``n`` is more than 1 in a process that was forked.
    """
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"n must be an integer, got {type(n).__name__}")
    n = n.__index__()
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if n > 1 and _doorway.is_forked():
        raise RuntimeError(
            f"n is {n}, but a forked process runs on one thread: threads do not "
            "survive a fork; start processes with the 'spawn' method to use more"
        )
    _doorway.set_num_threads(min(n, MOST_THREADS))


def get_num_threads() -> int:
    """The number of threads that the kernels may use."""
    return _doorway.get_num_threads()


def peak_gflops(threads: int = 1, dtype: Any = "float32", seconds: float = 0.05) -> float:
    """Measured peak of fused multiply-adds in GFLOP/s, each counted as two operations.

    Args:
        threads: how many threads run the probe side by side.
        dtype: float32 or float64.
        seconds: how long to measure; the best of many short runs counts.
    """
    import numpy as np

    itemsize = np.dtype(dtype).itemsize
    return _doorway.measure_peak(itemsize, threads, seconds) / 1e9


def info() -> dict[str, Any]:
    """What fastnn runs on; measures for about a tenth of a second.

    Returns:
        ``isa`` in use and ``isas_available`` here, ``threads`` in use, ``cpu_count``,
        ``multithreaded`` (whether this build can use threads), ``peak_gflops``
        (float32, on ``threads`` threads) and ``peak_gflops_one_thread``, and the
        versions of ``fastnn``, ``numpy`` and ``python``, with the ``platform``.
    """
    import numpy as np

    import fastnn

    threads = get_num_threads()
    return {
        "isa": _kernels.isa,
        "isas_available": list(_kernels.isas),
        "threads": threads,
        "cpu_count": os.cpu_count(),
        "multithreaded": _doorway.has_threads(),
        "peak_gflops": peak_gflops(threads),
        "peak_gflops_one_thread": peak_gflops(1),
        "fastnn": fastnn.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
    }
