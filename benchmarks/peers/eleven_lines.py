"""The lecture's 11-line net: float64, 5000 iterations on four samples."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import PEERS_PAUSE, interleaved

from .rounds import Row, compared, rounded

NAME = "eleven-lines"
TITLE = "11-line net, float64, 5000 iterations"
BARS = {"numpy": 20.0, "jax": 1.0}
ITERATIONS = 5000
SECONDS = 6.0
TOLERANCE = 1e-9


def start() -> tuple[np.ndarray, ...]:
    """X and y, integers as the lecture has them, and the initial weights."""
    X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    y = np.array([[0, 1, 1, 0]]).T
    rng = np.random.default_rng(1)
    return X, y, 2 * rng.random((3, 4)) - 1, 2 * rng.random((4, 1)) - 1


def measured(sides: dict[str, ModuleType], quick: bool) -> Row:
    """Final weights compared, then seconds of the whole loop, by side.

    fastnn's time holds the capture where the other side does not compile; JAX's compiling
    and fastnn's capture are both left out where these two are compared.
    """
    n = 50 if quick else ITERATIONS
    X, y, w0, w1 = start()
    able = {name: side for name, side in sides.items() if hasattr(side, "eleven_lines")}
    runs = {name: side.eleven_lines(X, y, w0, w1, n) for name, side in able.items()}
    results = {name: run() for name, run in runs.items()}
    differences = {name: _difference(each, results["numpy"]) for name, each in results.items()}
    for name, difference in differences.items():
        if not difference <= TOLERANCE:
            raise AssertionError(f"{NAME}: the weights of {name} differ by {difference:.2g}")
    runs["capture"] = sides["fastnn"].eleven_lines(X, y, w0, w1, 1)
    best = interleaved(
        list(runs.values()), 0.0 if quick else SECONDS, 0.0 if quick else PEERS_PAUSE
    )
    seconds = dict(zip(runs, best, strict=True))
    capture = seconds.pop("capture")
    against = compared(seconds, BARS)
    replay = {**seconds, "fastnn": max(seconds["fastnn"] - capture, 1e-9)}
    for row, replayed in zip(against, compared(replay, BARS), strict=True):
        if row["side"] == "jax":
            row.update(replayed)
    return {
        "name": NAME,
        "title": TITLE,
        "unit": "run",
        "microseconds": {name: rounded(1e6 * each) for name, each in seconds.items()},
        "capture_microseconds": rounded(1e6 * capture),
        "weight_differences": {name: float(f"{each:.2g}") for name, each in differences.items()},
        "against": against,
    }


def _difference(found: Any, wanted: Any) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))
