"""Kernels of fastnn's on traced arrays: what eager code calls, recorded as the same call."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._kernels.arguments import normalise
from fastnn._kernels.signatures import WRITTEN, may_fail
from fastnn.program.errors import CaptureError
from fastnn.program.outside import Cell
from fastnn.program.traced import Traced
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder


def kernel_call(recorder: Recorder, kernel: Any, given: dict[str, Any]) -> Any:
    """Record a kernel's call; what it returns."""
    return recorder.call(kernel.name, _kernel_call, kernel, given)


def _kernel_call(recorder: Recorder, kernel: Any, given: dict[str, Any]) -> Any:
    rows, is_written, can_fail = _rows_of(kernel)
    args = [given.get(name, default) for name, default, _ in rows]
    for i, (_, _, row) in enumerate(rows):
        each = args[i]
        if isinstance(each, Traced):
            args[i] = _argument(recorder, row, each)
        elif is_written[i] and isinstance(each, np.ndarray):
            raise CaptureError(
                f"{kernel.name} would write to {row.name}, an array from outside the step, "
                f"which is a constant of the program: make it an argument{where()}"
            )
    numbers = [
        each.array
        if isinstance(each, Traced)
        else (int(each) if row.role == "int" else float(each))
        if isinstance(each, Cell)
        else each
        for (_, _, row), each in zip(rows, args, strict=True)
    ]
    outputs = kernel.outputs(numbers)
    stand_ins: list[tuple[Any, Traced]] = []
    if outputs is None:
        stand_ins = _made_plain(recorder, kernel, args, numbers)
        outputs = kernel.outputs(numbers)
    results: list[Any] = []
    for i, output in enumerate(outputs):
        if not is_written[i]:
            continue
        if output is not None and numbers[i] is None:
            made = recorder.empty(output.shape, output.dtype, name=kernel.name)
            numbers[i] = made.array
            results.append(made)
        elif rows[i][2].is_output:
            results.append(args[i] if isinstance(args[i], Traced) else None)
    since = len(recorder.tape)
    recorder.tape.kernel(kernel, numbers)
    for position, each in enumerate(args):
        if isinstance(each, Cell):
            recorder.tape.link_scalar(
                since, position, each.values, 8 if recorder.capacity > 1 else 0
            )
    changed = [
        number
        for number, writes in zip(numbers, is_written, strict=True)
        if writes and isinstance(number, np.ndarray)
    ]
    recorder.recorded(changed, can_fail)
    written = [each for each, writes in zip(args, is_written, strict=True) if writes]
    for target, copy in stand_ins:
        recorder.copied(copy, target)
        results = [target if each is copy else each for each in results]
        written = [target if each is copy else each for each in written]
    if not results:
        return written[0]
    return results[0] if len(results) == 1 else tuple(results)


@cache
def _rows_of(kernel: Any) -> tuple[list[tuple[str, Any, Any]], list[bool], bool]:
    """(name, default, row) of each argument, which of them it writes to, and whether it may fail:
    whether values exist with which it ends a replay."""
    rows = [(row.name, row.default if row.is_scalar else None, row) for row in kernel.arguments]
    can_fail = may_fail(kernel.name, kernel.arguments)
    return rows, [row.role in WRITTEN for row in kernel.arguments], can_fail


def _argument(recorder: Recorder, row: Any, value: Traced) -> Traced:
    wanted = _WANTED.get(row.role)
    if wanted is not None:
        kinds = "biuf" if wanted == np.float64 else "iu"
        if value.dtype.kind in kinds and value.dtype != wanted:
            return recorder.cast(value, wanted)
    return value


_WANTED = {
    "labels": np.dtype(np.int64),
    "weights": np.dtype(np.float64),
    "in64": np.dtype(np.float64),
}


def _made_plain(
    recorder: Recorder, kernel: Any, args: list[Any], numbers: list[Any]
) -> list[tuple[Any, Traced]]:
    """Make the arguments plain, by recorded copies where they were not.

    Returns (the array to be written, the plain array that is written in its stead).
    """
    given = {
        row.name: value
        for row, value in zip(kernel.arguments, numbers, strict=True)
        if not (row.is_scalar and value is None)
    }
    plain, _ = normalise(kernel.name, kernel.arguments, given)
    stand_ins = []
    for i, row in enumerate(kernel.arguments):
        before, after = args[i], plain[i]
        numbers[i] = after
        if isinstance(before, Traced) and after is not before.array:
            copy = recorder.empty(after.shape, after.dtype)
            if row.role in WRITTEN:
                stand_ins.append((before, copy))
            if not row.is_output:
                recorder.copied(before, copy)
            args[i], numbers[i] = copy, copy.array
    return stand_ins
