"""A neuron, 1 / (1 + exp(-(w0 x0 + w1 x1 + w2))), from elementary gates and from one gate.

Gates can be as large as one likes, as long as their derivative is known: that of the sigmoid
s(t) is (1 - s(t)) s(t), and it does the work of four gates.
"""

from __future__ import annotations

import numpy as np

import fastnn
from fastnn import Tensor
from fastnn.lecture.nodes import named, values
from fastnn.lecture.page import Page

sigmoid = fastnn.op(
    forward=lambda t: 1 / (1 + np.exp(-t)),
    backward=lambda ds, s, _t: (1 - s) * s * ds,
    name="sigmoid",
)


def weighted_sum() -> Tensor:
    """w0 x0 + w1 x1 + w2 at w = (2, -3, -3), x = (-1, -2)."""
    w0 = Tensor(2.0, requires_grad=True, name="w0")
    x0 = Tensor(-1.0, requires_grad=True, name="x0")
    w1 = Tensor(-3.0, requires_grad=True, name="w1")
    x1 = Tensor(-2.0, requires_grad=True, name="x1")
    w2 = Tensor(-3.0, requires_grad=True, name="w2")
    a = named("a", w0 * x0)
    b = named("b", w1 * x1)
    c = named("c", a + b)
    return named("d", c + w2)


def from_elementary_gates() -> Tensor:
    """The neuron as the lecture draws it: times -1, exp, plus 1, one over."""
    d = weighted_sum()
    e = named("e", d * -1)
    f = named("f", np.exp(e))
    g = named("g", f + 1)
    return named("h", 1 / g)


def from_the_sigmoid_gate() -> Tensor:
    """The neuron with its last four gates in one."""
    d = weighted_sum()
    return named("h", sigmoid(d))


def largest_difference() -> float:
    """Between the two graphs: of any value or gradient that both have."""
    one, other = values(from_elementary_gates()), values(from_the_sigmoid_gate())
    return max(
        abs(float(a - b)) for name in other for a, b in zip(one[name], other[name], strict=True)
    )


def show(page: Page) -> None:
    """Print both graphs."""
    page.say("The neuron from elementary gates, with the two decimals of the lecture:")
    page.graph(from_elementary_gates(), "sigmoid-elementary", number=".2f")
    page.say(
        """
        From the bottom up: 1/g gives -1/1.37^2 = -0.53; + 1 passes it on; exp multiplies with
        its own value, 0.37, to -0.20; -1 turns the sign; the sums distribute 0.20, and the
        products switch: w0 gets 0.20 times x0, x0 gets 0.20 times w0. (The lecture goes on
        from the rounded 0.2, and its 0.2 x 2 = 0.4 is the 0.39 here.)
        """
    )
    page.say("With the sigmoid gate, whose local gradient is (1 - 0.73) 0.73 = 0.20:")
    page.graph(from_the_sigmoid_gate(), "sigmoid-gate", number=".2f")
    page.say(f"The two agree: values and gradients differ by {largest_difference():.0e} at most.")
