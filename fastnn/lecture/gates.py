"""Backward through a graph by the chain rule, gate by gate.

A gate knows its own derivatives and nothing else.  On the way back it multiplies each of them
with the gradient of its output, and that is the gradient of that input.
"""

from __future__ import annotations

import numpy as np

import fastnn
from fastnn import Tensor
from fastnn.lecture.nodes import named
from fastnn.lecture.page import Page


def product_of_a_sum() -> Tensor:
    """f = (x + y) z at x = -2, y = 5, z = -4."""
    x = Tensor(-2.0, requires_grad=True, name="x")
    y = Tensor(5.0, requires_grad=True, name="y")
    z = Tensor(-4.0, requires_grad=True, name="z")
    q = named("q", x + y)
    return named("f", q * z)


def by_hand() -> dict[str, float]:
    """The same forward and backward without a graph, a line a gate."""
    x, y, z = -2.0, 5.0, -4.0
    q = x + y
    f = q * z
    # f = q z, so df/dq = z and df/dz = q
    dq, dz = z, q
    # q = x + y, so dq/dx = dq/dy = 1: the chain rule
    dx, dy = 1.0 * dq, 1.0 * dq
    return {"f": f, "x": dx, "y": dy, "z": dz}


def three_gates() -> Tensor:
    """f = 2 (x y + max(z, w)) at x = 3, y = -4, z = 2, w = -1."""
    x = Tensor(3.0, requires_grad=True, name="x")
    y = Tensor(-4.0, requires_grad=True, name="y")
    z = Tensor(2.0, requires_grad=True, name="z")
    w = Tensor(-1.0, requires_grad=True, name="w")
    p = named("p", x * y)
    m = named("m", np.maximum(z, w))
    s = named("s", p + m)
    return named("f", 2 * s)


# The lecture's class MultiplyGate, with its forward and its backward, as an op of the graph.
multiply = fastnn.op(
    forward=lambda x, y: x * y,
    backward=lambda dz, _z, x, y: (dz * y, dz * x),
    name="multiply_gate",
)


def branch() -> Tensor:
    """f = x y + x at x = 3, y = -4: the two gradients that reach x are added."""
    x = Tensor(3.0, requires_grad=True, name="x")
    y = Tensor(-4.0, requires_grad=True, name="y")
    p = named("p", multiply(x, y))
    return named("f", p + x)


def show(page: Page) -> None:
    """Print the graphs, forward from the top down, backward from the bottom up."""
    page.say("f = (x + y) z. The values go down the table, the gradients df/dnode come up it:")
    page.graph(product_of_a_sum(), "gates")
    hand = by_hand()
    gradients = ", ".join(f"df/d{name} = {hand[name]:g}" for name in "xyz")
    page.say(f"By hand, from the chain rule: f = {hand['f']:g}, {gradients}.")

    page.say("The three kinds of gate in one graph, f = 2 (x y + max(z, w)):")
    page.graph(three_gates(), "gates-three-kinds")
    page.lines(
        [
            "add       distributes: s passes its 2 on to both p and m, as it is",
            "multiply  switches: x gets 2 times the value of y, and y gets 2 times that of x",
            "max       routes: z is the larger and gets all of it, w gets nothing",
        ]
    )

    page.say(
        """
        Where a value branches its gradients add up: in f = x y + x, x gets y + 1 = -3. The
        product here is a gate of one's own, made by fastnn.op from a forward and a backward:
        """
    )
    page.graph(branch(), "gates-branch")
