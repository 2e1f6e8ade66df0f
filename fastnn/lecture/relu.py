"""ReLU's Jacobian, which nobody ever forms.

y = max(0, x) of 4096 numbers has 4096 x 4096 partial derivatives, of which only the diagonal is
not zero, and that holds zeros and ones: backward is a mask on the gradient that comes in.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import fastnn
from fastnn import Tensor
from fastnn.drawing.labels import summary
from fastnn.lecture.nodes import named
from fastnn.lecture.page import Page

Array: TypeAlias = npt.NDArray[Any]


def relu(x: Any) -> Any:
    """max(0, x), element by element."""
    return np.maximum(0, x)


def jacobian(x: Array) -> Array:
    """All dy_i / dx_j, a matrix."""
    matrix: Array = fastnn.jacobian(relu)(x)
    return matrix


def masked(dy: Array, x: Array) -> Array:
    """The gradient by x, from dy, that by y: what is 0 for x < 0 passes nothing on."""
    dx: Array = dy * (x > 0)
    return dx


def by_jacobian(dy: Array, x: Array) -> Array:
    """The same as the chain rule has it: dy times the matrix of all dy_i / dx_j."""
    return dy @ jacobian(x)


def by_backward(dy: Array, x: Array) -> Array:
    """The same by the graph."""
    leaf = Tensor(x, requires_grad=True)
    relu(leaf).backward(dy)
    gradient: Array = leaf.grad
    return gradient


X, DY = np.array([1.0, -2.0, 3.0, -1.0]), np.array([4.0, 1.0, -5.0, 9.0])


def small_graph() -> Tensor:
    """The sum of dy * max(0, x), whose gradient by y is dy."""
    x = Tensor(X, requires_grad=True, name="x")
    y = named("y", relu(x))
    return named("loss", np.sum(Tensor(DY, name="dy") * y))


def entries(n: int) -> int:
    """Of the Jacobian of n numbers by n numbers."""
    return n * n


def show(page: Page) -> None:
    """Print the small Jacobian, and count the large ones."""
    page.say(f"The Jacobian of y = max(0, x) at x = {summary(X)}, explicitly:")
    columns = jacobian(X).T
    page.table(
        {
            "": [f"dy[{i}]/" for i in range(len(X))],
            **{f"dx[{j}]": [f"{d:g}" for d in column] for j, column in enumerate(columns)},
        }
    )
    page.say(f"Where the gradient by y is {summary(DY)}, the gradient by x is, three ways:")
    page.table(
        {
            "": ["dy times the Jacobian", "dy * (x > 0)", "backward()"],
            **{
                f"dx[{j}]": [f"{way(DY, X)[j]:g}" for way in (by_jacobian, masked, by_backward)]
                for j in range(len(X))
            },
        }
    )
    page.say("The last one is that of this graph, which holds no matrix:")
    page.graph(small_graph(), "relu")

    page.say("In the lecture's net y has 4096 numbers, and a mini-batch is 100 rows of them:")
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 100, 4096))
    agree = np.array_equal(by_backward(dy, x), masked(dy, x))
    sizes = [4096, 100 * 4096]
    page.table(
        {
            "": ["one image", "a mini-batch"],
            "Jacobian": [f"{n:,} x {n:,}" for n in sizes],
            "numbers": [f"{entries(n):,}" for n in sizes],
            "in float32": [f"{entries(n) * 4 / 2**30:,.2f} GiB" for n in sizes],
            "the mask": [f"{n:,} bits" for n in sizes],
        }
    )
    page.say(
        f"backward() of such a mini-batch is dy * (x > 0), to the bit: {'yes' if agree else 'no'}."
    )
