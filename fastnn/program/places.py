"""Reading and writing traced arrays at an index: views, gathers and scatters."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastnn._kernels import _doorway
from fastnn.program.errors import CaptureError
from fastnn.program.memory import address_of
from fastnn.program.traced import Traced, array_of
from fastnn.program.ufuncs import apart
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def _is_view_index(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is Ellipsis
        or (isinstance(part, (slice, int, np.integer)) and not isinstance(part, bool))
        for part in parts
    )


def _view(x: Traced, index: Any) -> Traced:
    parts = index if isinstance(index, tuple) else (index,)
    # Without an ellipsis NumPy gives a scalar, a copy, for an index of a single element.
    return x.view_of(x.array[parts if any(p is Ellipsis for p in parts) else (*parts, ...)])


def getitem(recorder: Recorder, x: Traced, index: Any) -> Traced:
    """A view for a basic index, else a recorded gather."""
    if _is_view_index(index):
        view = _view(x, index)
        parts = index if isinstance(index, tuple) else (index,)
        is_element = view.ndim == 0 and not any(part is Ellipsis for part in parts)
        return view.copy().scalar() if is_element else view
    gathered: Traced = recorder.call("gather", _gather, x, index)
    return gathered


def _gather(recorder: Recorder, x: Traced, index: Any) -> Traced:
    offsets = _offsets(recorder, x, index)
    plain = tuple(map(array_of, index)) if isinstance(index, tuple) else array_of(index)
    expected = recorder.by_numpy(operator.getitem, x, plain)
    result = recorder.empty(offsets.shape, x.dtype, expected)
    _at_places(recorder, "gather", x, offsets, result.array)
    return result


def setitem(recorder: Recorder, x: Traced, index: Any, value: Any) -> None:
    """A copy into a view for a basic index, else a recorded scatter."""
    recorder.call("copy" if _is_view_index(index) else "scatter", _setitem, x, index, value)


def _setitem(recorder: Recorder, x: Traced, index: Any, value: Any) -> None:
    if _is_view_index(index):
        target = _view(x, index)
        if isinstance(value, Traced):
            value = apart(recorder, value, [target.array])
        recorder.copied(value, target)
        return
    offsets = _offsets(recorder, x, index)
    held = recorder.plain(value, x.dtype)
    values = np.broadcast_to(array_of(held), offsets.shape)
    _at_places(recorder, "scatter", x, offsets, values)


def add_at(recorder: Recorder, x: Any, index: Any, value: Any) -> None:
    """As ``np.add.at(x, index, value)``."""
    if not isinstance(x, Traced):
        raise CaptureError(
            "np.add.at would write to an array from outside the step, which is a constant of the "
            f"program: make it an argument{where()}"
        )
    inner = np.result_type(x.dtype, array_of(value))
    if not np.can_cast(inner, x.dtype, "same_kind"):
        raise TypeError(f"np.add.at: a result of {inner} cannot be written to {x.dtype}")
    if inner != x.dtype and inner.kind == "f":  # integers wrap around, at whatever time
        raise CaptureError(
            f"np.add.at adds in {inner} to an array of {x.dtype}, which cannot be captured: "
            f"cast the values with .astype{where()}"
        )
    offsets = _offsets(recorder, x, index)
    held = recorder.plain(value, x.dtype)
    values = np.broadcast_to(array_of(held), offsets.shape)
    _at_places(recorder, "scatter_add", x, offsets, values)


def _at_places(recorder: Recorder, name: str, x: Traced, offsets: Any, values: Array) -> None:
    kind: Any = x.dtype.itemsize
    if name == "scatter_add":
        kind = f"{x.dtype.kind}{x.dtype.itemsize}"
    function = _doorway.OWN_LOOPS.get((name, kind))
    if function is None:
        raise CaptureError(f"{name} has no loop in C for {x.dtype}{where()}")
    # One base for all places: an operand that does not move.
    places = offsets.array if isinstance(offsets, Traced) else offsets
    base = np.lib.stride_tricks.as_strided(x.array, places.shape, (0,) * places.ndim)
    # In C order, one by one: where a place repeats, the last or the sum counts.
    if isinstance(offsets, Traced) and not places.flags.c_contiguous:
        offsets = offsets.copy()
        places = offsets.array
    places = np.asarray(places, order="C")
    at, start, first = (address_of(each) for each in (base, places, values))
    strides = values.strides
    calls: list[Any] = []
    if values.flags.c_contiguous or not any(strides):
        if places.size:
            step = values.itemsize if any(strides) else 0
            calls = [([at, start, first], places.size, [0, 8, step])]
    elif places.size:
        n = places.shape[-1]
        for row, index in enumerate(np.ndindex(*places.shape[:-1])):
            ahead = sum(map(operator.mul, index, strides))
            calls.append(([at, start + row * 8 * n, first + ahead], n, [0, 8, strides[-1]]))
    operands = [base, places, values]
    if name != "gather":
        recorder.refuse_read_only("an assignment", x)
    written = values if name == "gather" else x.array
    recorder.loop(name, (function, 0), operands, calls=calls, shared=False, written=written)


def _offsets(recorder: Recorder, x: Traced, index: Any) -> Any:
    """Where each selected element lies, in bytes from the first: constant, or traced indices."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if not any(isinstance(each, Traced) for each in parts):
        strides = np.array(x.array.strides, np.int64)
        grid = np.zeros(x.shape, np.int64)
        for axis, (n, stride) in enumerate(zip(x.shape, strides, strict=True)):
            shape = [1] * x.ndim
            shape[axis] = n
            grid += (np.arange(n) * stride).reshape(shape)
        return np.ascontiguousarray(grid[index])
    if any(isinstance(each, Traced) and each.dtype == bool for each in parts):
        raise CaptureError(
            "a boolean mask computed in the step selects a number of elements that changes: use "
            f"np.where{where()}"
        )
    if len(parts) > x.ndim or any(
        each is None or each is Ellipsis or (isinstance(each, slice) and each != slice(None))
        for each in parts
    ):
        raise CaptureError(
            "an index computed in the step can stand beside other indices and full slices, not "
            f"beside None, ... and parts of axes{where()}"
        )
    return _traced_offsets(recorder, x, [*parts, *[slice(None)] * (x.ndim - len(parts))])


def _traced_offsets(recorder: Recorder, x: Traced, parts: list[Any]) -> Traced:
    full = [axis for axis, part in enumerate(parts) if isinstance(part, slice)]
    chosen = [axis for axis in range(x.ndim) if axis not in full]
    if chosen != list(range(chosen[0], chosen[-1] + 1)):
        raise CaptureError(f"indices on both sides of a full slice cannot be captured{where()}")
    indices = [
        each if hasattr(each, "ndim") else np.asarray(each)
        for each in (parts[axis] for axis in chosen)
    ]
    shape = np.broadcast_shapes(*(each.shape for each in indices))
    before, after = chosen[0], x.ndim - chosen[-1] - 1
    total: Any = np.zeros((1,) * (x.ndim - len(chosen) + len(shape)), np.int64)
    for axis, each in zip(chosen, indices, strict=True):
        checked = _checked(recorder, each, axis, x.shape[axis])
        lined_up = np.reshape(checked, (1,) * (len(shape) - each.ndim) + each.shape + (1,) * after)
        total = total + lined_up * x.array.strides[axis]
    for axis in full:
        grid = np.arange(x.shape[axis], dtype=np.int64) * x.array.strides[axis]
        position = axis if axis < before else axis - len(chosen) + len(shape)
        lined = [1] * (x.ndim - len(chosen) + len(shape))
        lined[position] = -1
        total = total + grid.reshape(lined)
    wanted = (*x.shape[:before], *shape, *x.shape[chosen[-1] + 1 :])
    return recorder.copied(total, recorder.empty(wanted, np.int64))


def _checked(recorder: Recorder, index: Any, axis: int, bound: int) -> Any:
    if not isinstance(index, Traced):
        return np.arange(bound)[index]
    wide = recorder.cast(index, np.dtype(np.int64))
    result = recorder.empty(wide.shape, np.int64)
    function = (_doorway.OWN_LOOPS["check_index", "i8"], 0)
    recorder.indexed_axes[len(recorder.tape)] = axis
    recorder.loop("check_index", function, [wide.array, result.array], shared=False, bound=bound)
    return result
