"""Rows made of matrix multiplies: ``a @ b`` and the linear layer's ``x @ W + b``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _kernels as k
from fastnn.ops.op import Op

_KERNEL_DTYPES = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


def _matmul(a: Any, b: Any) -> Any:
    """a @ b, by the kernel when it can: both 2-D and of one float dtype."""
    if getattr(a, "ndim", 0) == 2 == getattr(b, "ndim", 0):
        dtype = a.dtype
        if dtype == b.dtype and dtype in _KERNEL_DTYPES:
            return k.matmul(a, b)
    return np.matmul(a, b)


def _transposed(a: Any) -> Any:
    return a.T if a.ndim == 2 else np.swapaxes(a, -1, -2)


def _matmul_by_a(g: Any, _y: Any, _a: Any, b: Any) -> Any:
    if b.ndim == 1:  # y[..., m] = sum over k of a[..., m, k] b[k]
        return g[..., None] * b
    if _a.ndim == 1:  # y[..., n] = sum over k of a[k] b[..., k, n]
        return matmul(b, g[..., None])[..., 0]
    return matmul(g, _transposed(b))


def _matmul_by_b(g: Any, _y: Any, a: Any, _b: Any) -> Any:
    if _b.ndim == 1 and a.ndim > 1:
        return a * g[..., None]
    if a.ndim == 1:
        return g[..., None, :] * a[:, None] if _b.ndim > 1 else g * a
    return matmul(_transposed(a), g)


matmul: Op = Op("matmul", _matmul, _matmul_by_a, _matmul_by_b, broadcasts=True)


def one_dtype(*arrays: Any) -> tuple[Any, ...]:
    """The arrays in the dtype that NumPy promotes them to: kernels refuse a mixture."""
    dtype = np.result_type(*(array for array in arrays if array is not None))
    return tuple(None if array is None else array.astype(dtype, copy=False) for array in arrays)


def _linear(x: Any, W: Any, b: Any) -> Any:
    if x.dtype is not W.dtype:
        x, W, b = one_dtype(x, W, b)
    return k.linear(x, W, b)


def _linear_backward(g: Any, _y: Any, needs: Any, x: Any, W: Any, _b: Any) -> Any:
    wanted = [None if need else False for need in needs]
    if not (g.dtype is x.dtype is W.dtype):
        g, x, W = one_dtype(g, x, W)
    return k.linear_backward(g, x, W, *wanted)


# Arguments: x (N, D), W (D, C) and b (C,) or None.
linear = Op(
    "linear",
    _linear,
    lambda g, _y, _x, W, _b: matmul(g, W.T),
    lambda g, _y, x, _W, _b: matmul(x.T, g),
    lambda g, _y, _x, _W, _b: np.sum(g, axis=0),
    joint=_linear_backward,
)
