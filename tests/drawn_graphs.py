"""Graphs to draw: those of the lecture, and some that are larger or odder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import fastnn
from fastnn import Tensor, ops


def leaf(values: object, name: str | None = None, requires_grad: bool = True) -> Tensor:
    return Tensor(np.asarray(values, float), requires_grad=requires_grad, name=name)


def xyz() -> Tensor:
    """f = (x + y) z."""
    x, y, z = leaf(-2, "x"), leaf(5, "y"), leaf(-4, "z")
    q = x + y
    q.name = "q"
    f = q * z
    f.name = "f"
    return f


def _neuron() -> Tensor:
    w0, x0, w1, x1, w2 = (
        leaf(value, name)
        for value, name in ((2, "w0"), (-1, "x0"), (-3, "w1"), (-2, "x1"), (-3, "w2"))
    )
    return w0 * x0 + w1 * x1 + w2


def sigmoid_neuron() -> Tensor:
    """From elementary gates."""
    return 1 / (np.exp(_neuron() * -1) + 1)


def sigmoid_gate() -> Tensor:
    return ops.sigmoid(_neuron())


def two_layers() -> Tensor:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
    W1, b1 = leaf(0.1 * rng.standard_normal((20, 16)), "W1"), leaf(np.zeros(16), "b1")
    W2, b2 = leaf(0.1 * rng.standard_normal((16, 3)), "W2"), leaf(np.zeros(3), "b2")
    hidden = np.maximum(0, X @ W1 + b1)
    hidden.name = "hidden"
    scores = hidden @ W2 + b2
    scores.name = "scores"
    loss = fastnn.cross_entropy(scores, y)
    loss.name = "loss"
    return loss


def regularized() -> Tensor:
    """Two layers without biases, and lambda times the squares of their weights."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
    W1 = leaf(0.1 * rng.standard_normal((20, 16)), "W1")
    W2 = leaf(0.1 * rng.standard_normal((16, 3)), "W2")
    scores = np.maximum(0, X @ W1) @ W2
    return fastnn.cross_entropy(scores, y) + 5e-4 * (np.sum(W1 * W1) + np.sum(W2 * W2))


def recurrent() -> Tensor:
    """Three steps of a recurrent net, with a loss at each: 34 nodes."""
    rng = np.random.default_rng(1)
    Wx, Wh = leaf(rng.standard_normal((4, 8)), "Wx"), leaf(rng.standard_normal((8, 8)), "Wh")
    b, Wy = leaf(np.zeros(8), "b"), leaf(rng.standard_normal((8, 3)), "Wy")
    h = leaf(np.zeros((5, 8)), "h0", False)
    losses = []
    for step in (1, 2, 3):
        x = leaf(rng.standard_normal((5, 4)), f"x{step}", False)
        h = np.tanh(x @ Wx + h @ Wh + b)
        h.name = f"h{step}"
        losses.append(fastnn.cross_entropy(h @ Wy, rng.integers(0, 3, 5)))
    loss = losses[0] + losses[1] + losses[2]
    loss.name = "loss"
    return loss


def attention() -> Tensor:
    """A head of attention, the residual, layer normalization and a loss: 31 nodes."""
    rng = np.random.default_rng(1)
    X = leaf(rng.standard_normal((6, 8)), "X", False)
    Wq, Wk, Wv, Wo = (leaf(rng.standard_normal((8, 8)), f"W{each}") for each in "qkvo")
    q, k, v = X @ Wq, X @ Wk, X @ Wv
    q.name, k.name, v.name = "q", "k", "v"
    scores = q @ k.T / np.sqrt(8)
    e = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    p.name = "attention"
    o = X + p @ v @ Wo
    c = o - np.mean(o, axis=1, keepdims=True)
    normed = c / np.sqrt(np.mean(c * c, axis=1, keepdims=True) + 1e-5)
    normed.name = "normed"
    return np.mean((normed[:, :2] - rng.standard_normal((6, 2))) ** 2)


def single() -> Tensor:
    return leaf(3.0, "x")


def chain() -> Tensor:
    """Twelve ops in a row."""
    t = leaf(0.5, "x")
    functions: list[Callable[[Tensor], Tensor]] = [
        np.exp, np.sin, np.tanh, lambda t: t * 2, lambda t: t + 1, np.sqrt,
        np.log1p, lambda t: 1 / t, np.cos, lambda t: t**2, lambda t: t - 3, np.arctan,
    ]  # fmt: skip
    for function in functions:
        t = function(t)
    return t


def fan_in() -> Tensor:
    """An op of the user's own with twelve arguments."""
    total = fastnn.op(lambda *x: sum(x), lambda g, _y, *x: (g,) * len(x), "total")
    return total(*(leaf(0.37 * i, f"x{i}") for i in range(12)))


def concatenated() -> Tensor:
    parts = [leaf(np.full(3, 0.37 * i), f"x{i}") for i in range(12)]
    return np.sum(np.concatenate(parts) ** 2)


def branching() -> Tensor:
    """A leaf that is used four times."""
    x = leaf([1.5, -2], "x")
    return np.sum(x * x + np.sin(x) * x)


def model() -> Tensor:
    """A model of layers, whose parameters have no names."""
    rng = np.random.default_rng(1)
    mlp = fastnn.models.mlp(64, (256, 128), 10, seed=0)
    X = Tensor(rng.standard_normal((32, 64)).astype("float32"), name="X")
    return fastnn.cross_entropy(mlp(X), rng.integers(0, 10, 32))


GRAPHS: tuple[Callable[[], Tensor], ...] = (
    xyz, sigmoid_neuron, sigmoid_gate, two_layers, regularized, recurrent, attention, single,
    chain, fan_in, concatenated, branching, model,
)  # fmt: skip
