"""Rows that read and write at an index, of any kind that NumPy knows.

Reading is the gather and its derivative the scatter, which adds where an index repeats;
the derivative of the scatter is the gather again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from fastnn.ops.op import Op, as_array, implements, plain, sum_to, zeros


def plain_index(index: Any) -> Any:
    """The index with arrays in the place of Tensors."""
    if isinstance(index, tuple):
        return tuple(plain(part) for part in index)
    return plain(index)


def _is_basic(index: Any) -> bool:
    """True for an index that selects every element at most once, as a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer))
        for part in parts
    )


def _scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    x = zeros(shape, g)
    if _is_basic(index):
        x[index] = g
    else:
        np.add.at(x, index, g)
    return x


# Arguments: x, and the index.
getitem = Op(
    "getitem",
    lambda x, index: x[index],
    lambda g, _y, _x, index: scatter(g, index, _x.shape),
)

# Arguments: g, an index, and the shape of the zeros to which g is added at the index.
scatter: Op = Op("scatter", _scatter, lambda h, _y, _g, index, _shape: h[index])


def _assigned(x: Any, index: Any, value: Any) -> Any:
    y = x.copy()
    y[index] = value
    return y


# Of elements that are assigned twice NumPy keeps one, so only that one gets a gradient.
def _value_backward(g: Any, _y: Any, _x: Any, index: Any, _value: Any) -> Any:
    part = g[index]
    if not _is_basic(index):
        numbers = np.arange(part.size).reshape(part.shape)
        winner = np.zeros(_x.shape, numbers.dtype)
        winner[index] = numbers
        part = part * (winner[index] == numbers)
    return part if part.shape == np.shape(_value) else sum_to(part, np.shape(_value))


# Arguments: x, an index, and the value that broadcasts to x[index].
setitem: Op = Op(
    "setitem",
    _assigned,
    lambda g, _y, _x, index, _value: setitem(g, index, 0),
    None,
    _value_backward,
)


def _added_at(x: Any, index: Any, value: Any) -> Any:
    y = x.copy()
    np.add.at(y, index, value)
    return y


# As setitem, but adding, for each time that an element is named.
add_at = Op(
    "add_at",
    _added_at,
    lambda g, _y, _x, _index, _value: g,
    None,
    lambda g, _y, _x, index, _value: sum_to(g[index], np.shape(_value)),
)


# --- NumPy's functions ----------------------------------------------------------------


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None) -> Any:
    """As ``numpy.take``, of indices in range."""
    indices = np.asarray(plain(indices))
    if axis is None:
        return np.reshape(a, -1)[indices]
    return a[(slice(None),) * normalize_axis_index(axis, a.ndim) + (indices,)]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """As ``numpy.take_along_axis``."""
    indices = plain(indices)
    if axis is None:
        arr, axis = np.reshape(arr, -1), 0
    if indices.ndim != arr.ndim:
        raise ValueError(
            f"take_along_axis wants indices of {arr.ndim} axes, got shape {indices.shape}"
        )
    return arr[along(indices, normalize_axis_index(axis, arr.ndim), arr.shape)]


def along(indices: Any, axis: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The index that reads ``indices`` along one axis, and itself along the others."""
    parts = []
    for each, length in enumerate(shape):
        if each == axis:
            parts.append(indices)
        else:
            ones = [1] * len(shape)
            ones[each] = length
            parts.append(np.arange(length).reshape(ones))
    return tuple(parts)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """As ``numpy.bincount``; the gradient is the weights'."""
    x = np.asarray(plain(x))
    counts = np.bincount(x, minlength=minlength)
    if weights is None:
        return counts
    weights = as_array(weights)
    if weights.shape != x.shape:
        raise ValueError(f"bincount wants one weight for each of {len(x)}, got {weights.shape}")
    return scatter(weights.astype(np.float64), x, counts.shape)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """As ``numpy.compress``."""
    return take(a, np.flatnonzero(plain(condition)), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """As ``numpy.extract``."""
    return take(arr, np.flatnonzero(plain(condition)))


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """As ``numpy.delete``."""
    if axis is None:
        arr, axis = np.reshape(arr, -1), 0
    axis = normalize_axis_index(axis, arr.ndim)
    return take(arr, np.delete(np.arange(arr.shape[axis]), plain(obj)), axis)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """As ``numpy.diagonal``, but a copy."""
    moved = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows = np.arange(_diagonal_length(moved.shape[-2:], offset))
    return moved[..., rows + max(0, -offset), rows + max(0, offset)]


@implements(np.linalg.diagonal)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """As ``numpy.linalg.diagonal``, but a copy."""
    return diagonal(x, offset, -2, -1)


def _diagonal_length(shape: tuple[int, ...], offset: int) -> int:
    rows, columns = shape
    return max(0, min(rows + min(0, offset), columns - max(0, offset)))


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """As ``numpy.diag``: a matrix of a diagonal, or the diagonal of a matrix."""
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"diag wants an array of 1 or 2 axes, got shape {v.shape}")
    n = v.shape[0] + abs(k)
    rows = np.arange(v.shape[0])
    return scatter(v, (rows + max(0, -k), rows + max(0, k)), (n, n))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """As ``numpy.diagflat``."""
    return diag(np.reshape(v, -1), k)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """As ``numpy.trace``."""
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1)


@implements(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0) -> Any:
    """As ``numpy.linalg.trace``."""
    return trace(x, offset, -2, -1)
