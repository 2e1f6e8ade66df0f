"""What a program consists of, and where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.runtime import get_num_threads, peak_gflops

if TYPE_CHECKING:
    from fastnn.program.replay import Recording


def call_table(recording: Recording) -> str:
    """A line for each call: its number, its name, the shapes of its operands."""
    lines = [f"{len(recording.tape.calls)} calls, {_bytes(recording.nbytes)}"]
    for number, (name, shapes) in enumerate(recording.tape.calls):
        lines.append(f"{number:4}  {name:<22} {_shapes(shapes)}")
    return "\n".join(lines)


def profile_table(recording: Recording, steps: int) -> str:
    """Seconds of each call, with its GFLOP/s or GB/s and its share of the measured peak."""
    recorder = recording.recorder
    before = [(array, array.copy()) for array in recorder.changeable]
    recorder.load_cells()
    recording.tape.profile()
    recording.tape.run(0, steps, profile=True)
    seconds = [each / steps for each in recording.tape.profile()]
    for array, values in before:
        array[...] = values
    recorder.tape.raised()
    peak = peak_gflops(get_num_threads())
    total = sum(seconds)
    lines = [
        f"{total * 1e6:,.1f} µs a step on {get_num_threads()} threads, peak {peak:.0f} GFLOP/s",
        f"{'':4}  {'call':<22} {'µs':>9} {'share':>6} {'GFLOP/s':>8} {'GB/s':>6} {'of peak':>7}",
    ]
    for number, ((name, shapes), each) in enumerate(
        zip(recording.tape.calls, seconds, strict=True)
    ):
        work, moved = _work(name, shapes, recording.tape.itemsize(number))
        rate = work / max(each, 1e-12) / 1e9
        bandwidth = moved / max(each, 1e-12) / 1e9
        share = f"{100 * rate / peak:.0f} %" if work else ""
        lines.append(
            f"{number:4}  {name:<22} {each * 1e6:9.2f} {100 * each / total:5.1f} % "
            f"{f'{rate:.1f}' if work else '':>8} {bandwidth:6.1f} {share:>7}  {_shapes(shapes)}"
        )
    return "\n".join(lines)


def _work(name: str, shapes: list[Any], itemsize: int) -> tuple[float, float]:
    """Operations (of products alone) and bytes of a call."""
    known = [shape for shape in shapes if shape is not None]
    moved = itemsize * sum(float(np.prod(shape)) for shape in known)
    if name in ("matmul", "linear") and len(known[0]) == 2 == len(known[1]):
        (m, k), n = known[0], known[1][-1]
        return 2.0 * m * k * n, moved
    if name == "linear_backward":
        (n, c), d = known[0], known[1][1]
        wanted = sum(shape is not None and len(shape) == 2 for shape in shapes[3:5])
        return 2.0 * n * c * d * wanted, moved
    return 0.0, moved


def _shapes(shapes: list[Any]) -> str:
    return " ".join("×".join(map(str, shape)) or "1" for shape in shapes if shape is not None)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
