"""Mini-batches: a noisy loss, and many more steps for the same work.

The gradient of a few samples is a noisy estimate of that of all, at a fraction of its price.
The noise shrinks only as the root of the batch size; so small batches, and many steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import fastnn
from fastnn.lecture.digits import training_images
from fastnn.lecture.nets import two_layers
from fastnn.lecture.page import Page
from fastnn.lecture.training import batches, descend, weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]

EPOCHS, LEARNING_RATE = 5, 0.1
BATCH_SIZE = 32
DRAWN, DRAWS = (512, 128, 32, 8), 200
SIZES = (1438, 512, 128, 32)


class Curves(NamedTuple):
    """The losses of a run: (steps,) of the mini-batches, (steps + 1,) of all samples."""

    batch: Array
    full: Array


def loss(X: Any, y: Any, W1: Any, W2: Any) -> Any:
    """The softmax loss of the 2-layer net."""
    return fastnn.cross_entropy(two_layers(X, W1, W2), y)


def train(size: int) -> Curves:
    """Train for EPOCHS by mini-batches of that size."""
    X, y = training_images()
    Ws = weights(64, 100, 10)

    def of_all_samples() -> float:
        with fastnn.no_grad():
            value: float = loss(X, y, *Ws).item()
        return value

    batch, full = [], []
    for value in descend(loss, Ws, batches(X, y, size, EPOCHS), LEARNING_RATE):
        batch.append(value)
        full.append(of_all_samples())  # before the step
    return Curves(np.array(batch), np.array([*full, of_all_samples()]))


def noise(size: int, draws: int = DRAWS) -> tuple[float, float]:
    """Mean and standard deviation of the loss of random mini-batches, at the initial weights."""
    X, y = training_images()
    Ws = weights(64, 100, 10)
    rng = np.random.default_rng(1)
    losses = []
    with fastnn.no_grad():
        for _ in range(draws):
            chosen = rng.integers(0, len(X), size)
            losses.append(loss(X[chosen], y[chosen], *Ws).item())
    return float(np.mean(losses)), float(np.std(losses))


def show(page: Page) -> None:
    """Print what the size of a batch does, and the curves for one."""
    page.say(
        f"""
        A 2-layer net, 64-100-10, on 1438 digits, learning rate {LEARNING_RATE:g}. The loss of
        a random mini-batch at the initial weights, over {DRAWS} draws:
        """
    )
    noises = [noise(size) for size in DRAWN]
    page.table(
        {
            "batch size": [f"{size}" for size in DRAWN],
            "mean loss": [f"{mean:.3f}" for mean, _ in noises],
            "deviation": [f"{deviation:.3f}" for _, deviation in noises],
            "deviation x root of the size": [
                f"{deviation * size**0.5:.2f}"
                for size, (_, deviation) in zip(DRAWN, noises, strict=True)
            ],
        }
    )
    page.say(f"After {EPOCHS} epochs, so after the same work with every size:")
    runs = {size: train(size) for size in SIZES}
    page.table(
        {
            "batch size": ["all 1438", *(f"{size}" for size in SIZES[1:])],
            "steps": [f"{len(run.batch)}" for run in runs.values()],
            "loss of all samples": [f"{run.full[-1]:.3f}" for run in runs.values()],
        }
    )
    chosen, whole = runs[BATCH_SIZE], runs[len(training_images()[0])]
    page.say(f"Mini-batches of {BATCH_SIZE}, {len(chosen.batch)} steps:")
    page.chart(
        {
            "loss of the mini-batch": chosen.batch,
            "loss of all samples": chosen.full,
            f"{len(whole.batch)} steps of all samples": whole.full,
        },
        x=f"{EPOCHS} epochs",
        low=0,
    )

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        epochs = np.linspace(0, EPOCHS, len(chosen.full))
        axes.plot(epochs[:-1], chosen.batch, color="#a6cbe6", label="loss of the mini-batch")
        axes.plot(epochs, chosen.full, label="loss of all samples")
        axes.plot(range(len(whole.full)), whole.full, "o-", label="full-batch gradient descent")
        axes.set(
            xlabel="epoch",
            ylabel="loss",
            ylim=(0, None),
            title=f"Mini-batches of {BATCH_SIZE}, and all samples a step",
        )

    page.picture("minibatch", paint)
