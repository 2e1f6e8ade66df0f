"""Pictures by matplotlib, in the style of all of fastnn's."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

# Figure, not pyplot: no display is looked for, and no global state is touched.
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["save"]


def save(paint: Callable[[Figure], None], file: BinaryIO) -> None:
    """Let paint fill a figure, and write it into file as a PNG."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    paint(figure)
    for axes in figure.axes:
        if axes.lines:
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.25)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    figure.savefig(file, format="png", dpi=150)
