"""Rows that reduce or accumulate along axes: sums, products, means, spreads, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.indexing import setitem
from fastnn.ops.op import Op, as_array, implements, newer
from fastnn.ops.shapes import axes_of, merged


def _kept(reduced: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Give a reduced array its axes of length 1 back, so that it broadcasts with x."""
    if keepdims or axis is None:
        return reduced
    shape = list(x.shape)
    for each in axes_of(axis, x.ndim):
        shape[each] = 1
    return np.reshape(reduced, shape)


def _count(x: Any, axis: Any) -> int:
    """How many elements of x each result is made of."""
    count = 1
    for each in axes_of(axis, x.ndim):
        count *= x.shape[each]
    return count


# --- sums and means -------------------------------------------------------------------


def _sum_backward(g: Any, _y: Any, _x: Any, axis: Any, keepdims: bool) -> Any:
    return np.broadcast_to(_kept(g, _x, axis, keepdims), _x.shape)


def _mean_backward(g: Any, _y: Any, _x: Any, axis: Any, keepdims: bool) -> Any:
    count = _count(_x, axis)
    return np.broadcast_to(_kept(g / count if count else g, _x, axis, keepdims), _x.shape)


# Arguments of these and of the extremes: x, axis (None, an int or a tuple) and keepdims.
sum = Op("sum", lambda x, axis, keep: np.sum(x, axis, keepdims=keep), _sum_backward)
mean = Op("mean", lambda x, axis, keep: np.mean(x, axis, keepdims=keep), _mean_backward)


@implements(np.sum)
def numpy_sum(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.sum``."""
    return sum(a, axis, keepdims)


@implements(np.mean)
def numpy_mean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.mean``."""
    return mean(a, axis, keepdims)


# Of sum(w x) / sum(w): by x it is g w / sum(w), and by w it is g (x - y) / sum(w).
def _average_by_x(g: Any, _y: Any, _x: Any, axis: Any, weights: Any, keepdims: bool) -> Any:
    full = _spread(weights, _x, axis)
    return _kept(g, _x, axis, keepdims) / _sum_of_weights(full, axis) * full


def _average_by_weights(g: Any, y: Any, x: Any, axis: Any, weights: Any, keepdims: bool) -> Any:
    share = _kept(g, x, axis, keepdims) / _sum_of_weights(_spread(weights, x, axis), axis)
    by_full = share * (x - _kept(y, x, axis, keepdims))
    if weights.shape == x.shape:
        return by_full
    along = axes_of(axis, x.ndim)
    others = tuple(each for each in range(x.ndim) if each not in along)
    return np.transpose(np.sum(by_full, axis=others), np.argsort(np.argsort(along)))


def _spread(weights: Any, _x: Any, axis: Any) -> Any:
    """The weights in x's shape, also those of the named axes alone, in the order of names."""
    if weights.shape == _x.shape:
        return weights
    along = axes_of(axis, _x.ndim)
    shape = [_x.shape[each] if each in along else 1 for each in range(_x.ndim)]
    return np.broadcast_to(np.reshape(np.transpose(weights, np.argsort(along)), shape), _x.shape)


def _sum_of_weights(full: Any, axis: Any) -> Any:
    return np.sum(full, axis=axis, keepdims=True)


# Arguments: x, axis, weights and keepdims.
average = Op(
    "average",
    lambda x, axis, weights, keep: np.average(x, axis, weights, keepdims=keep),
    _average_by_x,
    None,
    _average_by_weights,
)


@implements(np.average)
def numpy_average(a: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.average``."""
    if weights is None:
        return mean(a, axis, keepdims)
    return average(as_array(a), axis, as_array(weights), keepdims)


# --- spreads --------------------------------------------------------------------------


def _degrees(x: Any, axis: Any, ddof: float) -> float:
    degrees = _count(x, axis) - ddof
    return degrees if degrees > 0 else 0


def _var_backward(g: Any, _y: Any, x: Any, axis: Any, ddof: float, keepdims: bool) -> Any:
    centred = x - np.mean(x, axis=axis, keepdims=True)
    return _kept(2 * g, x, axis, keepdims) * (centred / _degrees(x, axis, ddof))


def _std_backward(g: Any, y: Any, x: Any, axis: Any, ddof: float, keepdims: bool) -> Any:
    # Where nothing varies the slope is undefined: 0, as for abs.
    share = g / np.where(y == 0, 1, y)
    centred = x - np.mean(x, axis=axis, keepdims=True)
    return _kept(share, x, axis, keepdims) * (centred / _degrees(x, axis, ddof))


var = Op(
    "var",
    lambda x, axis, ddof, keep: np.var(x, axis, ddof=ddof, keepdims=keep),
    _var_backward,
)
std = Op(
    "std",
    lambda x, axis, ddof, keep: np.std(x, axis, ddof=ddof, keepdims=keep),
    _std_backward,
)


@implements(np.var)
def numpy_var(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """As ``numpy.var``."""
    return var(a, axis, ddof, keepdims)


@implements(np.std)
def numpy_std(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """As ``numpy.std``."""
    return std(a, axis, ddof, keepdims)


# --- extremes -------------------------------------------------------------------------


def _extreme_backward(g: Any, y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Winners share the gradient equally."""
    winners = np.equal(x, _kept(y, x, axis, keepdims))
    share = g / np.sum(winners, axis=axis, keepdims=keepdims, dtype=y.dtype)
    return winners * _kept(share, x, axis, keepdims)


max = Op("max", lambda x, axis, keep: np.max(x, axis, keepdims=keep), _extreme_backward)
min = Op("min", lambda x, axis, keep: np.min(x, axis, keepdims=keep), _extreme_backward)


@implements(np.max, np.amax)
def numpy_max(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.max``; tied maxima share the gradient equally."""
    return max(a, axis, keepdims)


@implements(np.min, np.amin)
def numpy_min(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.min``; tied minima share the gradient equally."""
    return min(a, axis, keepdims)


@implements(np.ptp)
def numpy_ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.ptp``."""
    return max(a, axis, keepdims) - min(a, axis, keepdims)


# --- products -------------------------------------------------------------------------


def _products_of_others(x: Any, axis: int) -> Any:
    """For each element the product of all the others along the axis; no division by zero."""
    before = np.cumprod(_shifted(x, axis, 1), axis=axis)
    backwards = np.flip(x, axis)
    after = np.flip(np.cumprod(_shifted(backwards, axis, 1), axis=axis), axis)
    return before * after


def _shifted(x: Any, axis: int, fill: float) -> Any:
    """x moved by one along the axis: its last element is gone, and fill comes first."""
    head = [slice(None)] * x.ndim
    head[axis] = slice(None, -1)
    shape = list(x.shape)
    shape[axis] = 1
    return np.concatenate([np.full(shape, fill, x.dtype), x[tuple(head)]], axis=axis)


def _prod_backward(g: Any, _y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if x.size == 0:
        return np.zeros(x.shape, g.dtype)
    flat, order = merged(x, axes_of(axis, x.ndim))
    others = _products_of_others(flat, flat.ndim - 1)
    others = np.reshape(others, [x.shape[each] for each in order])
    return _kept(g, x, axis, keepdims) * np.transpose(others, np.argsort(order))


prod = Op("prod", lambda x, axis, keep: np.prod(x, axis, keepdims=keep), _prod_backward)


@implements(np.prod)
def numpy_prod(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.prod``."""
    return prod(a, axis, keepdims)


# --- accumulations: x and an axis, None for the flattened array -----------------------


def _reversed_cumsum(g: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _cumsum_backward(g: Any, _y: Any, _x: Any, axis: Any) -> Any:
    return np.reshape(_reversed_cumsum(g, 0 if axis is None else axis), _x.shape)


def _cumprod_backward(g: Any, y: Any, x: Any, axis: Any) -> Any:
    flat = np.reshape(x, -1) if axis is None else x
    axis = 0 if axis is None else axis
    if np.all(flat != 0):
        return np.reshape(_reversed_cumsum(g * y, axis) / flat, x.shape)
    # dx[i] = sum over k >= i of g[k] times the product of x[:k + 1] without x[i]
    parts = []
    for i in range(flat.shape[axis]):
        index = [slice(None)] * flat.ndim
        index[axis] = slice(i, i + 1)
        one = np.ones_like(flat[tuple(index)])
        without = setitem(flat, tuple(index), one)
        index[axis] = slice(i, None)
        products = np.cumprod(without, axis=axis)[tuple(index)]
        parts.append(np.sum(g[tuple(index)] * products, axis=axis, keepdims=True))
    return np.reshape(np.concatenate(parts, axis=axis), x.shape)


cumsum = Op("cumsum", np.cumsum, _cumsum_backward)
cumprod = Op("cumprod", np.cumprod, _cumprod_backward)


@implements(np.cumsum)
def numpy_cumsum(a: Any, axis: Any = None) -> Any:
    """As ``numpy.cumsum``."""
    return cumsum(a, axis)


@implements(np.cumprod)
def numpy_cumprod(a: Any, axis: Any = None) -> Any:
    """As ``numpy.cumprod``."""
    return cumprod(a, axis)


@implements(*newer("cumulative_sum"))
def cumulative_sum(x: Any, /, *, axis: int | None = None, include_initial: bool = False) -> Any:
    """As ``numpy.cumulative_sum``."""
    return _cumulative(cumsum, 0, x, axis, include_initial)


@implements(*newer("cumulative_prod"))
def cumulative_prod(x: Any, /, *, axis: int | None = None, include_initial: bool = False) -> Any:
    """As ``numpy.cumulative_prod``."""
    return _cumulative(cumprod, 1, x, axis, include_initial)


def _cumulative(op: Op, initial: int, x: Any, axis: int | None, include_initial: bool) -> Any:
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"cumulative sums and products of shape {x.shape} want an axis")
        axis = 0
    found = op(x, axis)
    if not include_initial:
        return found
    shape = list(found.shape)
    shape[axis] = 1
    return np.concatenate([np.full(shape, initial, found.dtype), found], axis)
