"""The gradient of a loss over W, numerically: one coordinate after the other.

Right, but slow: a loss has to be computed for every single weight.  The analytic gradient
costs about two of them, whatever the number of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

import fastnn
from fastnn.lecture.digits import training_images
from fastnn.lecture.page import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]
Loss: TypeAlias = Callable[[Array], float]

H = 0.0001

# What the lecture prints: W, its loss, and the loss after h was added to a coordinate.  The
# data behind the loss are not known.
SLIDE_W = [0.34, -1.11, 0.78, 0.12, 0.55, 2.81, -3.1, -1.5, 0.33]
SLIDE_LOSS = 1.25347
SLIDE_LOSSES = [1.25322, 1.25353, 1.25347]


def numerical_gradient(loss: Loss, W: Array, h: float = H) -> Array:
    """(loss(W + h) - loss(W)) / h, with h added to one coordinate of W at a time."""
    W = W.copy()
    slopes = np.zeros_like(W)
    loss_at_W = loss(W)
    for i in np.ndindex(W.shape):
        old = W[i]
        W[i] = old + h
        slopes[i] = (loss(W) - loss_at_W) / h
        W[i] = old
    return slopes


def centred_gradient(loss: Loss, W: Array, h: float = H) -> Array:
    """As :func:`numerical_gradient`, but from both sides: twice as many losses, and better."""
    W = W.copy()
    slopes = np.zeros_like(W)
    for i in np.ndindex(W.shape):
        old = W[i]
        W[i] = old + h
        ahead = loss(W)
        W[i] = old - h
        slopes[i] = (ahead - loss(W)) / (2 * h)
        W[i] = old
    return slopes


class LinearClassifier:
    """A real loss over W: the softmax loss of the scores X W on the digits."""

    def __init__(self) -> None:
        self.X, self.y = training_images()
        self.W = 0.1 * np.random.default_rng(0).standard_normal((64, 10))
        self.evaluations = 0

    def loss(self, W: Any) -> Any:
        """A number for an array W, and a Tensor for a Tensor."""
        self.evaluations += 1
        loss = fastnn.cross_entropy(self.X @ W, self.y)
        return loss if isinstance(W, fastnn.Tensor) else loss.item()

    def analytic(self) -> Array:
        """The gradient by calculus: X' (p - one_hot(y)) / N, with p the probabilities."""
        N = len(self.y)
        scores = self.X @ self.W
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(N), self.y] -= 1
        gradient: Array = self.X.T @ p / N
        return gradient


def relative_error(a: Array, n: Array) -> float:
    """Of the gradient n as a whole: |a - n| / |a|, by Euclidean lengths."""
    return float(np.linalg.norm(a - n) / np.linalg.norm(a))


def show(page: Page) -> None:
    """Print the lecture's arithmetic, then the same on real data."""
    page.say(
        f"""
        The lecture's W = {SLIDE_W}, ...
        has the loss {SLIDE_LOSS}. With h = {H:g} added to one coordinate at a time:
        """
    )
    _slopes(page, SLIDE_W[:3], SLIDE_LOSS, SLIDE_LOSSES, digits=5)

    digits = LinearClassifier()
    W = digits.W
    loss = digits.loss(W)
    page.say(f"The same for a linear classifier on the digits, 64 x 10 weights, loss {loss:.7f}:")
    some = [(20, 0), (20, 1), (20, 2)]
    losses = []
    for i in some:
        ahead = W.copy()
        ahead[i] += H
        losses.append(digits.loss(ahead))
    _slopes(page, [W[i] for i in some], loss, losses, digits=7)

    digits.evaluations = 0
    gradients = {"numerical, one-sided": numerical_gradient(digits.loss, W)}
    page.say(
        f"The whole gradient took {digits.evaluations} losses, one for every weight and one at W."
        " Four ways:"
    )
    gradients["numerical, centred"] = centred_gradient(digits.loss, W)
    gradients["analytic, fastnn.grad"] = fastnn.grad(digits.loss)(W)
    gradients["analytic, by hand"] = exact = digits.analytic()
    page.table(
        {
            "": list(gradients),
            **{
                f"dW[{i[0]},{i[1]}]": [f"{each[i]:.7f}" for each in gradients.values()]
                for i in some
            },
            "relative error": [f"{relative_error(exact, n):.0e}" for n in gradients.values()],
        }
    )
    page.say(
        """
        By hand it is X^T (p - 1[y]) / N. So the analytic gradient is right, and it costs one
        forward and one backward pass: derive it, and check it numerically once.
        """
    )
    page.picture("numerical", paint)


def _slopes(
    page: Page, W: Sequence[float], loss: float, losses: Sequence[float], digits: int
) -> None:
    page.table(
        {
            "W": [f"{w:.2f}" for w in W],
            "W + h": [f"{w + H:.4f}" for w in W],
            "loss": [f"{each:.{digits}f}" for each in losses],
            "": [f"({each:.{digits}f} - {loss:.{digits}f}) / {H:g}" for each in losses],
            "dW": [f"{(each - loss) / H:.{digits - 4}f}" for each in losses],
        }
    )


def paint(figure: Figure) -> None:
    """Why h = 0.0001: the error over h, of twenty coordinates."""
    digits = LinearClassifier()
    rows = slice(20, 22)  # of W: the weights of two pixels

    def loss(some: Array) -> Any:
        W = digits.W.copy()
        W[rows] = some
        return digits.loss(W)

    exact = digits.analytic()[rows]
    steps = np.logspace(-12, 0, 25)
    axes = figure.add_subplot()
    for label, gradient in (
        ("(loss(W + h) − loss(W)) / h", numerical_gradient),
        ("(loss(W + h) − loss(W − h)) / 2h", centred_gradient),
    ):
        errors = [relative_error(exact, gradient(loss, digits.W[rows], h)) for h in steps]
        axes.loglog(steps, errors, "o-", label=label)
    axes.axvline(H, color="gray", linestyle=":")
    axes.set(
        xlabel="h (too small: the losses are rounded; too large: the loss is curved)",
        ylabel="relative error",
        title="The numerical gradient of a linear classifier on the digits",
    )
