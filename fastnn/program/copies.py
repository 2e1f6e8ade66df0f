"""Copies and checks: calls that a recorder makes by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._kernels import _doorway
from fastnn.program.errors import CaptureError
from fastnn.program.memory import address_of
from fastnn.program.traced import Traced
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder


def empty(recorder: Recorder, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Traced:
    """A new array without values."""
    return recorder.empty(shape, dtype)


def fresh(recorder: Recorder, value: Any) -> Traced:
    """A new array with these values."""
    return copied(recorder, value, recorder.empty(value.shape, value.dtype))


def zeros(recorder: Recorder, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Traced:
    """A new array of zeros."""
    return copied(recorder, np.zeros((), dtype), recorder.empty(shape, dtype))


def copy(recorder: Recorder, value: Traced, order: Any) -> Traced:
    """As ``numpy.ndarray.copy``."""
    like = np.empty_like(value.array, order=order)
    return copied(recorder, value, recorder.empty(value.shape, value.dtype, like))


def laid_out(recorder: Recorder, value: Traced, strides: tuple[int, ...]) -> Traced:
    """A copy in the memory order of an array with these strides."""
    like = np.lib.stride_tricks.as_strided(value.array, value.shape, strides)  # is not read
    return copied(recorder, value, recorder.empty(value.shape, value.dtype, like))


def cast(recorder: Recorder, value: Traced, dtype: np.dtype[Any]) -> Traced:
    """A copy in another dtype."""
    like = np.empty_like(value.array, dtype)
    found = copied(recorder, value, recorder.empty(value.shape, dtype, like))
    return found.scalar() if value.is_scalar else found


def copied(recorder: Recorder, source: Any, target: Traced) -> Traced:
    """Copy an array into another, broadcast and cast."""
    array = source.array if isinstance(source, Traced) else np.asarray(source, target.dtype)
    kinds = [f"{each.dtype.kind}{each.dtype.itemsize}" for each in (array, target.array)]
    function = _doorway.OWN_LOOPS.get(("cast", *kinds))
    if function is None:
        raise CaptureError(f"a cast from {array.dtype} to {target.dtype} has no loop{where()}")
    recorder.refuse_read_only("a copy", target)
    while array.ndim > target.ndim and len(array) == 1:
        array = array[0, ...]  # which an assignment lets pass
    operands = [array, target.array]
    calls = list(_doorway.iterated(operands, True, False))
    recorder.loop("copy", (function, 0), operands, calls=calls)
    return target


def check_finite(recorder: Recorder, what: str, value: Traced) -> None:
    """A check that ends the replay, with an error that names ``what``."""
    kind = f"{value.dtype.kind}{value.dtype.itemsize}"
    function = (_doorway.OWN_LOOPS["check_finite", kind], 0)
    recorder.finite[len(recorder.tape)] = (what, value.array)
    recorder.keep(value)
    recorder.loop("check_finite", function, [value.array], shared=False, bound=0)


def label_hits(recorder: Recorder, scores: Traced, labels: Traced, hits: Traced) -> None:
    """The count of labels (N,) that the largest of the scores (N, C) hit."""
    kind = f"{scores.dtype.kind}{scores.dtype.itemsize}"
    operands = [scores.copy() if not scores.flags.c_contiguous else scores, labels, hits]
    arrays = [each.array for each in operands]
    recorder.tape.core(
        "label_hits", _doorway.OWN_LOOPS["label_hits", kind], 0, arrays,
        [address_of(each) for each in arrays], list(scores.shape), [],
    )  # fmt: skip
    recorder.recorded([hits.array], may_fail=False)
