"""Rows that put arrays together and take them apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from fastnn.ops.indexing import take
from fastnn.ops.op import Op, as_array, implements, newer, plain

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
    return [as_array(each) for each in values]


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
    if len(shapes) != 1:
        raise ValueError(f"stack wants arrays of one shape, got {sorted(shapes)}")
    return _concatenate(axis, *(np.expand_dims(each, axis) for each in arrays))


@implements(*newer("unstack"))
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """As ``numpy.unstack``."""
    return tuple(np.moveaxis(x, axis, 0))


@implements(np.block)
def block(arrays: Any) -> Any:
    """As ``numpy.block``: nested lists of arrays, joined along the last axes."""
    depth, ndim = _depth(arrays), max(each.ndim for each in _leaves(arrays))
    return _blocks(arrays, depth, max(depth, ndim))


def _depth(arrays: Any) -> int:
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(each) for each in arrays}
    if len(depths) != 1:
        raise ValueError("block wants lists that are equally deep, and not empty")
    return 1 + depths.pop()


def _leaves(arrays: Any) -> list[Any]:
    if not isinstance(arrays, list):
        return [as_array(arrays)]
    return [leaf for each in arrays for leaf in _leaves(each)]


def _blocks(arrays: Any, depth: int, ndim: int) -> Any:
    if depth == 0:
        array = as_array(arrays)
        return np.reshape(array, (1,) * (ndim - array.ndim) + array.shape)
    return concatenate([_blocks(each, depth - 1, ndim) for each in arrays], -depth)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """As ``numpy.meshgrid``."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing must be 'xy' or 'ij', got {indexing!r}")
    ndim = len(xi)
    grids = [
        np.reshape(as_array(each), (1,) * place + (-1,) + (1,) * (ndim - 1 - place))
        for place, each in enumerate(xi)
    ]
    if indexing == "xy" and ndim > 1:
        grids = [np.swapaxes(grid, 0, 1) for grid in grids]
    if not sparse:
        grids = list(np.broadcast_arrays(*grids))
    return tuple(np.copy(grid) if copy else grid for grid in grids)


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
    axis = normalize_axis_index(axis, ary.ndim)
    pieces = split(np.arange(ary.shape[axis]), plain(sections))
    before = (slice(None),) * axis
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


def _wants_axes(ary: Any, least: int, name: str) -> None:
    if ary.ndim < least:
        raise ValueError(f"{name} wants an array of {least} or more axes, got shape {ary.shape}")


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> Any:
    """As ``numpy.vsplit``."""
    _wants_axes(ary, 2, "vsplit")
    return split(ary, indices_or_sections, 0)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> Any:
    """As ``numpy.hsplit``."""
    _wants_axes(ary, 1, "hsplit")
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> Any:
    """As ``numpy.dsplit``."""
    _wants_axes(ary, 3, "dsplit")
    return split(ary, indices_or_sections, 2)


# --- in between ------------------------------------------------------------------------


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """As ``numpy.insert``."""
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = np.reshape(arr, -1), 0
    axis = normalize_axis_index(axis, arr.ndim)
    length = arr.shape[axis]
    places = np.arange(*obj.indices(length)) if isinstance(obj, slice) else np.asarray(plain(obj))
    places = np.flatnonzero(places) if places.dtype == bool else places.astype(np.intp)
    values = np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
    if places.ndim == 0:
        # At a single place NumPy takes the values' first axis for the one that grows.
        values = np.moveaxis(values, 0, axis)
    shape = list(arr.shape)
    shape[axis] = values.shape[axis] if places.size == 1 else places.size
    both = concatenate([arr, np.broadcast_to(values, shape).astype(arr.dtype)], axis)
    # NumPy itself says where the values go, by inserting their numbers.
    return take(both, np.insert(np.arange(length), places, length + np.arange(shape[axis])), axis)
