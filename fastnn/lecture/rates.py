"""The learning rate: too high, high, low, good.

The loss is the mean squared error of a linear classifier, (X W - one_hot(y))^2: a bowl, so that
the highest rate is known.  Across its steepest direction, of curvature c, a step takes W from
one side to the other, and beyond where it was if the rate is above 2/c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn import Tensor
from fastnn.lecture.digits import images
from fastnn.lecture.page import Page
from fastnn.lecture.training import accuracy, batches, descend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]

RATES = {"too high": 0.33, "high": 0.31, "low": 0.003, "good": 0.1}
EPOCHS, BATCH_SIZE = 6, 64


def loss(X: Any, y: Any, W: Any) -> Any:
    """Mean squared error of the scores against 1 for the right class and 0 for the others."""
    return np.mean((X @ W - np.eye(10)[y]) ** 2)


def highest_rate() -> float:
    """2/c, with c the largest eigenvalue of the matrix of second derivatives."""
    X, _, _, _ = images()
    second = 2 * X.T @ X / (10 * len(X))  # by the weights of one class, as by those of any
    return float(2 / np.linalg.eigvalsh(second)[-1])


def train(rate: float) -> tuple[Array, float]:
    """The loss of all samples before each step and at the end, and the test accuracy there."""
    X, y, X_test, y_test = images()
    W = Tensor(np.zeros((64, 10)), requires_grad=True, name="W")
    losses = [
        loss(X, y, W.data) for _ in descend(loss, [W], batches(X, y, BATCH_SIZE, EPOCHS), rate)
    ]
    return np.array([*losses, loss(X, y, W.data)]), accuracy(X_test @ W.data, y_test)


def show(page: Page) -> None:
    """Train with the four rates."""
    page.say(
        f"""
        A linear classifier with the squared error on the digits, mini-batches of {BATCH_SIZE}.
        Rates above 2/c = {highest_rate():.3f} are too high for this loss.
        """
    )
    runs = {name: train(rate) for name, rate in RATES.items()}
    steps = len(runs["good"][0]) // EPOCHS
    page.table(
        {
            "rate": [f"{name}, {RATES[name]:g}" for name in runs],
            **{
                f"epoch {epoch}": [f"{losses[epoch * steps]:.3g}" for losses, _ in runs.values()]
                for epoch in (0, 1, 2, 4, EPOCHS)
            },
            "test accuracy": [f"{share:.1%}" for _, share in runs.values()],
        }
    )
    page.lines(
        [
            "too high  steps overshoot by more than they correct: the loss grows without end",
            "high      falls fast, then stays high: W bounces between the walls of the valley",
            "low       falls all the time, but slowly",
            "good      falls fast, and goes on falling",
        ]
    )
    curves = {f"{name} ({RATES[name]:g})": losses for name, (losses, _) in runs.items()}
    page.chart(curves, x=f"{EPOCHS} epochs", low=0.03, high=0.5, log=True, height=16)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, losses in curves.items():
            axes.semilogy(np.linspace(0, EPOCHS, len(losses)), losses, label=name)
        axes.set(xlabel="epoch", ylabel="loss", ylim=(0.03, 1), title="The learning rate")

    page.picture("rates", paint)
