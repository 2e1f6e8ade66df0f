"""A net in eleven lines of NumPy, with its own backward pass and its own update.

Source: A. Trask, A Neural Network in 11 lines of Python, 2015, as the lecture shows it; the
seed and the errors to compare with are his.  Its deltas are the chain rule for half the sum of
the squared errors, with a learning rate of 1; fastnn's gradients agree with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn import Tensor
from fastnn.lecture.nodes import named
from fastnn.lecture.page import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]
Layers: TypeAlias = "tuple[Array, Array]"

X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
y = np.array([[0, 1, 1, 0]]).T

ITERATIONS, BY_GRAPH = 60000, 5000
# The mean of |y - l2| before iterations 0, 10000, ... 50000, as the author printed it.
TRASK = [0.496410031903, 0.00858452565325, 0.00578945986251]
TRASK += [0.00462917677677, 0.00395876528027, 0.00351012256786]


def initial() -> Layers:
    """Weights from -1 to 1, of the layers 3 to 4 and 4 to 1."""
    random = np.random.RandomState(1).random_sample
    return 2 * random((3, 4)) - 1, 2 * random((4, 1)) - 1


def train(syn0: Array, syn1: Array, iterations: int) -> tuple[Layers, Array]:
    """The eleven lines, which also note the errors (iterations,)."""
    errors = np.empty(iterations)
    for j in range(iterations):
        l1 = 1 / (1 + np.exp(-(np.dot(X, syn0))))
        l2 = 1 / (1 + np.exp(-(np.dot(l1, syn1))))
        l2_delta = (y - l2) * (l2 * (1 - l2))
        l1_delta = l2_delta.dot(syn1.T) * (l1 * (1 - l1))
        errors[j] = np.abs(y - l2).mean()
        syn1 = syn1 + l1.T.dot(l2_delta)
        syn0 = syn0 + X.T.dot(l1_delta)
    return (syn0, syn1), errors


def loss(syn0: Any, syn1: Any) -> Any:
    """What the eleven lines minimize without saying so: sum((y - l2)^2) / 2."""
    l1 = named("l1", 1 / (1 + np.exp(-(np.dot(X, syn0)))))
    l2 = named("l2", 1 / (1 + np.exp(-(np.dot(l1, syn1)))))
    return named("loss", np.sum((y - l2) ** 2) / 2)


def train_by_graph(syn0: Array, syn1: Array, iterations: int) -> Layers:
    """The same, but the graph finds the gradients: three lines for the way back."""
    a = Tensor(syn0, requires_grad=True, name="syn0")
    b = Tensor(syn1, requires_grad=True, name="syn1")
    for _ in range(iterations):
        loss(a, b).backward()
        for each in (a, b):
            each.data -= each.grad
            each.grad = None
    return a.data, b.data


def predict(syn0: Array, syn1: Array) -> Array:
    """The output of the net for the four rows of X."""
    output: Array = 1 / (1 + np.exp(-(1 / (1 + np.exp(-(X @ syn0))) @ syn1)))
    return output.ravel()


def show(page: Page) -> None:
    """Train it both ways."""
    (final, errors) = train(*initial(), ITERATIONS)
    page.say(f"The errors, mean |y - l2|, over {ITERATIONS} iterations:")
    at = range(0, ITERATIONS, ITERATIONS // len(TRASK))
    page.table(
        {
            "iteration": [f"{j}" for j in at],
            "here": [f"{errors[j]:.10f}" for j in at],
            "its author's": [f"{error:.10f}" for error in TRASK],
        }
    )
    page.say("What it has learned, exclusive or of the first two inputs:")
    page.table(
        {
            "x": [str(row) for row in X],
            "y": [str(label) for label in y.ravel()],
            "the net": [f"{p:.4f}" for p in predict(*final)],
        }
    )
    by_hand, _ = train(*initial(), BY_GRAPH)
    by_graph = train_by_graph(*initial(), BY_GRAPH)
    apart = max(np.abs(a - b).max() for a, b in zip(by_hand, by_graph, strict=True))
    page.say(
        f"""
        With fastnn's gradients of sum((y - l2)^2) / 2 in the place of the deltas, the weights
        after {BY_GRAPH} iterations differ from those of the eleven lines by {apart:.0e} at most.
        The graph of one iteration:
        """
    )
    page.graph(loss(*_tensors()), "eleven")
    page.picture("eleven-error", lambda figure: paint(figure, errors))


def _tensors() -> list[Tensor]:
    return [Tensor(each, requires_grad=True, name=f"syn{i}") for i, each in enumerate(initial())]


def paint(figure: Figure, errors: Array) -> None:
    """The error over the iterations."""
    axes = figure.add_subplot()
    axes.loglog(np.arange(1, len(errors) + 1), errors)
    axes.set(xlabel="iteration", ylabel="mean |y − l2|", title="The net in eleven lines")
