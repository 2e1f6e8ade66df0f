"""Gradient descent, and when it stops.

    while sum(|W - W_old|) > goal:
        W_old = W
        W = W_old - learning_rate * gradient(W_old)

It comes to rest where the gradient is zero; in which valley, the beginning decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

import fastnn
from fastnn.lecture.page import Page
from fastnn.lecture.slope import analytic, f

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]

LEARNING_RATE, GOAL = 0.05, 1e-6
BEGINNINGS = (2.0, 0.3, 0.2, -2.0)


def descend(W: float, learning_rate: float = LEARNING_RATE, goal: float = GOAL) -> Array:
    """The lecture's loop on the f of the topic slope: W at the beginning and after each step."""
    path = [np.array([W])]
    step = np.inf
    while step > goal:
        W_old = path[-1]
        path.append(W_old - learning_rate * analytic(W_old))
        step = np.sum(np.abs(path[-1] - W_old))
    return np.concatenate(path)


def by_fastnn(W: float) -> fastnn.GradientDescentResult:
    """The same by fastnn, which finds the gradient itself."""
    return fastnn.gradient_descent(
        lambda w: np.sum(f(w)), [W], lr=LEARNING_RATE, goal=GOAL, max_iter=1000
    )


def show(page: Page) -> None:
    """Print a descent step by step, then where others end."""
    path = descend(BEGINNINGS[0])
    page.say(
        f"""
        f(W) = W^4/2 - 2W^2 + W + 5 from W = {BEGINNINGS[0]:g}, with learning rate
        {LEARNING_RATE:g}, until sum|W - W_old| <= {GOAL:g}:
        """
    )
    last = len(path) - 1
    chosen = [0, 1, 2, 3, 5, 10, 20, last - 1, last]
    page.table(
        {
            "step": [f"{i}" for i in chosen],
            "W": [f"{path[i]:.6f}" for i in chosen],
            "f(W)": [f"{f(path[i]):.6f}" for i in chosen],
            "gradient": [f"{analytic(path[i]):.6f}" for i in chosen],
            "sum|W - W_old|": ["", *(f"{abs(path[i] - path[i - 1]):.1e}" for i in chosen[1:])],
        }
    )
    page.say("The beginning decides which valley it ends in; fastnn.gradient_descent agrees:")
    results = [by_fastnn(W) for W in BEGINNINGS]
    paths = [descend(W) for W in BEGINNINGS]
    page.table(
        {
            "from": [f"{W:g}" for W in BEGINNINGS],
            "steps": [f"{len(path) - 1}" for path in paths],
            "to": [f"{path[-1]:.5f}" for path in paths],
            "f": [f"{f(path[-1]):.5f}" for path in paths],
            "gradient there": [f"{analytic(path[-1]):.0e}" for path in paths],
            "fastnn steps": [f"{each.iterations}" for each in results],
            "fastnn to": [f"{each.w[0]:.5f}" for each in results],
        }
    )
    left, hilltop, right = sorted(np.roots([2, 0, -4, 1]))
    page.say(
        f"""
        The gradient 2W^3 - 4W + 1 is zero at {left:.5f}, {hilltop:.5f} and {right:.5f}; the
        second is the hilltop between the valleys.
        """
    )
    page.chart(
        {f"sum|W - W_old| from {W:g}": by_fastnn(W).steps for W in BEGINNINGS[:3:2]},
        x="the steps, from the first to the last",
        log=True,
        height=9,
    )
    page.picture("descent", paint)


def paint(figure: Figure) -> None:
    """The ways down, on the curve of f."""
    left, right = figure.subplots(1, 2)
    x = np.linspace(-2.2, 2.15, 200)
    left.plot(x, f(x), color="lightgray")
    for W in BEGINNINGS:
        path = descend(W)
        left.plot(path, f(path), ".-", label=f"from {W:g}")
        right.semilogy(range(1, len(path)), np.abs(np.diff(path)), label=f"from {W:g}")
    left.set(xlabel="W", ylabel="f(W)")
    right.axhline(GOAL, color="gray", linestyle=":")
    right.set(xlabel="step", ylabel="sum|W − W_old|")
