"""What a result says of where and when it was measured."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

Row = dict[str, Any]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def machine() -> Row:
    """Processor, cores and the instruction set that fastnn uses on it."""
    from fastnn.runtime import info

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "instruction_set": info()["isa"],
    }


def versions(*packages: str) -> Row:
    """Those of Python, NumPy, its BLAS, fastnn, and of the packages that are installed."""
    from fastnn import __version__

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found: Row = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "fastnn": __version__,
    }
    return {**found, **{package: _version(package) for package in packages}}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def blas_kernel() -> str:
    """Which of its kernels NumPy's BLAS has picked for this processor."""
    return next(
        (
            each.get("architecture", "unknown")
            for each in threadpool_info()
            if each["user_api"] == "blas" and "numpy" in each["filepath"]
        ),
        "unknown",
    )


def today() -> str:
    """The date, in UTC."""
    return datetime.now(timezone.utc).date().isoformat()
