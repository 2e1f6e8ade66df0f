"""Rows that move values without changing them: reshape, transpose and indexing."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.op import Op


def _transpose_backward(g: Any, y: Any, x: Any, axes: Any) -> Any:
    if axes is None:
        return np.transpose(g)
    return np.transpose(g, np.argsort([axis % x.ndim for axis in axes]))


def _is_basic(index: Any) -> bool:
    """True for an index that selects every element at most once, as a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer))
        for part in parts
    )


def _getitem_backward(g: Any, y: Any, x: Any, index: Any) -> Any:
    dx = np.zeros(x.shape, g.dtype)
    if _is_basic(index):
        dx[index] = g
    else:
        np.add.at(dx, index, g)
    return dx


reshape = Op("reshape", np.reshape, lambda g, y, x, shape: np.reshape(g, x.shape))
transpose = Op("transpose", np.transpose, _transpose_backward)
getitem = Op("getitem", lambda x, index: x[index], _getitem_backward)
