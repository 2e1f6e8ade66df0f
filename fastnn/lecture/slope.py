"""The derivative of f(x) = x^4/2 - 2x^2 + x + 5, numerically and analytically.

The numerical derivative needs nothing but f, and is only near; the analytic one is exact, and
somebody has to find it.  So one derives analytically and checks numerically.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn
from fastnn.lecture.page import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

H = 0.001
POINTS = np.array([-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0])


def f(x: Any) -> Any:
    """The lecture's function."""
    return x**4 / 2 - 2 * x**2 + x + 5


def analytic(x: Any) -> Any:
    """Its derivative, by the rules of calculus."""
    return 2 * x**3 - 4 * x + 1


def numerical(f: Callable[[Any], Any], x: Any, h: float = H) -> Any:
    """The definition of the derivative, without its limit."""
    return (f(x + h) - f(x)) / h


def centred(f: Callable[[Any], Any], x: Any, h: float = H) -> Any:
    """As :func:`numerical`, from both sides: its error shrinks as h^2, not as h."""
    return (f(x + h) - f(x - h)) / (2 * h)


def show(page: Page) -> None:
    """Print the derivatives at some points."""
    page.say(f"f(x) = x^4/2 - 2x^2 + x + 5, and (f(x + h) - f(x)) / h with h = {H:g}:")
    by_graph = np.array([fastnn.grad(f)(x) for x in POINTS])
    page.table(
        {
            "x": [f"{x:.1f}" for x in POINTS],
            "f(x)": [f"{y:.3f}" for y in f(POINTS)],
            "numerical": [f"{d:.6f}" for d in numerical(f, POINTS)],
            "2x^3 - 4x + 1": [f"{d:.6f}" for d in analytic(POINTS)],
            "fastnn.grad": [f"{d:.6f}" for d in by_graph],
            "error": [f"{d:.1e}" for d in numerical(f, POINTS) - analytic(POINTS)],
            "error, centred": [f"{d:.1e}" for d in centred(f, POINTS) - analytic(POINTS)],
        }
    )
    page.say(
        """
        The error of the numerical derivative is about h/2 times the second derivative, and
        changes its sign with it. From both sides, (f(x + h) - f(x - h)) / 2h, it is only 2x h^2.
        """
    )
    x = np.linspace(-2, 2, 200)
    page.chart({"f(x)": f(x), "its derivative": analytic(x)}, x="x from -2 to 2")
    page.picture("slope", paint)


def paint(figure: Figure) -> None:
    """The function, its derivative, and the numerical derivative as points on it."""
    x = np.linspace(-2.1, 2.1, 200)
    left, right = figure.subplots(1, 2)
    left.plot(x, f(x), label="f(x) = x⁴/2 − 2x² + x + 5")
    left.set(xlabel="x", ylabel="f")
    right.plot(x, analytic(x), label="2x³ − 4x + 1")
    right.plot(POINTS, numerical(f, POINTS), "o", label=f"(f(x + h) − f(x)) / h, h = {H:g}")
    right.set(xlabel="x", ylabel="derivative of f")
