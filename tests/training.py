"""A small problem to train on, shared by the tests of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import models, optim
from fastnn.history import History
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


def trainer(loss: Any = "cross_entropy", model: Module | None = None, **options: Any) -> Trainer:
    """A Trainer of a new net by plain SGD."""
    model = net() if model is None else model
    lr = options.pop("lr", 0.1)
    return Trainer(model, loss, optim.SGD(model.parameters(), lr=lr), **options)


def fitted(
    X: np.ndarray | None = None,
    y: np.ndarray | None = None,
    loss: Any = "cross_entropy",
    model: Module | None = None,
    **options: Any,
) -> tuple[Trainer, History]:
    """A trainer after two epochs in batches of 32, and its history."""
    given = classes()
    X, y = given[0] if X is None else X, given[1] if y is None else y
    of_trainer = ("schedule", "clip_norm", "clip_value", "scale", "shift", "lr", "capture")
    settings = {name: options.pop(name) for name in of_trainer if name in options}
    made = trainer(loss, model, **settings)
    options = {"epochs": 2, "batch_size": 32, "progress": False, **options}
    return made, made.fit(X, y, **options)


def assert_same_weights(a: Module, b: Module) -> None:
    """Equal to the bit."""
    first, second = a.state_dict(), b.state_dict()
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name
