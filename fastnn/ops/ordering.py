"""Functions of the order of an array's values: sorted, partitioned, and their quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from fastnn.ops.indexing import along, take_along_axis
from fastnn.ops.op import as_array, implements, plain
from fastnn.ops.shapes import axes_of, merged

# --- ordered --------------------------------------------------------------------------


def _reordered(a: Any, axis: int | None, reorder: Any) -> Any:
    """a gathered into the very order that ``reorder`` gives its values along the axis."""
    if axis is None:
        a, axis = np.reshape(a, -1), 0
    axis = normalize_axis_index(axis, a.ndim)
    values = plain(a)
    ranks = np.argsort(reorder(values, axis), axis=axis, kind="stable")
    order = np.empty_like(ranks)
    # The i-th smallest of the one order is the i-th smallest of the other.
    np.put_along_axis(order, ranks, np.argsort(values, axis=axis, kind="stable"), axis)
    return a[along(order, axis, a.shape)]


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    """As ``numpy.sort``, always stable: equal values keep their order and gradients."""
    return _reordered(a, axis, lambda values, axis: np.sort(values, axis, kind="stable"))


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """As ``numpy.partition``."""
    return _reordered(a, axis, lambda values, axis: np.partition(values, kth, axis))


# --- quantiles ------------------------------------------------------------------------


@implements(np.median)
def median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.median``."""
    ordered = sort(merged(a, axes_of(axis, a.ndim))[0])
    n = ordered.shape[-1]
    # A NaN is sorted to the end, and makes the result NaN as NumPy's.
    middle = np.mean(ordered[..., (n - 1) // 2 : n // 2 + 1], axis=-1) + 0 * ordered[..., -1]
    return _with_axes(middle, a, axis, keepdims)


@implements(np.quantile)
def quantile(a: Any, q: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.quantile``, by its default method, which is linear between two values."""
    return _quantile(a, q, axis, keepdims, skip_nan=False)


@implements(np.nanquantile)
def nanquantile(a: Any, q: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nanquantile``, by its default method."""
    return _quantile(a, q, axis, keepdims, skip_nan=True)


@implements(np.percentile)
def percentile(a: Any, q: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.percentile``, by its default method."""
    return _quantile(a, _fraction(q), axis, keepdims, skip_nan=False)


@implements(np.nanpercentile)
def nanpercentile(a: Any, q: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nanpercentile``, by its default method."""
    return _quantile(a, _fraction(q), axis, keepdims, skip_nan=True)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nanmedian``."""
    return _quantile(a, 0.5, axis, keepdims, skip_nan=True)


def _fraction(percent: Any) -> Any:
    return percent / 100 if isinstance(percent, (int, float)) else as_array(percent) / 100


def _quantile(a: Any, q: Any, axis: Any, keepdims: bool, skip_nan: bool) -> Any:
    ordered = sort(merged(a, axes_of(axis, a.ndim))[0])
    # A number of Python does not make float64 of float32.
    dtype = ordered.dtype if isinstance(q, (int, float)) else np.result_type(ordered, as_array(q))
    q = as_array(q)
    if not np.all((plain(q) >= 0) & (plain(q) <= 1)):
        raise ValueError("quantiles must be in the range [0, 1], percentiles in [0, 100]")
    n = ordered.shape[-1]
    counts = n - np.count_nonzero(np.isnan(ordered), axis=-1) if skip_nan else n
    found = [_at(ordered, each, counts, dtype) for each in np.reshape(q, -1)]
    if not skip_nan:  # a NaN is sorted to the end, and makes the result NaN as NumPy's
        found = [each + 0 * ordered[..., -1] for each in found]
    kept = [_with_axes(each, a, axis, keepdims) for each in found]
    return np.reshape(np.stack(kept), q.shape + kept[0].shape)


def _at(ordered: Any, q: Any, counts: Any, dtype: Any) -> Any:
    """The value at q between the first and the last of the first ``counts`` values."""
    place = q * (counts - 1)
    before = np.floor(plain(place)).astype(int)
    after = np.minimum(before + 1, np.maximum(counts - 1, 0))
    low, high = (_taken(ordered, each) for each in (before, after))
    share = place - before
    to_high, to_low = share.astype(dtype), (1 - share).astype(dtype)
    # NumPy's own formulas, each exact at its end.
    step = high - low
    return np.where(plain(share) >= 0.5, high - step * to_low, low + step * to_high)


def _taken(ordered: Any, place: Any) -> Any:
    return take_along_axis(ordered, np.broadcast_to(place, ordered.shape[:-1])[..., None])[..., 0]


def _with_axes(reduced: Any, a: Any, axis: Any, keepdims: bool) -> Any:
    return np.expand_dims(reduced, axes_of(axis, a.ndim)) if keepdims else reduced
