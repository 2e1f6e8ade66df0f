"""Rows of the result: times of all sides, ratios, bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Row = dict[str, Any]
TOLERANCE = 1e-4  # of a loss, relative, between float32 sides that add in other orders


def rounded(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}")


def check_losses(
    name: str, losses: dict[str, Any], tolerances: dict[str, float] | None = None
) -> Row:
    """The largest relative difference of each side from NumPy's losses.

    Raises:
        AssertionError: one is more than the side's tolerance, or than ``TOLERANCE``: the sides
            do not do the same work.
    """
    reference = "numpy" if "numpy" in losses else next(iter(losses))
    wanted = np.asarray(losses[reference], np.float64)
    differences: Row = {}
    for side, values in losses.items():
        found = np.asarray(values, np.float64)
        # Some sides tell the mean alone.
        other = wanted if found.shape == wanted.shape else wanted.mean(axis=-1)
        difference = float(np.max(np.abs(found - other) / np.abs(other)))
        if not difference <= (tolerances or {}).get(side, TOLERANCE):
            raise AssertionError(
                f"{name}: the losses of {side} differ from those of {reference} by "
                f"{difference:.2g}, relative: {found.ravel()[:4]} and {other.ravel()[:4]}"
            )
        differences[side] = float(f"{difference:.2g}")
    return differences


def compared(seconds: dict[str, float], bars: dict[str, float]) -> list[Row]:
    """A row for each peer: how many times faster fastnn is, and whether that is enough."""
    return [
        {
            "side": side,
            "ratio": rounded(each / seconds["fastnn"]),
            "bar": bars.get(side),
            "met": each / seconds["fastnn"] >= bars[side] if side in bars else None,
        }
        for side, each in seconds.items()
        if side != "fastnn"
    ]


def two_epochs(run: Callable[[], np.ndarray]) -> np.ndarray:
    """The losses of the first two epochs: the second shows what the first has learned."""
    return np.array([np.array(run()), np.array(run())])
