"""Functions of NumPy's that it makes of others: recorded as the calls that NumPy makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.program.errors import CaptureError
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder


def first_extreme(extreme: Callable[..., Any]) -> Callable[..., Any]:
    """np.argmax of np.max, np.argmin of np.min."""

    def function(
        recorder: Recorder, a: Any, axis: int | None = None, *, keepdims: bool = False
    ) -> Any:
        if axis is None:
            found = function(recorder, np.reshape(a, -1), 0)
            return np.reshape(found, (1,) * a.ndim) if keepdims else found
        if a.shape[axis] == 0:
            raise ValueError("the place of an extreme wants at least one element, got none")
        along = np.arange(a.shape[axis]).reshape([-1] + [1] * (a.ndim - 1 - axis % a.ndim))
        is_found = np.equal(a, extreme(a, axis=axis, keepdims=True))
        if a.dtype.kind == "f":  # the first NaN is the extreme
            is_found = np.logical_or(is_found, np.isnan(a))
        found = np.min(np.where(is_found, along, a.shape[axis]), axis=axis, keepdims=keepdims)
        return recorder.laid_out(found, np.empty(found.shape, found.dtype))

    return function


def nan_to_num(
    recorder: Recorder,
    x: Any,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Any:
    """np.nan_to_num, of a copy."""
    if not copy:
        raise CaptureError(f"np.nan_to_num of the array itself cannot be captured{where()}")
    if x.dtype.kind != "f":
        return np.copy(x)
    limits = np.finfo(x.dtype)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    bounded = np.where(
        x == np.inf, x.dtype.type(high), np.where(x == -np.inf, x.dtype.type(low), x)
    )
    return np.where(np.isnan(x), x.dtype.type(nan), bounded)


def average(
    recorder: Recorder, a: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False
) -> Any:
    """np.average; weights that sum to zero give what a division by zero gives."""
    if weights is None:
        return np.mean(a, axis, keepdims=keepdims)
    weights = weights if hasattr(weights, "ndim") else np.asarray(weights)
    expected = recorder.by_numpy(np.average, a, axis, weights, keepdims=keepdims)
    if axis is not None:
        axis = tuple(int(each) % a.ndim for each in np.atleast_1d(axis))
    if weights.shape != a.shape:
        weights = np.reshape(
            np.transpose(weights, np.argsort(axis)),
            [n if i in axis else 1 for i, n in enumerate(a.shape)],
        )
    dtype = np.result_type(a.dtype, weights.dtype, *("f8" for _ in "x" if a.dtype.kind in "biu"))
    total = np.sum(weights, axis, dtype=dtype, keepdims=keepdims)
    result = np.sum(_as(dtype, a) * _as(dtype, weights), axis, keepdims=keepdims) / total
    recorder.check("np.average", result, expected)
    return result


def norm(
    recorder: Recorder, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False
) -> Any:
    """np.linalg.norm, of vectors, and of matrices as vectors."""
    expected = recorder.by_numpy(np.linalg.norm, x, ord, axis, keepdims)
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    result: Any
    if axis is None and (ord is None or (ord == 2 and x.ndim == 1)):
        flat = _in_memory_order(x)
        result = np.sqrt(np.matmul(flat, flat))
        result = np.reshape(result, (1,) * x.ndim) if keepdims else result
    else:
        axes: Any = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis))
        if ord in (None, "fro", "f") or (ord == 2 and len(axes) == 1):
            result = np.sqrt(np.sum(x * x, axis=axes, keepdims=keepdims))
        elif len(axes) == 1 and ord in (np.inf, -np.inf):
            extreme = np.max if ord > 0 else np.min
            result = extreme(np.abs(x), axis=axes, keepdims=keepdims)
        elif len(axes) == 1 and isinstance(ord, (int, float)) and ord:
            size = np.abs(x) if ord == 1 else np.abs(x) ** ord
            result = np.sum(size, axis=axes, keepdims=keepdims)
            result = result if ord == 1 else result ** (x.dtype.type(1) / x.dtype.type(ord))
        else:
            raise CaptureError(f"np.linalg.norm of order {ord} cannot be captured{where()}")
    recorder.check("np.linalg.norm", result, expected)
    return result


def _as(dtype: Any, array: Any) -> Any:
    return array if array.dtype == dtype else array.astype(dtype)


def _in_memory_order(x: Any) -> Any:
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    return np.reshape(np.transpose(x, order), -1)
