"""Kernels of fastnn's on traced arrays: what eager code calls, recorded as the same call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._kernels.arguments import normalise
from fastnn._kernels.signatures import WRITTEN
from fastnn.program.errors import CaptureError
from fastnn.program.outside import Cell
from fastnn.program.traced import Traced
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder


def kernel_call(recorder: Recorder, kernel: Any, given: dict[str, Any]) -> Any:
    """Record a kernel's call, and make it; what it returns."""
    rows = kernel.arguments
    args = [
        _argument(recorder, row, given.get(row.name, row.default if row.is_scalar else None))
        for row in rows
    ]
    for row, each in zip(rows, args, strict=True):
        if row.role in WRITTEN and isinstance(each, np.ndarray):
            raise CaptureError(
                f"{kernel.name} would write to {row.name}, an array from outside the step, "
                f"which is a constant of the program: make it an argument{where()}"
            )
    arrays = [each.array if isinstance(each, Traced) else each for each in args]
    numbers = [
        (int(each) if row.role == "int" else float(each)) if isinstance(each, Cell) else each
        for row, each in zip(rows, arrays, strict=True)
    ]
    outputs = kernel.outputs(numbers)
    stand_ins: list[tuple[Any, Traced]] = []
    if outputs is None:
        stand_ins = _made_plain(recorder, kernel, args, numbers)
        outputs = kernel.outputs(numbers)
    results: list[Any] = []
    for i, (row, output) in enumerate(zip(rows, outputs, strict=True)):
        if row.role not in WRITTEN:
            continue
        if output is not None and numbers[i] is None:
            made = recorder.empty(output.shape, output.dtype)
            numbers[i] = made.array
            results.append(made)
        else:
            if row.is_output:
                results.append(args[i] if isinstance(args[i], Traced) else None)
    for i, number in enumerate(numbers):
        if isinstance(args[i], np.ndarray) and isinstance(number, np.ndarray):
            numbers[i] = recorder.constant(number, number.dtype)
    since = len(recorder.tape)
    recorder.tape.kernel(kernel, numbers, where())
    recorder.writes(
        [
            number
            for row, number in zip(rows, numbers, strict=True)
            if row.role in WRITTEN and isinstance(number, np.ndarray)
        ]
    )
    for position, each in enumerate(args):
        if isinstance(each, Cell):
            recorder.tape.link_scalar(
                since, position, each.values, 8 if recorder.capacity > 1 else 0
            )
    recorder.note(
        kernel.name,
        [
            (recorder.number(each), each.shape, each.dtype.str)
            if isinstance(each, np.ndarray)
            else each
            for each in (
                cell.key if isinstance(cell, Cell) else number
                for cell, number in zip(args, numbers, strict=True)
            )
        ],
    )
    recorder.run(since)
    written = [a for a, row in zip(args, rows, strict=True) if row.role in WRITTEN]
    for target, copy in stand_ins:
        recorder.copied(copy, target)
        results = [target if each is copy else each for each in results]
        written = [target if each is copy else each for each in written]
    if not results:
        return written[0]
    return results[0] if len(results) == 1 else tuple(results)


def _argument(recorder: Recorder, row: Any, value: Any) -> Any:
    if isinstance(value, Traced):
        wanted = {"labels": np.int64, "weights": np.float64, "in64": np.float64}.get(row.role)
        kinds = "iu" if row.role == "labels" else "biuf"
        if wanted is not None and value.dtype.kind in kinds and value.dtype != wanted:
            return recorder.cast(value, wanted)
    return value


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
