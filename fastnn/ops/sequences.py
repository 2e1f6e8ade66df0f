"""Functions of samples in a row: differences, integrals, interpolation, windows, polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from fastnn.ops.op import Op, as_array, implements, plain
from fastnn.ops.shapes import axes_of

# --- differences and integrals --------------------------------------------------------


def _part(a: Any, axis: int, start: int | None, stop: int | None) -> Any:
    """a[start:stop] along an axis."""
    return a[(slice(None),) * axis + (slice(start, stop),)]


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """As ``numpy.diff``."""
    if n < 0:
        raise ValueError(f"diff wants an order of at least 0, got {n}")
    axis = normalize_axis_index(axis, a.ndim)
    for _ in range(n):
        a = _part(a, axis, 1, None) - _part(a, axis, None, -1)
    return a


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """As ``numpy.trapezoid``."""
    y = as_array(y)
    axis = normalize_axis_index(axis, y.ndim)
    step = dx
    if x is not None:
        x = as_array(x)
        if x.ndim == 1:
            x = np.reshape(x, (-1,) + (1,) * (y.ndim - 1 - axis))
            step = diff(x, axis=0)
        else:
            step = diff(x, axis=axis)
    heights = _part(y, axis, 1, None) + _part(y, axis, None, -1)
    return np.sum(step * heights / 2.0, axis=axis)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """As ``numpy.gradient``: for each axis the spacing, or the coordinates, of the samples."""
    if edge_order != 1:
        raise TypeError("np.gradient of a fastnn Tensor wants edge_order=1")
    f = as_array(f)
    axes = axes_of(axis, f.ndim)
    spacings = varargs or (1.0,)
    if len(spacings) == 1 and np.ndim(spacings[0]) == 0:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"np.gradient got {len(spacings)} spacings for {len(axes)} axes")
    if f.dtype.kind != "f":
        f = f.astype(np.float64)
    slopes = tuple(
        _slope(f, each, along).astype(f.dtype) for each, along in zip(spacings, axes, strict=True)
    )
    return slopes[0] if len(slopes) == 1 else slopes


def _slope(f: Any, spacing: Any, axis: int) -> Any:
    """Central differences within, one-sided ones at both ends."""
    n = f.shape[axis]
    if n < 2:
        raise ValueError(f"gradient wants 2 or more samples along axis {axis}, got {n}")
    if np.ndim(spacing) == 0:
        inner = (_part(f, axis, 2, None) - _part(f, axis, None, -2)) / (2.0 * spacing)
        first = last = spacing
    else:
        spacing = as_array(spacing)
        if spacing.shape != (n,):
            raise ValueError(f"gradient wants {n} coordinates along axis {axis}")
        steps = np.reshape(diff(spacing), (-1,) + (1,) * (f.ndim - 1 - axis))
        before, after = steps[:-1], steps[1:]
        first, last = steps[0], steps[-1]
        inner = (
            -after / (before * (before + after)) * _part(f, axis, None, -2)
            + (after - before) / (before * after) * _part(f, axis, 1, -1)
            + before / (after * (before + after)) * _part(f, axis, 2, None)
        )
    start = (_part(f, axis, 1, 2) - _part(f, axis, 0, 1)) / first
    end = (_part(f, axis, n - 1, n) - _part(f, axis, n - 2, n - 1)) / last
    return np.concatenate([start, inner, end], axis=axis)


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """As ``numpy.interp``, differentiable by x, by the points xp and by their values fp."""
    x, xp, fp = (as_array(each) for each in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or xp.size == 0:
        raise ValueError(f"interp wants points and values in rows, got {xp.shape} and {fp.shape}")
    x, fp = (each.astype(np.float64) for each in (x, fp))
    last = xp.size - 1
    at = np.searchsorted(plain(xp), plain(x), side="right") - 1
    inside = np.clip(at, 0, max(last - 1, 0))
    found = fp[inside]
    if last > 0:
        slope = (fp[inside + 1] - found) / (xp[inside + 1] - xp[inside])
        found = slope * (x - xp[inside]) + found
    # NumPy gives the last value itself, not the line through it.
    found = np.where(at == last, fp[last], found)
    found = np.where(plain(x) < plain(xp)[0], fp[0] if left is None else left, found)
    found = np.where(plain(x) > plain(xp)[last], fp[last] if right is None else right, found)
    return np.where(np.isnan(x), x, found)


# --- windows --------------------------------------------------------------------------


def _added_windows(
    g: Any, shape: tuple[int, ...], lengths: tuple[int, ...], axes: tuple[int, ...]
) -> Any:
    """Every element of the windows added to the place it was taken from."""
    x = np.zeros(shape, g.dtype)
    for offsets in np.ndindex(*lengths):
        starts = [0] * len(shape)
        for axis, offset in zip(axes, offsets, strict=True):
            starts[axis] += offset
        place = [slice(start, start + g.shape[axis]) for axis, start in enumerate(starts)]
        x[tuple(place)] += g[(..., *offsets)]
    return x


# Arguments: x, the lengths of the windows, and the axes along which they slide.
windows: Op = Op(
    "sliding_window_view",
    sliding_window_view,
    lambda g, _y, _x, lengths, axes: added_windows(g, _x.shape, lengths, axes),
)
added_windows: Op = Op(
    "added windows",
    _added_windows,
    lambda h, _y, _g, _shape, lengths, axes: windows(h, lengths, axes),
)


@implements(sliding_window_view)
def numpy_sliding_window_view(x: Any, window_shape: Any, axis: Any = None) -> Any:
    """As ``numpy.lib.stride_tricks.sliding_window_view``."""
    lengths = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = axes_of(axis, x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim, None, True)
    if len(lengths) != len(axes):
        raise ValueError(f"windows of {len(lengths)} lengths cannot slide along {len(axes)} axes")
    return windows(x, lengths, axes)


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """As ``numpy.convolve``."""
    a, v = as_array(a), as_array(v)
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ValueError(f"convolve wants two rows, not empty, got {a.shape} and {v.shape}")
    if v.size > a.size:
        a, v = v, a
    n = v.size
    full = np.matmul(windows(np.pad(a, n - 1), (n,), (0,)), v[::-1])
    if mode == "full":
        return full
    if mode == "same":
        return full[(n - 1) // 2 :][: a.size]
    if mode == "valid":
        return full[n - 1 : a.size]
    raise ValueError(f"mode must be 'full', 'same' or 'valid', got {mode!r}")


# --- polynomials and their like -------------------------------------------------------


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """As ``numpy.polyval``: the coefficient of the highest power first."""
    p, x = as_array(p), as_array(x)
    y = np.zeros_like(x)
    for coefficient in p:
        y = y * x + coefficient
    return y


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """As ``numpy.sinc``: sin(pi x) / (pi x)."""
    angle = np.pi * np.where(plain(x) == 0, 1.0e-20, x)
    return np.sin(angle) / angle
