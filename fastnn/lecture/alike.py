"""Which digits a linear classifier takes for one another: the confusion table."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import fastnn
from fastnn import functional as F
from fastnn.lecture.digits import images
from fastnn.lecture.nets import linear
from fastnn.lecture.page import Page
from fastnn.lecture.training import batches, descend, weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]

EPOCHS, BATCH_SIZE, LEARNING_RATE = 20, 32, 0.1
SHADES = " .:-=+*#%@"
LISTED, DRAWN = 6, 3


class Outcome(NamedTuple):
    """How a classifier did on the test images.

    Attributes:
        X: (359, 64), the images.
        y: (359,), their classes.
        predicted: (359,), the classes that it gave them.
        p: (359, 10), the probabilities that it gave to all of them.
    """

    X: Array
    y: Array
    predicted: Array
    p: Array


class Pair(NamedTuple):
    """Two classes, and how alike they are to the classifier.

    Attributes:
        a, b: the classes.
        misread: indices of the test images of one that were taken for the other.
        doubt: the mean probability that an image of one was given for the other.
    """

    a: int
    b: int
    misread: Array
    doubt: float


def classify() -> Outcome:
    """Train a linear classifier on the training part, and try it on the test part."""
    X, y, X_test, y_test = images()
    Ws = weights(64, 10)

    def loss(X: Any, y: Any, W: Any) -> Any:
        return fastnn.cross_entropy(linear(X, W), y)

    for _ in descend(loss, Ws, batches(X, y, BATCH_SIZE, EPOCHS), LEARNING_RATE):
        pass
    scores = linear(X_test, Ws[0].data)
    return Outcome(X_test, y_test, scores.argmax(axis=1), F.softmax(scores))


def confusion(y: Array, predicted: Array, classes: int = 10) -> Array:
    """(classes, classes): how often class i, the row, was taken for class j, the column."""
    table = np.zeros((classes, classes), int)
    np.add.at(table, (y, predicted), 1)
    return table


def most_alike(outcome: Outcome) -> list[Pair]:
    """The pairs that were confused, the most often confused first, then by the doubt."""
    y, predicted, p = outcome.y, outcome.predicted, outcome.p
    pairs = []
    for a, b in combinations(range(10), 2):
        misread = np.flatnonzero(((y == a) & (predicted == b)) | ((y == b) & (predicted == a)))
        doubt = (p[y == a, b].mean() + p[y == b, a].mean()) / 2
        if len(misread):
            pairs.append(Pair(a, b, misread, float(doubt)))
    return sorted(pairs, key=lambda pair: (-len(pair.misread), -pair.doubt))


def mean_image(outcome: Outcome, digit: int) -> Array:
    """What the images of a digit have in common, (64,)."""
    mean: Array = outcome.X[outcome.y == digit].mean(axis=0)
    return mean


def art(image: Array) -> list[str]:
    """An image (64,) as eight lines of text, two characters a pixel."""
    low, high = image.min(), image.max()
    shades = np.rint((image - low) / (high - low) * (len(SHADES) - 1)).astype(int)
    return ["".join(SHADES[shade] * 2 for shade in row) for row in shades.reshape(8, 8)]


def show(page: Page) -> None:
    """Print the confusion table, and the most confused pairs with their images."""
    outcome = classify()
    table = confusion(outcome.y, outcome.predicted)
    right, n = np.trace(table), len(outcome.y)
    page.say(
        f"""
        A linear classifier on the digits: {right} of {n} test images right, {right / n:.1%}. How
        often the digit of the row was taken for that of the column:
        """
    )
    page.table(
        {
            "": [f"{digit} |" for digit in range(10)],
            **{str(j): [str(count) if count else "." for count in table[:, j]] for j in range(10)},
        }
    )
    pairs = most_alike(outcome)[:LISTED]
    page.say("The most confused pairs; the doubt is the mean probability of the other one:")
    page.table(
        {
            "pair": [f"{pair.a} and {pair.b}" for pair in pairs],
            "misread": [f"{len(pair.misread)}" for pair in pairs],
            "doubt": [f"{pair.doubt:.1%}" for pair in pairs],
        }
    )
    for pair in pairs[:DRAWN]:
        page.lines(_side_by_side(outcome, pair))
    page.picture("alike", lambda figure: paint(figure, outcome, table, pairs[:DRAWN]))


def _panels(outcome: Outcome, pair: Pair) -> dict[str, Array]:
    """A misread image between the mean images of the two classes."""
    i = pair.misread[0]
    a, b = int(outcome.y[i]), int(outcome.predicted[i])
    return {
        f"the mean {a}": mean_image(outcome, a),
        f"a {a} read as {b}": outcome.X[i],
        f"the mean {b}": mean_image(outcome, b),
    }


def _side_by_side(outcome: Outcome, pair: Pair) -> list[str]:
    panels = _panels(outcome, pair)
    pictures = [art(image) for image in panels.values()]
    lines = ["    ".join(f"{title:^16}" for title in panels)]
    lines += ["    ".join(rows) for rows in zip(*pictures, strict=True)]
    return lines


def paint(figure: Figure, outcome: Outcome, table: Array, pairs: list[Pair]) -> None:
    """The confusion table, and beside it the most confused pairs."""
    halves: Any = figure.subfigures(1, 2, width_ratios=[1.1, 1])
    left, right = halves
    axes = left.subplots()
    mistakes = table - np.diag(np.diag(table))
    axes.imshow(mistakes, cmap="Oranges", vmax=mistakes.max() * 1.5)
    for i, j in np.argwhere(table):
        axes.text(j, i, table[i, j], ha="center", va="center", color="gray" if i == j else "black")
    axes.set(xticks=range(10), yticks=range(10), xlabel="taken for", ylabel="digit")
    grid = right.subplots(len(pairs), 3, squeeze=False)
    for row, pair in zip(grid, pairs, strict=True):
        for axes, (title, image) in zip(row, _panels(outcome, pair).items(), strict=True):
            axes.imshow(image.reshape(8, 8), cmap="gray_r")
            axes.set_title(title, fontsize="small")
            axes.axis("off")
