"""Linear, 2-layer and 3-layer nets in plain NumPy, trained on the digits.

    f = W x                          a linear classifier
    f = W2 max(0, W1 x)              a 2-layer net
    f = W3 max(0, W2 max(0, W1 x))   a 3-layer net

Here a batch of images is the rows of X, so the weights stand on its right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import fastnn
from fastnn import Tensor
from fastnn.lecture.digits import images
from fastnn.lecture.nodes import named
from fastnn.lecture.page import Page
from fastnn.lecture.training import accuracy, batches, descend, weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS, BATCH_SIZE, LEARNING_RATE = 20, 32, 0.1


def linear(X: Any, W: Any) -> Any:
    """f = W x."""
    return X @ W


def two_layers(X: Any, W1: Any, W2: Any) -> Any:
    """f = W2 max(0, W1 x)."""
    return np.maximum(0, X @ W1) @ W2


def three_layers(X: Any, W1: Any, W2: Any, W3: Any) -> Any:
    """f = W3 max(0, W2 max(0, W1 x))."""
    return np.maximum(0, np.maximum(0, X @ W1) @ W2) @ W3


NETS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "linear": (linear, (64, 10)),
    "2-layer": (two_layers, (64, 100, 10)),
    "3-layer": (three_layers, (64, 100, 50, 10)),
}


class Trained(NamedTuple):
    """How a net did: its training loss after each epoch, and its accuracies at the end."""

    losses: list[float]
    training: float
    test: float


def train(name: str) -> Trained:
    """Train one of NETS by mini-batch gradient descent on the softmax loss."""
    net, widths = NETS[name]
    X, y, X_test, y_test = images()
    Ws = weights(*widths)

    def loss(X: Any, y: Any, *Ws: Any) -> Tensor:
        return fastnn.cross_entropy(net(X, *Ws), y)

    steps = list(descend(loss, Ws, batches(X, y, BATCH_SIZE, EPOCHS), LEARNING_RATE))
    final = [W.data for W in Ws]
    return Trained(
        [float(np.mean(epoch)) for epoch in np.array_split(steps, EPOCHS)],
        accuracy(net(X, *final), y),
        accuracy(net(X_test, *final), y_test),
    )


def small_graph() -> Tensor:
    """The loss of an untrained 2-layer net on five digits, with names for what it is made of."""
    X, y, _, _ = images()
    W1, W2 = weights(64, 100, 10)
    hidden = named("h", np.maximum(0, X[:5] @ W1))
    scores = named("scores", hidden @ W2)
    return named("loss", fastnn.cross_entropy(scores, y[:5]))


def show(page: Page) -> None:
    """Train the three nets and print how they did."""
    page.say("The loss of a 2-layer net, f = W2 max(0, W1 x), on five digits:")
    page.graph(small_graph(), "nets")
    page.say(
        f"Three nets on the digits, {EPOCHS} epochs of mini-batches of {BATCH_SIZE}, "
        f"learning rate {LEARNING_RATE:g}:"
    )
    trained = {name: train(name) for name in NETS}
    results = trained.values()
    page.table(
        {
            "net": list(NETS),
            "widths": ["-".join(map(str, widths)) for _, widths in NETS.values()],
            "weights": [
                f"{sum(W.size for W in weights(*widths)):,}" for _, widths in NETS.values()
            ],
            "first loss": [f"{each.losses[0]:.3f}" for each in results],
            "last loss": [f"{each.losses[-1]:.3f}" for each in results],
            "training": [f"{each.training:.1%}" for each in results],
            "test": [f"{each.test:.1%}" for each in results],
        }
    )
    page.chart(
        {name: each.losses for name, each in trained.items()}, x="epochs", log=True, height=11
    )

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, each in trained.items():
            axes.plot(range(1, EPOCHS + 1), each.losses, label=f"{name}, test {each.test:.1%}")
        axes.set(
            xlabel="epoch", ylabel="training loss", ylim=(0, None), xticks=range(0, EPOCHS + 1, 5)
        )

    page.picture("nets-training", paint)
