"""Mini-batch gradient descent in a few lines, for the topics that train a net."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn import Tensor

__all__ = ["accuracy", "batches", "descend", "weights"]

Array: TypeAlias = npt.NDArray[Any]
Batch: TypeAlias = "tuple[Array, Array]"


def weights(*widths: int, seed: int = 0) -> list[Tensor]:
    """A matrix from each width to the next, normal, of deviation sqrt(2 / inputs)."""
    rng = np.random.default_rng(seed)
    return [
        Tensor(
            rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in),
            requires_grad=True,
            name=f"W{i}",
        )
        for i, (n_in, n_out) in enumerate(pairwise(widths), 1)
    ]


def batches(X: Array, y: Array, size: int, epochs: int, seed: int = 0) -> Iterator[Batch]:
    """All samples in a new order for every epoch, that many at a time."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), size):
            chosen = order[start : start + size]
            yield X[chosen], y[chosen]


def descend(
    loss: Callable[..., Tensor], Ws: Iterable[Tensor], data: Iterable[Batch], lr: float
) -> Iterator[float]:
    """W = W - lr * gradient, a step a batch; yields loss(X, y, *Ws) of each, before its step."""
    Ws = list(Ws)
    for X, y in data:
        value = loss(X, y, *Ws)
        value.backward()
        yield value.item()
        for W in Ws:
            W.data -= lr * W.grad
            W.grad = None


def accuracy(scores: Any, y: Array) -> float:
    """The share of rows whose largest score is that of the right class."""
    return float((np.argmax(scores, axis=1) == y).mean())
