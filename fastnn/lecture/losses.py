"""Hinge and softmax side by side, when the scores move a little.

    hinge    L = sum over j != y of max(0, s_j - s_y + 1)
    softmax  L = -log(exp(s_y) / sum over j of exp(s_j))

Hinge is content once the right score leads by 1; softmax always wants more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn import functional as F
from fastnn.lecture.page import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]

# The lecture's image of four pixels, and its classifier for three classes; class 2 is right.
W = np.array([[0.01, -0.05, 0.1, 0.05], [0.7, 0.2, 0.05, 0.16], [0.0, -0.45, -0.2, 0.03]])
b = np.array([0.0, 0.2, -0.3])
x = np.array([-15.0, 22.0, -44.0, 56.0])
RIGHT = 2

# Three images by their scores; class 0 is right.
SCORES = np.array([[10.0, -2, 3], [10, 9, 9], [10, -100, -100]])
MOVES = (-1.0, -0.25, 0.0, 0.25, 1.0)


def hinge(scores: Array, y: int) -> float:
    """The multiclass SVM loss of one image."""
    return float(F.hinge_loss(scores[None], np.array([y]))[0])


def softmax(scores: Array, y: int) -> float:
    """The cross-entropy loss of one image: log(1 + sum over j != y of exp(s_j - s_y)).

    That is the formula above, in a form in which a tiny loss is not rounded to zero.
    """
    return float(np.log1p(np.exp(np.delete(scores, y) - scores[y]).sum()))


def gradients(scores: Array, y: int) -> tuple[Array, Array]:
    """Of both losses by the scores."""
    _, of_hinge = F.hinge_loss(scores[None], np.array([y]))
    _, of_softmax = F.cross_entropy(scores[None], np.array([y]))
    return of_hinge[0], of_softmax[0]


def moved(scores: Array, by: float) -> Array:
    """The scores after that of class 0 has moved."""
    return np.concatenate([scores[:1] + by, scores[1:]])


def show(page: Page) -> None:
    """Print both losses for one image, then for three whose right score moves."""
    scores = W @ x + b
    margins = np.maximum(0, scores - scores[RIGHT] + 1)
    margins[RIGHT] = 0
    p = F.softmax(scores[None])[0]
    page.say("One image, W x + b; the right class is the last:")
    page.table(
        {
            "class": ["0", "1", "2"],
            "score": [f"{s:.2f}" for s in scores],
            "max(0, s - s_y + 1)": [f"{m:.2f}" for m in margins],
            "exp(s)": [f"{e:.3f}" for e in np.exp(scores)],
            "p": [f"{each:.3f}" for each in p],
        }
    )
    loss = softmax(scores, RIGHT)
    page.lines(
        [
            f"hinge    {hinge(scores, RIGHT):.2f}, the sum of the margins",
            f"softmax  {loss:.2f}, -log({p[RIGHT]:.3f}), natural",
            f"         {loss / np.log(10):.3f}, as the lecture prints it, to the base 10",
        ]
    )

    page.say("Three images whose right class is the first, after its score has moved a little:")
    rows = [(row, loss) for row in SCORES for loss in (hinge, softmax)]
    page.table(
        {
            "scores": [_listed(row) for row, _ in rows],
            "loss": [loss.__name__ for _, loss in rows],
            **{
                f"{by:+g}": [f"{loss(moved(row, by), 0):.3g}" for row, loss in rows] for by in MOVES
            },
        }
    )
    page.say("Their gradients by the scores, without a move:")
    page.table(
        {
            "scores": [_listed(row) for row in SCORES],
            "hinge": [_listed(gradients(row, 0)[0]) for row in SCORES],
            "softmax": [_listed(gradients(row, 0)[1]) for row in SCORES],
        }
    )
    page.say(
        """
        To hinge the three images are equally good, and it pushes none of them: it looks only
        at the second where the move takes its lead below 1. Softmax tells them apart, and
        pushes even the third, with a gradient that is never quite zero.
        """
    )
    page.picture("losses", paint)


def _listed(values: Array) -> str:
    return f"[{', '.join(f'{value + 0:.3g}' for value in values)}]"


def paint(figure: Figure) -> None:
    """Both losses while the right score moves."""
    moves = np.linspace(-4, 4, 161)
    left, right = figure.subplots(1, 2)
    for axes, loss in ((left, hinge), (right, softmax)):
        for row, style in zip(SCORES, ("-", "-", "--"), strict=True):
            axes.plot(moves, [loss(moved(row, by), 0) for by in moves], style, label=_listed(row))
        axes.axvline(0, color="gray", linestyle=":")
        axes.set(title=loss.__name__, xlabel="move of the right score", ylabel="loss")
    right.set(yscale="log", ylim=(1e-55, 1e3))
