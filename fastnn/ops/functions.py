"""NumPy's functions on Tensors: each adapts NumPy's signature to a row of the table.

Arguments that a row does not take (``out``, ``dtype``, ``where``) are not in the
signatures, so that Python refuses them with an error that names the function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.ops import products, reductions, shapes
from fastnn.ops.elementwise import multiply


def sum(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.sum``."""
    return reductions.sum(a, axis, keepdims)


def mean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.mean``."""
    return reductions.mean(a, axis, keepdims)


def max(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.max``."""
    return reductions.max(a, axis, keepdims)


def reshape(a: Any, /, shape: Any) -> Any:
    """As ``numpy.reshape``, in C order."""
    return shapes.reshape(a, shape)


def transpose(a: Any, axes: Any = None) -> Any:
    """As ``numpy.transpose``."""
    return shapes.transpose(a, axes)


def dot(a: Any, b: Any) -> Any:
    """As ``numpy.dot``, of scalars, vectors and matrices."""
    dimensions = np.ndim(a), np.ndim(b)
    if 0 in dimensions:
        return multiply(a, b)
    if dimensions[0] > 2 or dimensions[1] > 2:
        raise TypeError(
            f"np.dot of a {dimensions[0]}-D with a {dimensions[1]}-D array is not "
            "supported on a fastnn Tensor: use np.matmul"
        )
    return products.matmul(a, b)


FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.sum: sum,
    np.mean: mean,
    np.max: max,
    np.amax: max,
    np.reshape: reshape,
    np.transpose: transpose,
    np.dot: dot,
}

# Functions whose result carries no gradient: plain values come out.
UNDIFFERENTIATED_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
    {
        np.shape, np.ndim, np.size, np.argmax, np.argmin, np.zeros_like, np.ones_like,
        np.empty_like, np.full_like, np.allclose, np.isclose, np.array_equal,
    }
)  # fmt: skip
