"""Rows that reduce: sum, mean and maximum over all axes, or over some."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.op import Op


def _keep(reduced: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Give a reduced array its axes of length 1 back, so that it broadcasts with x."""
    if keepdims or axis is None:
        return reduced
    axes = axis if isinstance(axis, tuple) else (axis,)
    kept = list(x.shape)
    for each in axes:
        kept[each] = 1
    return np.reshape(reduced, kept)


def _sum_backward(g: Any, y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    return np.broadcast_to(_keep(g, x, axis, keepdims), x.shape)


def _mean_backward(g: Any, y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    return _sum_backward(g / (x.size // (y.size or 1)), y, x, axis, keepdims)


def _max_backward(g: Any, y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    winners = np.equal(x, _keep(y, x, axis, keepdims))
    share = g / np.sum(winners, axis=axis, keepdims=keepdims, dtype=y.dtype)
    return winners * _keep(share, x, axis, keepdims)


# Arguments of the three: x, axis (None, an int or a tuple) and keepdims.
sum = Op("sum", lambda x, axis, keep: np.sum(x, axis, keepdims=keep), _sum_backward)
mean = Op("mean", lambda x, axis, keep: np.mean(x, axis, keepdims=keep), _mean_backward)
max = Op("max", lambda x, axis, keep: np.max(x, axis, keepdims=keep), _max_backward)
