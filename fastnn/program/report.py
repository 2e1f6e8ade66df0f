"""What a program consists of, and where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.runtime import get_num_threads, peak_gflops

if TYPE_CHECKING:
    from fastnn.program.recording import Recording


def call_table(recording: Recording) -> str:
    """A line for each call: its number, its name, the shapes of its operands."""
    lines = [f"{_title(recording)}: {len(recording.tape)} calls, {_bytes(recording.nbytes)}"]
    wide = _width(recording)
    for number, (name, shapes) in enumerate(recording.tape.calls):
        if recording.tape.is_fused(number):
            continue
        lines.append(f"{number:4}  {name:<{wide}} {_shapes(shapes)}")
    return "\n".join(lines)


def _title(recording: Recording) -> str:
    kinds = [f"{each.dtype} {_shape(each.shape)}" for each in recording.arguments]
    return f"arguments {', '.join(kinds)}" if kinds else "no arguments"


def profile_table(recording: Recording, steps: int) -> str:
    """Seconds of each call, with its GFLOP/s or GB/s and its share of the measured peak."""
    recorder = recording.recorder
    before = [(array, array.copy()) for array in recorder.changeable]
    recorder.load_cells()
    recording.tape.profile()  # which forgets what was measured before
    for _ in range(steps):
        stop = recording.tape.run(0, 1)[1]  # which wakes the threads, as steps in a row find them
        if stop not in ("status", "trouble"):
            stop = recording.tape.run(0, 1, profile=True)[1]
        for array, values in before:
            array[...] = values
        recording.tape.raised()
        if stop in ("status", "trouble"):
            recorder.fail()
    seconds = [each / steps for each in recording.tape.profile()]
    calls = recording.tape.calls
    threads = get_num_threads()
    used = {
        recording.tape.itemsize(number)
        for number, (name, _) in enumerate(calls)
        if _main(name) in _PRODUCTS
    }
    peaks = {size: peak_gflops(threads, f"f{size}") for size in sorted(used & {4, 8})}
    measured = ", ".join(f"{peak:.0f} GFLOP/s in float{8 * size}" for size, peak in peaks.items())
    peak = f", peak {measured}" if peaks else ""
    team = f"{threads} thread{'s' if threads > 1 else ''}"
    total = sum(seconds)
    wide = _width(recording)
    lines = [
        f"{_title(recording)}: {total * 1e6:,.1f} µs a step on {team}{peak}",
        (
            f"{'':4}  {'call':<{wide}} {'µs':>9} {'share':>7} {'GFLOP/s':>8} {'of peak':>7} "
            f"{'GB/s':>6}"
        ),
    ]
    for number, ((name, shapes), each) in enumerate(zip(calls, seconds, strict=True)):
        if recording.tape.is_fused(number):
            continue
        itemsize = recording.tape.itemsize(number)
        work, moved = _work(name, shapes, itemsize)
        rate = work / max(each, 1e-12) / 1e9
        is_product = work > 0 and itemsize in peaks
        share = f"{100 * rate / peaks[itemsize]:.0f} %" if is_product else ""
        lines.append(
            f"{number:4}  {name:<{wide}} {each * 1e6:9.2f} {100 * each / max(total, 1e-12):5.1f} % "
            f"{f'{rate:.1f}' if is_product else '':>8} {share:>7} "
            f"{moved / max(each, 1e-12) / 1e9:6.1f}  {_shapes(shapes)}"
        )
    return "\n".join(lines)


def _width(recording: Recording) -> int:
    return max(len(name) for name, _ in recording.tape.calls)


_PRODUCTS = ("matmul", "linear", "linear_backward", "conv2d", "conv2d_backward")


def _main(name: str) -> str:
    """The product among the calls that are made together, or the first of them."""
    names = name.split("+")
    return next((each for each in names if each in _PRODUCTS), names[0])


def _work(name: str, shapes: list[Any], itemsize: int) -> tuple[float, float]:
    """Operations (of products alone; a convolution's as it is defined) and bytes of a call."""
    name = _main(name)
    known = [shape for shape in shapes if shape is not None]
    moved = itemsize * sum(float(np.prod(shape)) for shape in known)
    if name in ("matmul", "linear") and len(known[0]) == 2 == len(known[1]):
        (m, k), n = known[0], known[1][-1]
        return 2.0 * m * k * n, moved
    if name == "linear_backward":
        (n, c), d = known[0], known[1][1]
        wanted = sum(shape is not None and len(shape) == 2 for shape in shapes[3:5])
        return 2.0 * n * c * d * wanted, moved
    if name == "conv2d":
        return 2.0 * float(np.prod(shapes[3])) * float(np.prod(shapes[1][1:])), moved
    if name == "conv2d_backward":
        wanted = sum(shape is not None for shape in shapes[3:5])
        return 2.0 * float(np.prod(shapes[0])) * float(np.prod(shapes[2][1:])) * wanted, moved
    return 0.0, moved


def _shapes(shapes: list[Any]) -> str:
    return "  ".join(_shape(shape) for shape in shapes if shape is not None)


def _shape(shape: Any) -> str:
    return "×".join(map(str, shape)) or "()"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
