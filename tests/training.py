"""A small problem to train on, shared by the tests of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import models, optim
from fastnn.layers.module import Module
from fastnn.train import Trainer

N, FEATURES, CLASSES = 70, 5, 3


def classes(n: int = N, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clouds of points, float32 (n, 5), and their labels (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, n)
    centres = np.array([[2.0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0], [0, 0, 2.0, 0, 0]])
    X = centres[y] + rng.normal(size=(n, FEATURES))
    return X.astype(np.float32), y


def net(outputs: int = CLASSES, dtype: str = "float32", seed: int = 3) -> Module:
    return models.mlp(FEATURES, (8,), outputs, seed=seed, dtype=dtype)


def trainer(loss: Any = "cross_entropy", model: Module | None = None, **options: Any):
    """A Trainer of a new net by plain SGD."""
    model = net() if model is None else model
    lr = options.pop("lr", 0.1)
    return Trainer(model, loss, optim.SGD(model.parameters(), lr=lr), **options)


def assert_same_weights(a: Module, b: Module) -> None:
    """Equal to the bit."""
    first, second = a.state_dict(), b.state_dict()
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name
