"""Rows that put arrays together, take them apart, repeat, pad and reorder them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.ops.indexing import along, take
from fastnn.ops.op import Op, implements, plain

# --- together -------------------------------------------------------------------------


def _concatenate_backward(g: Any, _y: Any, needs: Any, axis: int, *_arrays: Any) -> tuple[Any, ...]:
    parts: list[Any] = [None]
    start = 0
    for need, array in zip(needs[1:], _arrays, strict=True):
        end = start + array.shape[axis]
        index = (slice(None),) * (axis % g.ndim) + (slice(start, end),)
        parts.append(g[index] if need else None)
        start = end
    return tuple(parts)


# Arguments: the axis, and the arrays.
_concatenate = Op(
    "concatenate",
    lambda axis, *arrays: np.concatenate(arrays, axis),
    joint=_concatenate_backward,
)


def _as_arrays(values: Any) -> list[Any]:
    return [each if hasattr(each, "ndim") else np.asarray(each) for each in values]


@implements(np.concatenate)
def concatenate(arrays: Any, /, axis: int | None = 0) -> Any:
    """As ``numpy.concatenate``."""
    arrays = _as_arrays(arrays)
    if axis is None:
        arrays, axis = [np.reshape(each, -1) for each in arrays], 0
    return _concatenate(axis, *arrays)


@implements(np.stack)
def stack(arrays: Any, axis: int = 0) -> Any:
    """As ``numpy.stack``."""
    arrays = _as_arrays(arrays)
    shapes = {each.shape for each in arrays}
    if len(shapes) > 1:
        raise ValueError(f"stack wants arrays of one shape, got {sorted(shapes)}")
    return _concatenate(axis, *(np.expand_dims(each, axis) for each in arrays))


@implements(np.vstack)
def vstack(tup: Any) -> Any:
    """As ``numpy.vstack``."""
    return concatenate([np.atleast_2d(each) for each in _as_arrays(tup)], 0)


@implements(np.hstack)
def hstack(tup: Any) -> Any:
    """As ``numpy.hstack``."""
    arrays = [np.atleast_1d(each) for each in _as_arrays(tup)]
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """As ``numpy.dstack``."""
    return concatenate([np.atleast_3d(each) for each in _as_arrays(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """As ``numpy.column_stack``."""
    arrays = _as_arrays(tup)
    return concatenate([each if each.ndim > 1 else np.reshape(each, (-1, 1)) for each in arrays], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """As ``numpy.append``."""
    return concatenate([arr, values], axis)


# --- apart ----------------------------------------------------------------------------


def _split(ary: Any, sections: Any, axis: int, split: Any) -> list[Any]:
    # NumPy itself says where to cut, by cutting the numbers of the positions.
    pieces = split(np.arange(ary.shape[axis]), sections)
    before = (slice(None),) * (axis % ary.ndim)
    starts = np.cumsum([0, *(len(piece) for piece in pieces)])
    found = []
    for piece, start in zip(pieces, starts[:-1], strict=True):
        first = int(piece[0]) if len(piece) else int(start)
        found.append(ary[(*before, slice(first, first + len(piece)))])
    return found


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As ``numpy.split``."""
    return _split(ary, indices_or_sections, axis, np.split)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As ``numpy.array_split``."""
    return _split(ary, indices_or_sections, axis, np.array_split)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> Any:
    """As ``numpy.vsplit``."""
    return split(ary, indices_or_sections, 0)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> Any:
    """As ``numpy.hsplit``."""
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> Any:
    """As ``numpy.dsplit``."""
    return split(ary, indices_or_sections, 2)


# --- repeated -------------------------------------------------------------------------


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """As ``numpy.repeat``."""
    if axis is None:
        a, axis = np.reshape(a, -1), 0
    axis %= a.ndim
    counts = np.asarray(plain(repeats))
    if counts.size != 1:
        return take(a, np.repeat(np.arange(a.shape[axis]), counts), axis)
    # One number for all: a broadcast, whose way back is a sum.
    stretched = [*a.shape[: axis + 1], int(counts.item()), *a.shape[axis + 1 :]]
    shape = list(a.shape)
    shape[axis] *= int(counts.item())
    return np.reshape(np.broadcast_to(np.expand_dims(a, axis + 1), stretched), shape)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """As ``numpy.tile``."""
    counts = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    ndim = max(A.ndim, len(counts))
    counts = (1,) * (ndim - len(counts)) + tuple(int(each) for each in counts)
    shape = (1,) * (ndim - A.ndim) + A.shape
    interleaved = [length for n in shape for length in (1, n)]
    stretched = [length for pair in zip(counts, shape, strict=True) for length in pair]
    whole = [count * n for count, n in zip(counts, shape, strict=True)]
    return np.reshape(np.broadcast_to(np.reshape(A, interleaved), stretched), whole)


# --- moved ----------------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """As ``numpy.flip``: a view."""
    axes = range(m.ndim) if axis is None else np.atleast_1d(axis) % m.ndim
    index = [slice(None)] * m.ndim
    for each in axes:
        index[each] = slice(None, None, -1)
    return m[tuple(index)]


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
    first, second = axes
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
    for by, along_axis in np.broadcast(shift, axis):
        length = a.shape[along_axis]
        by = int(by) % length if length else 0
        if by:
            before = (slice(None),) * (int(along_axis) % a.ndim)
            last, first = (slice(-by, None),), (slice(None, -by),)
            a = concatenate([a[before + last], a[before + first]], along_axis)
    return a[...] if axis == () else a


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
        named = {int(axis) % array.ndim: width for axis, width in pad_width.items()}
        pad_width = [named.get(axis, (0, 0)) for axis in range(array.ndim)]
    pairs = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    widths = [(int(before), int(after)) for before, after in pairs]
    if mode == "constant":
        return _pad(array, widths, plain(constant_values))
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

_tril = Op("tril", np.tril, lambda g, _y, _x, k: np.tril(g, k))
_triu = Op("triu", np.triu, lambda g, _y, _x, k: np.triu(g, k))


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """As ``numpy.tril``."""
    return _tril(m, k)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """As ``numpy.triu``."""
    return _triu(m, k)


# --- ordered --------------------------------------------------------------------------


def _reordered(a: Any, axis: int | None, reorder: Any) -> Any:
    """a gathered into the very order that ``reorder`` gives its values along the axis."""
    if axis is None:
        a, axis = np.reshape(a, -1), 0
    axis %= a.ndim
    values = plain(a)
    ranks = np.argsort(reorder(values, axis), axis=axis, kind="stable")
    order = np.empty_like(ranks)
    # The i-th smallest of the one order is the i-th smallest of the other.
    np.put_along_axis(order, ranks, np.argsort(values, axis=axis, kind="stable"), axis)
    return a[along(order, axis, a.shape)]


@implements(np.sort)
def sort(a: Any, axis: int | None = -1) -> Any:
    """As ``numpy.sort``; equal values keep their order, and with it their gradients."""
    return _reordered(a, axis, lambda values, axis: np.sort(values, axis, kind="stable"))


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """As ``numpy.partition``."""
    return _reordered(a, axis, lambda values, axis: np.partition(values, kth, axis))


@implements(np.median)
def median(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.median``, along one axis or all."""
    shape = [1] * a.ndim if axis is None else list(a.shape)
    if axis is not None:
        shape[axis] = 1
    ordered = np.moveaxis(sort(a, axis), 0 if axis is None else axis, -1)
    n = ordered.shape[-1]
    # A NaN is sorted to the end, and makes the result NaN as NumPy's.
    middle = np.mean(ordered[..., (n - 1) // 2 : n // 2 + 1], axis=-1) + 0 * ordered[..., -1]
    return np.reshape(middle, shape) if keepdims else middle
