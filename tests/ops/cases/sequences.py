"""Cases of differences, integrals, interpolation, windows and polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from ops.harness import Case, Plain, case, rounded

from fastnn.ops import sequences

_RNG = np.random.default_rng(15)
X = np.asarray(_RNG.uniform(-2, 2, (2, 3, 4)))
ROW = np.asarray(_RNG.uniform(-2, 2, 6))
POINTS = np.array([-1.0, -0.3, 0.1, 0.8, 1.5, 2.4])
VALUES = np.asarray(_RNG.uniform(-2, 2, 6))
AT = np.array([[-2.0, -0.7, 0.0], [0.33, 1.9, 3.0]])


def _convolutions(f: Any) -> list[Case]:
    return [
        rounded(f, ROW[:n], POINTS[:m], mode=mode)
        for mode in ("full", "same", "valid")
        for n, m in ((6, 3), (3, 6), (5, 5), (6, 2), (2, 5), (1, 1))
    ]


def _summed_windows(
    g: Any, shape: tuple[int, ...], lengths: tuple[int, ...], axes: tuple[int, ...]
) -> Any:
    """The oracle: each place of x gets what every window that contains it has for it."""
    numbers = sliding_window_view(np.arange(np.prod(shape)).reshape(shape), lengths, axes)
    return np.bincount(numbers.ravel(), g.ravel(), np.prod(shape)).reshape(shape).astype(g.dtype)


ROWS: dict[Any, list[Case]] = {
    np.diff: [
        case(np.diff, X),
        case(np.diff, X, 2),
        case(np.diff, X, 0),
        case(np.diff, X, axis=0),
        case(np.diff, X, n=2, axis=-2),
        case(np.diff, ROW),
    ],
    np.trapezoid: [
        case(np.trapezoid, X),
        case(np.trapezoid, X, dx=0.3, axis=1),
        case(np.trapezoid, X, POINTS[:4]),
        case(np.trapezoid, X, POINTS[:3], axis=1),
        case(np.trapezoid, X, X + 1, axis=0),
        case(np.trapezoid, ROW, [0, 1, 3, 4, 6, 7]),
        case(np.trapezoid, [1, 2, 3, 4, 5, 6], ROW),
    ],
    np.gradient: [
        case(np.gradient, X),
        case(np.gradient, X, 0.5),
        case(np.gradient, X, 0.5, 1.5, 2.0),
        case(np.gradient, X, axis=1),
        case(np.gradient, X, axis=(0, -1)),
        rounded(np.gradient, X, POINTS[:4], axis=-1),
        rounded(np.gradient, X, Plain(POINTS[:3]), axis=1),
        rounded(np.gradient, X, 2.0, Plain(POINTS[:4]), axis=(0, 2)),
        case(np.gradient, ROW),
        case(np.gradient, ROW[:2]),
    ],
    np.interp: [
        rounded(np.interp, AT, POINTS, VALUES),
        rounded(np.interp, AT, Plain(POINTS), VALUES),
        rounded(np.interp, AT, [-1, 1, 2], [1.0, 3.0, 2.0]),
        rounded(np.interp, 0.45, POINTS, VALUES),
        rounded(np.interp, POINTS + 0.01, POINTS, VALUES),
        rounded(np.interp, AT, POINTS, VALUES, left=-5, right=7.5),
        rounded(np.interp, AT, POINTS[:1], VALUES[:1]),
        rounded(np.interp, [-1, 0, 1], POINTS + 0.05, VALUES),
    ],
    sliding_window_view: [
        case(sliding_window_view, ROW, 3),
        case(sliding_window_view, X, (1, 2, 2)),
        case(sliding_window_view, X, 2, axis=1),
        case(sliding_window_view, X, (2, 3), axis=(1, -1)),
        case(sliding_window_view, X, (2, 2), axis=(2, 2)),
    ],
    sequences.added_windows: [
        rounded(sequences.added_windows, X[0, :, :2], (4,), (2,), (0,), oracle=_summed_windows),
        rounded(
            sequences.added_windows,
            np.asarray(_RNG.uniform(-2, 2, (3, 3, 2, 3))),
            (4, 5),
            (2, 3),
            (0, 1),
            oracle=_summed_windows,
        ),
    ],
    np.convolve: _convolutions(np.convolve),
    np.polyval: [
        case(np.polyval, ROW[:3], AT),
        case(np.polyval, ROW[:3], 0.3),
        case(np.polyval, [1, 2, 3], AT),
        case(np.polyval, ROW[:1], AT),
    ],
    np.sinc: [case(np.sinc, AT + 0.1), case(np.sinc, np.float64(0.5))],
}
