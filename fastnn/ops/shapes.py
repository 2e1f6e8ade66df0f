"""Rows that change the shape of an array, not its values: views, and their way back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from fastnn.ops.op import Op, as_array, implements, sum_to

# Arguments: x and the new shape, in C order.
reshape = Op("reshape", np.reshape, lambda g, _y, _x, _shape: np.reshape(g, _x.shape))


def _transpose_backward(g: Any, _y: Any, _x: Any, axes: Any) -> Any:
    if axes is None:
        return np.transpose(g)
    return np.transpose(g, np.argsort([axis % _x.ndim for axis in axes]))


transpose = Op("transpose", np.transpose, _transpose_backward)

broadcast_to = Op("broadcast_to", np.broadcast_to, lambda g, _y, _x, _shape: sum_to(g, _x.shape))

copy = Op("copy", lambda x: x.copy(), lambda g, _y, _x: g)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that ``axis`` names, one, several or None for all, none of them negative."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, int):
        return (normalize_axis_index(axis, ndim),)
    return normalize_axis_tuple(axis, ndim)


def merged(x: Any, axes: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """x with these axes as a single one, at the end, and the order of axes that led there."""
    rest = tuple(each for each in range(x.ndim) if each not in axes)
    shape = (*(x.shape[each] for each in rest), int(np.prod([x.shape[each] for each in axes])))
    order = rest + axes
    return np.reshape(np.transpose(x, order), shape), order


@implements(np.reshape)
def numpy_reshape(a: Any, /, shape: Any) -> Any:
    """As ``numpy.reshape``, in C order."""
    return reshape(a, shape)


@implements(np.ravel)
def ravel(a: Any) -> Any:
    """As ``numpy.ravel``, in C order."""
    return reshape(a, -1)


@implements(np.transpose, np.permute_dims)
def numpy_transpose(a: Any, axes: Any = None) -> Any:
    """As ``numpy.transpose``."""
    return transpose(a, axes)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """As ``numpy.matrix_transpose``."""
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose wants 2 or more axes, got shape {x.shape}")
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """As ``numpy.swapaxes``."""
    axis1, axis2 = (normalize_axis_index(axis, a.ndim) for axis in (axis1, axis2))
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """As ``numpy.moveaxis``."""
    # NumPy itself tells where the axes go, on an array that is all axes and no memory.
    marks = np.broadcast_to(np.empty(()), range(2, a.ndim + 2))
    order = [length - 2 for length in np.moveaxis(marks, source, destination).shape]
    return transpose(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """As ``numpy.rollaxis``."""
    marks = np.broadcast_to(np.empty(()), range(2, a.ndim + 2))
    return transpose(a, [length - 2 for length in np.rollaxis(marks, axis, start).shape])


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """As ``numpy.squeeze``."""
    return reshape(a, np.squeeze(np.broadcast_to(np.empty(()), a.shape), axis).shape)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """As ``numpy.expand_dims``."""
    return reshape(a, np.expand_dims(np.broadcast_to(np.empty(()), a.shape), axis).shape)


@implements(np.broadcast_to)
def numpy_broadcast_to(array: Any, shape: Any) -> Any:
    """As ``numpy.broadcast_to``."""
    return broadcast_to(array, shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any) -> tuple[Any, ...]:
    """As ``numpy.broadcast_arrays``."""
    shape = np.broadcast_shapes(*(np.shape(each) for each in args))
    return tuple(broadcast_to(each, shape) for each in args)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """As ``numpy.atleast_1d``."""
    return _each(arys, lambda a: a if a.ndim else reshape(a, 1))


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """As ``numpy.atleast_2d``."""
    return _each(arys, lambda a: a if a.ndim > 1 else reshape(a, (1, -1)))


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """As ``numpy.atleast_3d``."""
    return _each(
        arys, lambda a: a if a.ndim > 2 else reshape(a, (1, -1, 1) if a.ndim < 2 else (*a.shape, 1))
    )


def _each(arrays: tuple[Any, ...], function: Any) -> Any:
    answers = tuple(function(as_array(a)) for a in arrays)
    return answers[0] if len(answers) == 1 else answers


@implements(np.copy)
def numpy_copy(a: Any) -> Any:
    """As ``numpy.copy``: of a Tensor, a Tensor whose values are its own."""
    return copy(a)


@implements(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Any:
    """As ``numpy.full_like``; the gradient is the fill value's."""
    dtype = as_array(a).dtype if dtype is None else dtype
    return copy(broadcast_to(as_array(fill_value).astype(dtype), np.shape(a)))
