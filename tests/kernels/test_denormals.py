"""Running means of gradients that have become zero: they end at zero, and not denormal for ever."""

from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np
import pytest

from fastnn import _kernels as k

Update = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], object]

# Each with (w, g, m, v), of which m is the running mean that shrinks.
UPDATES: dict[str, Update] = {
    "sgd": lambda w, g, m, v: k.sgd_update(w, g, 0.1, 0.9, velocity=m),
    "nesterov": lambda w, g, m, v: k.sgd_update(w, g, 0.1, 0.9, True, velocity=m),
    "adam": lambda w, g, m, v: k.adam_update(w, g, m, v, 1, 1e-3),
    "rmsprop": lambda w, g, m, v: k.rmsprop_update(w, g, v, 1e-2, momentum=0.9, velocity=m),
}


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"),
    reason="other processors take no longer for denormal numbers, and keep them",
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UPDATES)
def test_a_mean_of_zeros_ends_at_zero(name: str, dtype: str) -> None:
    tiny = np.finfo(dtype).tiny
    w, v = np.ones(100, dtype), np.ones(100, dtype)
    g = np.zeros(100, dtype)
    m = np.full(100, 1.05 * tiny, dtype)
    UPDATES[name](w, g, m, v)
    np.testing.assert_array_equal(m, 0)
    np.testing.assert_array_equal(w, 1)


@pytest.mark.parametrize("name", UPDATES)
def test_numpy_keeps_its_denormal_numbers(name: str) -> None:
    w, g, m, v = np.ones((4, 100_000), np.float32)
    UPDATES[name](w, g, m, v)
    assert np.float32(1e-38) * np.float32(0.1) > 0
    assert (np.full(100, 1e-38, np.float32) * np.float32(0.1)).min() > 0
    small = np.full((3, 3), 1e-20, np.float32)
    assert k.matmul(small, small).min() > 0
