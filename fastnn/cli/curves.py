"""The loss-curve picture of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

# Figure, not pyplot: no display is looked for, and no global state is touched.
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from fastnn.history import History

_TRAINING, _VALIDATION = "#1f77b4", "#d95f02"


def draw(history: History, title: str, file: BinaryIO) -> None:
    """Draw loss and accuracy over the epochs of ``history`` into ``file``, a PNG."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    epochs = np.arange(1, len(history) + 1)
    for place, (column, label) in enumerate([("data_loss", "loss"), ("accuracy", "accuracy")], 1):
        axes = figure.add_subplot(1, 2, place)
        for name, what, color in (
            (column, "training", _TRAINING),
            (f"val_{label}", "validation", _VALIDATION),
        ):
            if name in history:
                marker = "o" if len(history) < 3 else None
                axes.plot(epochs, history[name], color=color, label=what, marker=marker)
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        if label == "loss":
            axes.set_ylim(bottom=0)
    figure.savefig(file, format="png", dpi=150)
