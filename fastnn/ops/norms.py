"""Rows of the norms of numpy.linalg, of vectors and of matrices, of every order."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.factorizations import singular_values
from fastnn.ops.op import Op, implements, plain
from fastnn.ops.shapes import axes_of, merged


def _norm_backward(g: Any, y: Any, x: Any, order: Any, axis: Any, keepdims: bool) -> Any:
    if axis is not None and not keepdims:
        g, y = np.expand_dims(g, axis), np.expand_dims(y, axis)
    # At the origin, where the slope is undefined, 0 as for abs.
    y = np.where(y == 0, 1, y)
    if order == 2:
        return g * (x / y)
    return g * np.sign(x) * (np.abs(x) / y) ** (order - 1)


# Arguments: x, the order p, one axis, several or None, and keepdims; (sum |x|**p)**(1/p).
norm = Op(
    "norm",
    lambda x, order, axis, keep: np.linalg.norm(
        x, None if order == 2 else order, axis, keepdims=keep
    ),
    _norm_backward,
)


@implements(np.linalg.norm)
def numpy_norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As ``numpy.linalg.norm``, of every order."""
    if ord is None:
        return norm(x, 2, axis, keepdims)
    if axis is None:
        if x.ndim not in (1, 2):
            raise ValueError(f"norm of order {ord} wants 1 or 2 axes, got shape {x.shape}")
        axis = tuple(range(x.ndim))
    axes = axes_of(axis, x.ndim)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    if len(axes) != 1:
        raise ValueError(f"norm of order {ord} wants 1 or 2 axes, got {axis}")
    return _vector_norm(x, ord, axes[0], keepdims)


def _vector_norm(x: Any, order: Any, axis: int, keepdims: bool) -> Any:
    if order == 0:
        return np.linalg.norm(plain(x), 0, axis, keepdims)
    if order in (np.inf, -np.inf):
        extreme = np.max if order > 0 else np.min
        return extreme(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"norm of order {order!r} wants 2 axes, got 1")
    return norm(x, order, axis, keepdims)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    rows, columns = axes
    if order in ("fro", "f"):
        return norm(x, 2, axes, keepdims)
    if order in (1, -1, np.inf, -np.inf):
        over, then = (rows, columns) if abs(order) == 1 else (columns, rows)
        extreme = np.max if order > 0 else np.min
        found = extreme(np.sum(np.abs(x), axis=over, keepdims=True), axis=then, keepdims=True)
    elif order in (2, -2, "nuc"):
        s = singular_values(np.moveaxis(x, axes, (-2, -1)))
        total = np.sum if order == "nuc" else np.max if order == 2 else np.min
        found = np.expand_dims(total(s, axis=-1), axes)
    else:
        raise ValueError(f"norm: there is no matrix norm of order {order!r}")
    return found if keepdims else np.squeeze(found, axes)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """As ``numpy.linalg.vector_norm``."""
    if axis is None:
        flat = _vector_norm(np.reshape(x, -1), ord, 0, False)
        return np.reshape(flat, (1,) * x.ndim) if keepdims else flat
    axes = axes_of(axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    found = _vector_norm(merged(x, axes)[0], ord, -1, False)
    return np.expand_dims(found, axes) if keepdims else found


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """As ``numpy.linalg.matrix_norm``."""
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)
