"""Curves as text, for a terminal that shows no pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["chart"]

_MARKS = ".ox#*+"


def chart(
    curves: Mapping[str, npt.ArrayLike],
    *,
    x: str = "",
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    width: int = 66,
    height: int = 12,
) -> list[str]:
    """The lines of a chart; every curve has a mark of its own, and later ones lie on top.

    Args:
        curves: at most six, each with its name: (n,) values at even distances from the
            left edge to the right one.  What is not finite or out of the chart is left out.
        x: what is written below the horizontal axis.
        low, high: the values at the lower and at the upper edge; None for those of the
            curves.
        log: whether equal factors take equal heights; values are then positive.
        width, height: of the field of marks, in characters.

    Raises:
        ValueError: there are more curves than marks.
    """
    if len(curves) > len(_MARKS):
        raise ValueError(f"a chart takes at most {len(_MARKS)} curves, got {len(curves)}")

    def scaled(y: Any) -> Any:
        return np.log(y) if log else y

    lines = {name: np.asarray(y, np.float64) for name, y in curves.items()}
    shown = np.concatenate([y[np.isfinite(y)] for y in lines.values()])
    low = float(shown.min()) if low is None else low
    high = float(shown.max()) if high is None else high
    bottom, top = scaled(low), scaled(high)
    field = np.full((height, width), " ")
    for mark, y in zip(_MARKS, lines.values(), strict=False):
        # Every point of a long curve, and no gaps in a short one.
        positions = np.linspace(0, 1, max(len(y), width))
        points = np.interp(positions, np.linspace(0, 1, len(y)), y)
        rows = np.rint((top - scaled(points)) / ((top - bottom) or 1) * (height - 1))
        columns = np.rint(positions * (width - 1)).astype(int)
        inside = (rows >= 0) & (rows < height)
        field[rows[inside].astype(int), columns[inside]] = mark
    labels = [f"{high:.3g}", *[""] * (height - 2), f"{low:.3g}"]
    margin = max(map(len, labels))
    texts = [
        f"{label:>{margin}} |{''.join(row)}".rstrip()
        for label, row in zip(labels, field, strict=True)
    ]
    texts.append(f"{'':{margin}} +{'-' * width}")
    if x:
        texts.append(f"{'':{margin}}  {x:^{width}}".rstrip())
    legend = "   ".join(f"{mark} {name}" for mark, name in zip(_MARKS, lines, strict=False))
    texts.append(f"{'':{margin}}  {legend}")
    return texts
