"""Maxima of 2x2 windows side by side, which have a path of their own, against the twin."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import _kernels as k
from fastnn._kernels import reference

WIDTHS = [2, 3, 7, 8, 14, 15, 16, 17, 28, 31, 32, 33, 40, 64, 67]
VALUES = np.array([-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan])  # with many ties


def assert_same_bits(one: np.ndarray, two: np.ndarray) -> None:
    """Zeros with their signs; NaN has none that means anything."""
    np.testing.assert_array_equal(one, two)
    numbers = ~np.isnan(one)
    np.testing.assert_array_equal(np.signbit(one[numbers]), np.signbit(two[numbers]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", [2, 3, 6, 7])
def test_as_the_twin(height: int, width: int, dtype: str) -> None:
    """Rows of fewer windows than lanes, odd sizes, windows of NaN and of nothing but -inf."""
    rng = np.random.default_rng(height * 100 + width)
    x = rng.choice(VALUES, (3, 5, height, width)).astype(dtype)
    x[0, 0] = -np.inf
    window = (2, 2, 2, 2, 0, 0)
    out = k.max_pool2d(x, *window)
    np.testing.assert_array_equal(out, reference.max_pool2d(x, *window))  # NumPy takes either zero
    dout = rng.choice(VALUES, out.shape).astype(dtype)
    dx = k.max_pool2d_backward(dout, x, *window)
    assert_same_bits(dx, reference.max_pool2d_backward(dout, x, *window))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_nan_wins_and_the_first_of_equals_gets_the_gradient(
    place: tuple[int, int], dtype: str
) -> None:
    x = np.ones((1, 1, 4, 40), dtype)
    x[..., 2 + place[0], 38 + place[1]] = np.nan
    window = (2, 2, 2, 2, 0, 0)
    assert np.isnan(k.max_pool2d(x, *window)[0, 0, 1, 19])
    wanted = np.zeros_like(x)
    wanted[..., ::2, ::2] = 3
    wanted[..., 2, 38] = 0
    wanted[..., 2 + place[0], 38 + place[1]] = 3
    dx = k.max_pool2d_backward(np.full((1, 1, 2, 20), 3, dtype), x, *window)
    np.testing.assert_array_equal(dx, wanted)


def test_threads_and_many_planes_give_the_same_bits() -> None:
    """A task is some whole planes, the last one fewer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((37, 11, 14, 14)).astype(np.float32)
    window = (2, 2, 2, 2, 0, 0)
    dout = rng.standard_normal((37, 11, 7, 7)).astype(np.float32)
    assert_same_bits(k.max_pool2d(x, *window), reference.max_pool2d(x, *window))
    dx = k.max_pool2d_backward(dout, x, *window)
    assert_same_bits(dx, reference.max_pool2d_backward(dout, x, *window))
