"""Functions of statistics: reductions that pass over NaN, covariance and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.op import as_array, implements

# --- reductions that pass over NaN ----------------------------------------------------


def _filled(a: Any, value: float) -> Any:
    """a with this value in the place of every NaN."""
    return np.where(np.isnan(a), value, a)


def _counts(a: Any, axis: Any, keepdims: bool) -> Any:
    """How many elements are not NaN, plain."""
    return np.sum(~np.isnan(a), axis=axis, keepdims=keepdims, dtype=np.intp)


@implements(np.nansum)
def nansum(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nansum``."""
    return np.sum(_filled(a, 0), axis=axis, keepdims=keepdims)


@implements(np.nanprod)
def nanprod(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nanprod``."""
    return np.prod(_filled(a, 1), axis=axis, keepdims=keepdims)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None) -> Any:
    """As ``numpy.nancumsum``."""
    return np.cumsum(_filled(a, 0), axis=axis)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None) -> Any:
    """As ``numpy.nancumprod``."""
    return np.cumprod(_filled(a, 1), axis=axis)


@implements(np.nanmax)
def nanmax(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nanmax``; tied maxima share the gradient equally."""
    return _nan_of_none(np.max(_filled(a, -np.inf), axis=axis, keepdims=keepdims), a, axis)


@implements(np.nanmin)
def nanmin(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nanmin``; tied minima share the gradient equally."""
    return _nan_of_none(np.min(_filled(a, np.inf), axis=axis, keepdims=keepdims), a, axis)


def _nan_of_none(reduced: Any, a: Any, axis: Any) -> Any:
    """NaN where all elements were NaN."""
    return np.where(np.reshape(_counts(a, axis, False), reduced.shape) == 0, np.nan, reduced)


@implements(np.nanmean)
def nanmean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.nanmean``."""
    total = np.sum(_filled(a, 0), axis=axis, keepdims=keepdims)
    return _ratio(total, _counts(a, axis, keepdims))


@implements(np.nanvar)
def nanvar(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """As ``numpy.nanvar``."""
    centred = np.where(np.isnan(a), 0, _filled(a, 0) - nanmean(a, axis, keepdims=True))
    total = np.sum(np.square(centred), axis=axis, keepdims=keepdims)
    degrees = _counts(a, axis, keepdims) - ddof
    return _ratio(total, np.where(degrees > 0, degrees, np.nan))


@implements(np.nanstd)
def nanstd(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """As ``numpy.nanstd``."""
    return np.sqrt(nanvar(a, axis, ddof=ddof, keepdims=keepdims))


def _ratio(total: Any, count: Any) -> Any:
    """total / count in the dtype of total, NaN where there is nothing to count."""
    count = np.where(count == 0, np.nan, count)
    return total / count.astype(np.result_type(total.dtype, np.float16))


# --- covariance -----------------------------------------------------------------------


@implements(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None
) -> Any:
    """As ``numpy.cov``, of real numbers without weights."""
    rows = _variables(m, rowvar)
    if y is not None:
        rows = np.concatenate([rows, _variables(y, rowvar)], axis=0)
    if ddof is None:
        ddof = 0 if bias else 1
    centred = rows - np.mean(rows, axis=1, keepdims=True)
    return np.squeeze(np.matmul(centred, centred.T) / max(rows.shape[1] - ddof, 0))


def _variables(x: Any, rowvar: bool) -> Any:
    """One row for each variable, in float64 at least, as NumPy's."""
    x = as_array(x)
    rows = np.atleast_2d(x)
    rows = rows if rowvar or x.ndim < 2 else rows.T
    return rows.astype(np.result_type(x.dtype, np.float64))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """As ``numpy.corrcoef``, of real numbers."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    deviations = np.sqrt(np.diagonal(c))
    return np.clip(c / deviations[:, None] / deviations[None, :], -1, 1)
