"""Rows that repeat, move and pad the elements of an array, and cut triangles out of it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from fastnn.ops.indexing import take
from fastnn.ops.joining import concatenate
from fastnn.ops.op import Op, as_array, implements, plain, sum_to
from fastnn.ops.shapes import axes_of

# --- repeated -------------------------------------------------------------------------


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """As ``numpy.repeat``."""
    if axis is None:
        a, axis = np.reshape(a, -1), 0
    axis = normalize_axis_index(axis, a.ndim)
    counts = np.asarray(plain(repeats))
    if counts.size != 1:
        return take(a, np.repeat(np.arange(a.shape[axis]), counts), axis)
    # One number for all: a broadcast, whose way back is a sum.
    count = index(counts.item())
    stretched = [*a.shape[: axis + 1], count, *a.shape[axis + 1 :]]
    shape = list(a.shape)
    shape[axis] *= count
    return np.reshape(np.broadcast_to(np.expand_dims(a, axis + 1), stretched), shape)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """As ``numpy.tile``."""
    A = as_array(A)
    counts = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    ndim = max(A.ndim, len(counts))
    counts = (1,) * (ndim - len(counts)) + tuple(index(each) for each in counts)
    shape = (1,) * (ndim - A.ndim) + A.shape
    interleaved = [length for n in shape for length in (1, n)]
    stretched = [length for pair in zip(counts, shape, strict=True) for length in pair]
    whole = [count * n for count, n in zip(counts, shape, strict=True)]
    return np.reshape(np.broadcast_to(np.reshape(A, interleaved), stretched), whole)


# --- moved ----------------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """As ``numpy.flip``: a view."""
    backwards = [slice(None)] * m.ndim
    for each in axes_of(axis, m.ndim):
        backwards[each] = slice(None, None, -1)
    return m[tuple(backwards)]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """As ``numpy.fliplr``."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """As ``numpy.flipud``."""
    return flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """As ``numpy.rot90``."""
    first, second = axes_of(tuple(axes), m.ndim)
    k %= 4
    if k == 0:
        return m[:]
    if k == 2:
        return flip(m, (first, second))
    if k == 1:
        return np.swapaxes(flip(m, second), first, second)
    return flip(np.swapaxes(m, first, second), second)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """As ``numpy.roll``."""
    if axis is None:
        return np.reshape(roll(np.reshape(a, -1), shift, 0), a.shape)
    rolled = a
    for by, along_axis in np.broadcast(shift, axes_of(axis, a.ndim) or axis):
        length = a.shape[along_axis]
        by = index(by) % length if length else 0
        if by:
            before = (slice(None),) * int(along_axis)
            last, first = (slice(-by, None),), (slice(None, -by),)
            rolled = concatenate([rolled[before + last], rolled[before + first]], along_axis)
    return np.copy(a) if rolled is a else rolled


# --- padded ---------------------------------------------------------------------------


def _inside(widths: Any) -> tuple[slice, ...]:
    return tuple(slice(before, -after if after else None) for before, after in widths)


# Arguments: x, ((before, after) per axis), the constant values.
_pad = Op(
    "pad",
    lambda x, widths, values: np.pad(x, widths, constant_values=values),
    lambda g, _y, _x, widths, _values: g[_inside(widths)],
)

_COPYING_PADS: tuple[Any, ...] = ("edge", "reflect", "symmetric", "wrap")


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0) -> Any:
    """As ``numpy.pad``, in the modes constant, edge, reflect, symmetric and wrap.

    Raises:
        TypeError: another mode.
    """
    if isinstance(pad_width, dict):
        named = pad_width
        pad_width = np.zeros((array.ndim, 2), int)
        for axis, width in named.items():
            pad_width[axis] = width
    pairs = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    widths = [(index(before), index(after)) for before, after in pairs]
    if mode == "constant":
        return _pad(array, widths, constant_values)
    if mode not in _COPYING_PADS:
        raise TypeError(
            f"np.pad with mode={mode!r} is not supported on a fastnn Tensor; there are "
            f"constant, {', '.join(_COPYING_PADS)}"
        )
    for axis, width in enumerate(widths):
        if any(width):
            positions = np.pad(np.arange(array.shape[axis]), width, mode)
            array = take(array, positions, axis)
    return array


# --- triangles ------------------------------------------------------------------------

# Of a row these make a matrix of equal rows.
_tril = Op("tril", np.tril, lambda g, _y, _x, k: sum_to(np.tril(g, k), _x.shape))
_triu = Op("triu", np.triu, lambda g, _y, _x, k: sum_to(np.triu(g, k), _x.shape))


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """As ``numpy.tril``."""
    return _tril(m, k)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """As ``numpy.triu``."""
    return _triu(m, k)
