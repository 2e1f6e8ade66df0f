"""``pytest benchmarks --benchmark-only``: a group holds a kernel, then its twin."""

from __future__ import annotations

import numpy as np
import pytest

from .cases import BENCHMARKS
from .measure import prepared, threads


@pytest.mark.benchmark(max_time=0.1, min_time=0.000005, min_rounds=3, warmup=True)
@pytest.mark.parametrize("side", ["fastnn", "numpy"])
@pytest.mark.parametrize("number", [1, 2], ids="threads={}".format)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", BENCHMARKS, ids=lambda case: case.label)
def test_kernel(benchmark, case, dtype, number, side):
    benchmark.group = f"{case.label} {dtype}, {number} threads"
    with threads(number):
        call = prepared(case, np.dtype(dtype))[side == "numpy"]
        benchmark(call)
