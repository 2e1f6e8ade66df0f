"""Rows that reduce or accumulate along axes: sums, products, means, spreads, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.indexing import setitem
from fastnn.ops.op import Op, implements


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that ``axis`` names, none of them negative."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(int(each) % ndim for each in axes)


def _kept(reduced: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Give a reduced array its axes of length 1 back, so that it broadcasts with x."""
    if keepdims or axis is None:
        return reduced
    shape = list(x.shape)
    for each in _axes(axis, x.ndim):
        shape[each] = 1
    return np.reshape(reduced, shape)


def _count(x: Any, axis: Any) -> int:
    """How many elements of x each result is made of."""
    count = 1
    for each in _axes(axis, x.ndim):
        count *= x.shape[each]
    return count


# --- sums and means -------------------------------------------------------------------


def _sum_backward(g: Any, _y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    return np.broadcast_to(_kept(g, x, axis, keepdims), x.shape)


def _mean_backward(g: Any, _y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    count = _count(x, axis)
    return np.broadcast_to(_kept(g / count if count else g, x, axis, keepdims), x.shape)


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


def _average_backward(
    g: Any, y: Any, needs: Any, x: Any, axis: Any, weights: Any, keepdims: bool
) -> tuple[Any, ...]:
    """Of sum(w x) / sum(w): by x it is g w / sum(w), by w it is g (x - y) / sum(w)."""
    along = _axes(axis, x.ndim)
    if weights.shape != x.shape:
        # Weights of the named axes alone, in the order in which they are named.
        order = np.argsort(along)
        shape = [1] * x.ndim
        for each in along:
            shape[each] = x.shape[each]
        full = np.reshape(np.transpose(weights, order), shape)
    else:
        full = weights
    full = np.broadcast_to(full, x.shape)
    share = _kept(g, x, axis, keepdims) / np.sum(full, axis=along, keepdims=True)
    by_x = share * full if needs[0] else None
    by_weights = None
    if needs[2]:
        by_weights = share * (x - _kept(y, x, axis, keepdims))
        if weights.shape != x.shape:
            others = tuple(each for each in range(x.ndim) if each not in along)
            summed = np.sum(by_weights, axis=others)
            by_weights = np.transpose(summed, np.argsort(order))
    return by_x, None, by_weights, None


average = Op(
    "average",
    lambda x, axis, weights, keep: np.average(x, axis, weights, keepdims=keep),
    joint=_average_backward,
)


@implements(np.average)
def numpy_average(a: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.average``."""
    if weights is None:
        return mean(a, axis, keepdims)
    return average(a, axis, weights, keepdims)


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
    along = _axes(axis, x.ndim)
    # All reduced axes as one, at the end: there the others' product is taken.
    rest = tuple(each for each in range(x.ndim) if each not in along)
    order = rest + along
    moved = np.transpose(x, order)
    flat = np.reshape(moved, (*(x.shape[each] for each in rest), -1))
    others = np.reshape(_products_of_others(flat, flat.ndim - 1), moved.shape)
    return _kept(g, x, axis, keepdims) * np.transpose(others, np.argsort(order))


prod = Op("prod", lambda x, axis, keep: np.prod(x, axis, keepdims=keep), _prod_backward)


@implements(np.prod)
def numpy_prod(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.prod``."""
    return prod(a, axis, keepdims)


# --- accumulations: x and an axis, None for the flattened array -----------------------


def _reversed_cumsum(g: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _cumsum_backward(g: Any, _y: Any, x: Any, axis: Any) -> Any:
    return np.reshape(_reversed_cumsum(g, 0 if axis is None else axis), x.shape)


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


@implements(np.diff)
def numpy_diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """As ``numpy.diff``."""
    for _ in range(n):
        ahead, behind = [slice(None)] * a.ndim, [slice(None)] * a.ndim
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        a = a[tuple(ahead)] - a[tuple(behind)]
    return a
