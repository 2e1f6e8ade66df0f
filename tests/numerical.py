"""Gradients of the graph against central differences in float64.

Simpler than ``fastnn.check_gradients``, and no part of it: every number, and no kinks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import Tensor, numerical_gradient


def check_gradients(f: Callable[..., Any], *args: np.ndarray) -> None:
    """Hold backward() through f to numerical differences, for every argument.

    f takes Tensors and returns one of any shape; a fixed random projection makes a
    number of it.  Only one argument at a time needs a gradient, then all at once.
    """
    args = tuple(np.asarray(each, np.float64) for each in args)
    shape = f(*map(Tensor, args)).shape
    projection = np.asarray(np.random.default_rng(7).uniform(0.5, 1.5, shape))

    def number(*arrays: np.ndarray) -> float:
        return float(np.sum(f(*map(Tensor, arrays)).data * projection))

    expected = numerical_gradient(lambda given: number(*given), args)
    for position in range(len(args)):
        tensors = [Tensor(a, requires_grad=i == position) for i, a in enumerate(args)]
        f(*tensors).backward(projection)
        assert all(t.grad is None for t in tensors if not t.requires_grad)
        _assert_close(tensors[position], expected[position])
    tensors = [Tensor(a, requires_grad=True) for a in args]
    f(*tensors).backward(projection)
    for tensor, wanted in zip(tensors, expected, strict=True):
        _assert_close(tensor, wanted)


def _assert_close(tensor: Tensor, expected: np.ndarray) -> None:
    assert tensor.grad is not None
    assert tensor.grad.shape == tensor.shape
    assert tensor.grad.dtype == tensor.dtype
    np.testing.assert_allclose(tensor.grad, expected, rtol=1e-6, atol=1e-7)
